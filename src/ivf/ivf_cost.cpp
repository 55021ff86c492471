// What a scan costs the planner. A scan never learns LIMIT: startup is the first batch, total is the drain of all
// rows in order, and the planner interpolates between them for the rows it needs.
#include <algorithm>
#include <cmath>

#include "ivf/ivf_am.h"

namespace vext::ivf {
namespace {

// Pages of an index that is in use are mostly cached, whatever random_page_cost says of the disk.
constexpr double kCachedPageShare = 0.25;

// Scoring a row by its 1-bit code, by its 8-bit code, or by the value, as a share of calling an operator: 5, 35 and 150
// nanoseconds of 384 dimensions, where a sequential scan needs about 300 for a row's distance.
double row_cost(int codec) {
    switch (static_cast<codec::CodecId>(codec)) {
        case codec::CodecId::none: return 0.5;
        case codec::CodecId::sq8: return 0.15;
        default: return 0.05;
    }
}

}  // namespace

void estimate_cost(PlannerInfo*, IndexPath* path, double, Cost* startup, Cost* total, Selectivity* selectivity,
                   double* correlation, double* pages) {
    *selectivity = 1;
    *correlation = 0;
    *pages = 0;
    IndexOptInfo* info = path->indexinfo;
    if (path->indexorderbys == NIL) {
        // Without an order there is nothing that this index could do.
        *startup = *total = get_float8_infinity();
        return;
    }
    Relation rel = index_open(info->indexoid, NoLock);
    IvfOptions options = read_options(rel);
    index_close(rel, NoLock);

    double spc_random_page_cost;
    get_tablespace_page_costs(info->reltablespace, &spc_random_page_cost, nullptr);
    double rows = std::max(info->tuples, 1.0);
    double index_pages = std::max<double>(info->pages, 1);
    double lists = options.lists > 0 ? options.lists : std::max(1.0, std::sqrt(rows));
    double share = std::min(1.0, settings.probes / lists);
    double page_cost = spc_random_page_cost * kCachedPageShare;
    double row = row_cost(options.codec) * cpu_operator_cost;

    *startup = lists * cpu_operator_cost + share * rows * row + std::max(1.0, share * index_pages) * page_cost;
    *total = *startup + rows * (row + 2 * cpu_index_tuple_cost) + index_pages * spc_random_page_cost;
    *pages = index_pages;
}

}  // namespace vext::ivf
