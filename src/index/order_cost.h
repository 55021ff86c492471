// What an index scan in the order of a distance costs the planner: what access methods have in common.
#pragma once

#include <algorithm>

#include "pg/postgres.h"

namespace vext::index {

// Pages of an index that is in use are mostly cached, whatever random_page_cost says of the disk.
inline constexpr double kCachedPageShare = 0.25;

struct CostBasis {
    double rows;
    // How many rows of the index the query is expected to take; the planner interpolates between startup and total for
    // them. Without a LIMIT known, all.
    double wanted;
    bool limit_known;
    bool joins;       // there is a LIMIT, of a join: it wants so many rows, at the least
    double passing;   // rows of the index that its conditions let through
    bool drops_rows;  // by conditions that the index does not check
    // A sequential scan is not charged for the vectors that it fetches from TOAST; nor is this one, for vectors that
    // lie in the index: it is as good as small as the table.
    double pages;
    double random_page_cost;    // of a page read from disk
    double page_cost;           // of a page of an index in use
    double page_in_order_cost;  // of one of many that are read one after the other
};

// How many rows a join takes of a scan, nothing says; it is charged for each as if for one of so many.
inline constexpr double kRowsOfJoin = 1000;

inline double rows_wanted(const CostBasis& basis) {
    return basis.joins ? std::min(basis.passing, std::max(basis.wanted, kRowsOfJoin)) : basis.wanted;
}

struct CostOutput {
    Cost* startup;
    Cost* total;
    Selectivity* selectivity;
    double* correlation;
    double* pages;
};

// Vectors within a ball can be found without an order.
inline bool has_range(const IndexPath* path) {
    if (path->indexclauses == NIL) return false;
    auto* first = static_cast<IndexClause*>(linitial(path->indexclauses));
    return first->indexcol == 0 && IsA(static_cast<RestrictInfo*>(linitial(first->indexquals))->clause, OpExpr);
}

// Whether a path has conditions on attributes.
inline bool has_filter(const IndexPath* path) {
    ListCell* cell;
    foreach (cell, path->indexclauses) {
        if (static_cast<IndexClause*>(lfirst(cell))->indexcol > 0) return true;
    }
    return false;
}

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

// False, with infinite costs, for a path with neither order nor range, or of rows that are not there: there is nothing that our
// indexes could do.
inline bool begin_estimate(PlannerInfo* root, IndexPath* path, const CostOutput& out, CostBasis* basis) {
    IndexOptInfo* info = path->indexinfo;
    List* quals = get_quals_from_indexclauses(path->indexclauses);
    *out.selectivity = clauselist_selectivity(root, quals, static_cast<int>(info->rel->relid), JOIN_INNER, nullptr);
    *out.correlation = 0;
    *out.pages = 0;
    if ((path->indexorderbys == NIL && !has_range(path)) || wants_null_vectors(path)) {
        pg::never_choose(path);
        *out.startup = *out.total = get_float8_infinity();
        return false;
    }
    double seq_page_cost;
    get_tablespace_page_costs(info->reltablespace, &basis->random_page_cost, &seq_page_cost);
    basis->page_cost = basis->random_page_cost * kCachedPageShare;
    basis->page_in_order_cost = seq_page_cost * kCachedPageShare;
    basis->rows = std::max(info->tuples, 1.0);
    double passing = basis->passing = std::max(basis->rows * *out.selectivity, 1.0), rows = std::max(path->path.parent->rows, 1.0);
    bool alone = bms_membership(root->all_baserels) == BMS_SINGLETON;
    bool limited = root->limit_tuples > 0 && path->indexorderbys != NIL;
    basis->wanted = limited ? passing * std::min(1.0, root->limit_tuples / rows) : passing;
    basis->limit_known = limited || has_range(path);
    basis->joins = limited && !alone;
    basis->drops_rows = rows < 0.99 * passing || has_range(path);
    double index_pages = std::max<double>(info->pages, 1);
    basis->pages = std::min(index_pages, std::max<double>(info->rel->pages, 1));
    *out.pages = index_pages;
    return true;
}

}  // namespace vext::index
