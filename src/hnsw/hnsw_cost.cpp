// What a scan costs the planner. A scan never learns LIMIT: startup is the first batch, total is the drain of all
// rows in order, and the planner interpolates between them for the rows it needs.
#include <algorithm>
#include <cmath>

#include "hnsw/hnsw_am.h"
#include "index/order_cost.h"

namespace vext::hnsw {
namespace {

// Nodes scored by a search: fitted on searches of 62,666 x 384 at m = 16 (475 to 600 at ef 40, 1,750 to 2,300 at 200).
double nodes_scored(double nodes, double m, double ef) {
    return std::min(nodes, 0.127 * m * std::pow(ef, 0.85) * std::log(std::max(nodes, 2.0)));
}

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages) {
    index::CostBasis basis;
    if (!index::begin_estimate(root, path, {startup, total, selectivity, correlation, pages}, &basis)) return;
    IndexOptInfo* info = path->indexinfo;
    Relation rel = index_open(info->indexoid, NoLock);
    int m = read_options(rel).m;
    index_close(rel, NoLock);

    double scored = nodes_scored(basis.rows, m, settings.ef_search);
    auto distinct_pages = [&](double visits) { return basis.pages * (1 - std::exp(-visits / basis.pages)); };
    double node_cost = cpu_index_tuple_cost + cpu_operator_cost;

    *startup = scored * node_cost + distinct_pages(scored) * basis.page_cost;
    double rest = basis.rows - std::min(basis.rows, static_cast<double>(settings.ef_search));
    *total = *startup + rest * node_cost * m + basis.pages * basis.random_page_cost + basis.rows * cpu_index_tuple_cost;
    (void)loop_count;
}

}  // namespace vext::hnsw
