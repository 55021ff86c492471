// What a scan costs the planner. A scan never learns LIMIT: startup is the first batch, total is the drain of all
// rows in order, and the planner interpolates between them for the rows it needs.
#include <algorithm>
#include <cmath>

#include "hnsw/hnsw_am.h"

namespace vext::hnsw {
namespace {

// Pages of a graph that is in use are mostly cached, whatever random_page_cost says of the disk.
constexpr double kCachedPageShare = 0.25;

// Nodes scored by a search: fitted on searches of 62,666 x 384 at m = 16 (475 to 600 at ef 40, 1,750 to 2,300 at 200).
double nodes_scored(double nodes, double m, double ef) {
    return std::min(nodes, 0.127 * m * std::pow(ef, 0.85) * std::log(std::max(nodes, 2.0)));
}

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages) {
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
    int m = read_options(rel).m;
    index_close(rel, NoLock);

    double spc_random_page_cost;
    get_tablespace_page_costs(info->reltablespace, &spc_random_page_cost, nullptr);
    double nodes = std::max(info->tuples, 1.0);
    double index_pages = std::max<double>(info->pages, 1);
    double scored = nodes_scored(nodes, m, settings.ef_search);
    // A sequential scan is not charged for the vectors that it fetches from TOAST; nor is this one, for vectors that
    // lie in the index: it is as good as small as the table.
    double heap_pages = std::max<double>(info->rel->pages, 1);
    double counted_pages = std::min(index_pages, heap_pages);
    auto distinct_pages = [&](double visits) { return counted_pages * (1 - std::exp(-visits / counted_pages)); };
    double page_cost = spc_random_page_cost * kCachedPageShare;
    double node_cost = cpu_index_tuple_cost + cpu_operator_cost;

    *startup = scored * node_cost + distinct_pages(scored) * page_cost;
    double rest = nodes - std::min(nodes, static_cast<double>(settings.ef_search));
    *total = *startup + rest * node_cost * m + counted_pages * spc_random_page_cost + nodes * cpu_index_tuple_cost;
    *pages = index_pages;
    (void)root;
    (void)loop_count;
}

}  // namespace vext::hnsw
