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

// Whether a path asks for rows that are in no index: those without a vector.
inline bool wants_null_vectors(IndexPath* path) {
    ListCell* cell;
    foreach (cell, path->indexclauses) {
        auto* clause = static_cast<IndexClause*>(lfirst(cell));
        auto* test = reinterpret_cast<NullTest*>(clause->rinfo->clause);
        if (clause->indexcol == 0 && IsA(test, NullTest) && test->nulltesttype == IS_NULL) return true;
    }
    return false;
}

// False, with infinite costs, for a path without an order, or of rows that are not there: there is nothing that our
// indexes could do.
inline bool begin_estimate(PlannerInfo* root, IndexPath* path, const CostOutput& out, CostBasis* basis) {
    IndexOptInfo* info = path->indexinfo;
    List* quals = get_quals_from_indexclauses(path->indexclauses);
    *out.selectivity = clauselist_selectivity(root, quals, static_cast<int>(info->rel->relid), JOIN_INNER, nullptr);
    *out.correlation = 0;
    *out.pages = 0;
    if (path->indexorderbys == NIL || wants_null_vectors(path)) {
        pg::never_choose(path);
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
