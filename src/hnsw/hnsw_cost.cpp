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

// For each row that is looked at beyond the first batch the search compares so many nodes times m. Where rows are dropped,
// batches hand out less of their beams, the first one a quarter: measured 8,600 and 14,500 nodes for 100 and 140 rows at
// m = 16.
constexpr double kNodesPerRow = 2;
constexpr double kNodesPerFilteredRow = 6;
constexpr double kFirstShare = 0.25;
// What a node costs that lies anywhere, in times of what its share of a page costs: by the ratio of such scans to those of
// a table by a bitmap, of 384 dimensions.
constexpr double kScattered = 10;

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages) {
    index::CostBasis basis;
    if (!index::begin_estimate(root, path, {startup, total, selectivity, correlation, pages}, &basis)) return;
    IndexOptInfo* info = path->indexinfo;
    Relation rel = index_open(info->indexoid, NoLock);
    int m = read_options(rel).m;
    index_close(rel, NoLock);

    double ef = settings.ef_search;
    double scored = nodes_scored(basis.rows, m, ef);
    auto distinct_pages = [&](double visits) { return basis.pages * (1 - std::exp(-visits / basis.pages)); };
    double node_cost = cpu_index_tuple_cost + cpu_operator_cost;
    *startup = scored * node_cost + distinct_pages(scored) * basis.page_cost;

    double free_rows = basis.drops_rows ? ef * kFirstShare : ef;
    double further = std::max(0.0, basis.wanted - free_rows);
    if (basis.limit_known) {
        // Nodes of further batches lie anywhere.
        double per_row = m * (basis.drops_rows ? kNodesPerFilteredRow : kNodesPerRow);
        double visits = std::min(basis.rows, further * per_row);
        double visit = node_cost + kScattered * *pages / basis.rows * basis.page_cost;
        *total = *startup + visits * visit / basis.wanted_share;
    } else {
        *total = *startup + further * node_cost * m + basis.pages * basis.random_page_cost;
    }
    *total += basis.rows * *selectivity * cpu_index_tuple_cost;
    (void)loop_count;
}

}  // namespace vext::hnsw
