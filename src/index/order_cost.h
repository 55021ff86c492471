// What an index scan in the order of a distance costs the planner: what access methods have in common.
#pragma once

#include <algorithm>

#include "pg/postgres.h"

namespace vext::index {

// Pages of an index that is in use are mostly cached, whatever random_page_cost says of the disk.
inline constexpr double kCachedPageShare = 0.25;

struct CostBasis {
    double rows;
    // A sequential scan is not charged for the vectors that it fetches from TOAST; nor is this one, for vectors that
    // lie in the index: it is as good as small as the table.
    double pages;
    double random_page_cost;  // of a page read from disk
    double page_cost;         // of a page of an index in use
};

struct CostOutput {
    Cost* startup;
    Cost* total;
    Selectivity* selectivity;
    double* correlation;
    double* pages;
};

// False, with infinite costs, for a path without an order: there is nothing that our indexes could do.
inline bool begin_estimate(IndexPath* path, const CostOutput& out, CostBasis* basis) {
    IndexOptInfo* info = path->indexinfo;
    *out.selectivity = 1;
    *out.correlation = 0;
    *out.pages = 0;
    if (path->indexorderbys == NIL) {
        *out.startup = *out.total = get_float8_infinity();
        return false;
    }
    get_tablespace_page_costs(info->reltablespace, &basis->random_page_cost, nullptr);
    basis->page_cost = basis->random_page_cost * kCachedPageShare;
    basis->rows = std::max(info->tuples, 1.0);
    double index_pages = std::max<double>(info->pages, 1);
    basis->pages = std::min(index_pages, std::max<double>(info->rel->pages, 1));
    *out.pages = index_pages;
    return true;
}

}  // namespace vext::index
