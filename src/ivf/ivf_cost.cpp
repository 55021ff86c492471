// What a scan costs the planner. A scan never learns LIMIT: startup is the first batch, total is the drain of all
// rows in order, and the planner interpolates between them for the rows it needs.
#include <algorithm>
#include <cmath>

#include "index/order_cost.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_kmeans.h"

namespace vext::ivf {
namespace {

// Scoring a row by its 1-bit code, by its 8-bit code, or by the value, as a share of calling an operator: 5, 35 and 150
// nanoseconds of 384 dimensions, where a sequential scan needs about 300 for a row's distance.
double row_cost(int codec) {
    switch (static_cast<codec::CodecId>(codec)) {
    case codec::CodecId::none:
        return 0.5;
    case codec::CodecId::sq8:
        return 0.15;
    default:
        return 0.05;
    }
}

// With 1-bit codes: so much of the index is read row by row, and of the rest a page for each of so many candidates.
constexpr double kEntriesShare = 0.15;
constexpr double kCandidatePages = 32;

// To test a row's attributes, as a share of calling an operator; and a page of entries all of whose rows are tested, in times
// of others. By the share of rows, 1 % of 62,666 x 384, at which a bitmap scan of a btree takes as long.
constexpr double kTestCost = 0.01;
constexpr double kTestedPage = 3;
// Pages for each row beyond the first batch, which further batches score again: 5 ms for LIMIT 1,000, 69 for 10,000.
constexpr double kFirstRows = 32;
constexpr double kPagesOfRow = 4;
// Under a filter a search goes on until the nearest rows that pass hardly change: of 62,666 rows in 250 lists it goes
// through 0.38, 0.53, 0.94 and all of the lists where 50, 10, 1 and 0.1 % pass.
double share_of_lists(double passing) { return std::min(1.0, 4.1 * std::pow(std::max(passing, 1.0), -0.23)); }

// As many as are in groups are not all looked at, and most only by 1-bit codes.
double centroids_scored(double lists) { return lists < KMeansOptions{}.two_levels ? lists : lists / 8; }

}  // namespace

void estimate_cost(PlannerInfo* root, IndexPath* path, double, Cost* startup, Cost* total, Selectivity* selectivity,
                   double* correlation, double* pages) {
    index::CostBasis basis;
    if (!index::begin_estimate(root, path, {startup, total, selectivity, correlation, pages}, &basis)) return;
    Relation rel = index_open(path->indexinfo->indexoid, NoLock);
    IvfOptions options = read_options(rel);
    index_close(rel, NoLock);

    double lists = options.lists > 0 ? options.lists : std::max(1.0, std::sqrt(basis.rows));
    bool filters = index::has_filter(path);
    double passing = filters ? basis.rows * *selectivity : basis.rows;
    double share = std::min(1.0, settings.probes / lists);
    if (filters) share = std::max(share, share_of_lists(passing));
    double row = row_cost(options.codec) * cpu_operator_cost;
    double read = share * basis.pages, codes = (1 - kEntriesShare) * read * passing / basis.rows;
    auto id = static_cast<codec::CodecId>(options.codec);
    if (options.codec == 0 || id == codec::CodecId::rabitq || id == codec::CodecId::bits)
        codes = std::min(codes, kCandidatePages);
    read = kEntriesShare * read * (filters ? kTestedPage : 1) + codes;

    *startup = centroids_scored(lists) * cpu_operator_cost + share * passing * row + std::max(1.0, read) * basis.page_cost;
    if (filters) *startup += share * basis.rows * kTestCost * cpu_operator_cost;
    *total = *startup + passing * (row + 2 * cpu_index_tuple_cost);
    if (basis.limit_known) {
        double wanted = index::rows_wanted(basis);
        *total += std::max(0.0, wanted - kFirstRows) * kPagesOfRow * basis.page_cost * basis.passing / wanted;
    } else {
        *total += std::max(0.0, std::min(basis.pages, passing) - read) * basis.random_page_cost;
    }
}

}  // namespace vext::ivf
