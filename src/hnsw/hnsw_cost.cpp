// What a scan costs the planner. A scan never learns LIMIT: startup is the first batch, total is the drain of all
// rows in order, and the planner interpolates between them for the rows it needs.
#include <algorithm>
#include <cmath>

#include "hnsw/hnsw_am.h"
#include "index/order_cost.h"

namespace vext::hnsw {
namespace {

// Nodes scored by a search: fitted on searches of 62,666 x 384 at m = 16 (785 at ef 40, 1,851 at 160, 7,742 at 1,280).
double nodes_scored(double nodes, double m, double ef) {
    return std::min(nodes, 0.326 * m * std::pow(ef, 0.685) * std::log(std::max(nodes, 2.0)));
}

// The beam that has handed out so many rows when it is reached, in times of these: batches hand out a part of theirs, less
// where rows are dropped (hnsw_scan_batches.cpp). Measured 2,800, 6,000 and 13,000 nodes for LIMIT 100, 300 and 1,000;
// 3,321, 6,522 and 17,300 for 100, 200 and 1,000 rows before a filter.
constexpr double kBeamPerRow = 2.8;
constexpr double kBeamPerFilteredRow = 5;
constexpr double kFirstShare = 0.25;
// A node is read once more when its rows are handed out, and these wait in a queue: as a share of a page.
constexpr double kHandOut = 0.5;

// What all searches of a query cost, those under a filter of the index as well.
struct Searches {
    const index::CostBasis& basis;
    double m;
    bool filtered;

    double node_cost() const { return cpu_index_tuple_cost + cpu_operator_cost; }
    double visits(double nodes) const {
        return nodes * node_cost() + basis.pages * (1 - std::exp(-nodes / basis.pages)) * basis.page_cost;
    }
    // Nodes are tested in file order, page by page and without a pin; those that pass are scored.
    double sweep() const {
        return basis.pages * basis.page_in_order_cost + basis.rows * cpu_operator_cost + basis.passing * node_cost();
    }
    double up_to(double ef) const {
        double nodes = nodes_scored(basis.rows, m, ef);
        if (!filtered) return visits(nodes);
        return std::min(visits(std::min(basis.rows, nodes * std::sqrt(basis.rows / basis.passing))), sweep());
    }
};

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages) {
    index::CostBasis basis;
    if (!index::begin_estimate(root, path, {startup, total, selectivity, correlation, pages}, &basis)) return;
    Relation rel = index_open(path->indexinfo->indexoid, NoLock);
    double m = read_options(rel).m;
    index_close(rel, NoLock);

    bool filtered = index::has_filter(path);
    double ef = settings.ef_search;
    if (filtered) ef = static_cast<double>(under_filter(basis.rows, static_cast<size_t>(settings.ef_search)));
    Searches searches{basis, m, filtered};
    *startup = searches.up_to(ef);

    bool drops_rows = basis.drops_rows || basis.joins;
    double wanted = index::rows_wanted(basis);
    double further = 0;
    if (wanted > (drops_rows ? ef * kFirstShare : ef)) {
        double beam = std::max(ef, wanted * (drops_rows || filtered ? kBeamPerFilteredRow : kBeamPerRow));
        further = searches.up_to(beam) - *startup + wanted * kHandOut * basis.page_cost;
    }
    // More than a scan hands out, or all that there is: a search is no way to read a table.
    if (wanted > settings.max_scan_tuples || (!basis.limit_known && !filtered)) {
        further = basis.rows * searches.node_cost() * m + basis.pages * basis.random_page_cost;
        wanted = basis.passing;
    }
    *total = *startup + further * basis.passing / wanted + basis.passing * cpu_index_tuple_cost;
    (void)loop_count;
}

}  // namespace vext::hnsw
