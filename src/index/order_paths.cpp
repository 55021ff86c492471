// The planner matches an index with the whole of ORDER BY (before PostgreSQL 17), and with a distance as it stands. So it
// is asked once more, for the distance alone, and what it finds is said to have the order of the query's first part.
#include "index/order_paths.h"

#include <cfloat>
#include <cmath>

#include "index/access_method.h"

namespace vext::index {
namespace {

// ---- arithmetic

bool is_constant(PlannerInfo* root, Node* node) {
    return bms_is_empty(pull_varnos(root, node)) && !contain_volatile_functions(node);
}

// A step of the arithmetic: number = constant * operand, + constant, ...
struct Step {
    Oid function;
    Expr* operand;       // which leads on to the distance; nullptr: nothing does
    Node* constant;      // the other one, if there is any
    bool constant_left;
    bool falls;          // the number falls as the operand grows
};

// What number to compute with, finite; of a factor not 0.
bool known_value(const Node* node, double* value) {
    if (!IsA(node, Const)) return false;
    auto* constant = reinterpret_cast<const Const*>(node);
    if (constant->constisnull || constant->consttype != FLOAT8OID) return false;
    *value = DatumGetFloat8(constant->constvalue);
    return std::isfinite(*value);
}

Step next_step(PlannerInfo* root, const Expr* number) {
    Step step{};
    if (!IsA(number, OpExpr)) return step;
    auto* op = reinterpret_cast<const OpExpr*>(number);
    step.function = get_opcode(op->opno);
    auto* left = static_cast<Node*>(linitial(op->args));
    if (step.function == F_FLOAT8UM) {
        step.operand = reinterpret_cast<Expr*>(left);
        step.falls = true;
        return step;
    }
    if (step.function != F_FLOAT8PL && step.function != F_FLOAT8MI && step.function != F_FLOAT8MUL && step.function != F_FLOAT8DIV) return step;
    auto* right = static_cast<Node*>(lsecond(op->args));
    step.constant_left = !is_constant(root, right);
    step.constant = step.constant_left ? left : right;
    if (!is_constant(root, step.constant)) return step;
    bool sums = step.function == F_FLOAT8PL || step.function == F_FLOAT8MI;
    double factor = 1;
    if (!sums && (!known_value(step.constant, &factor) || factor == 0)) return step;
    if (step.function == F_FLOAT8DIV && step.constant_left) return step;
    step.falls = factor < 0 || (step.function == F_FLOAT8MI && step.constant_left);
    step.operand = reinterpret_cast<Expr*>(step.constant_left ? right : left);
    return step;
}

// ---- rows that an index does not have

bool is_not_null_column(const RangeTblEntry* rte, AttrNumber column) {
    HeapTuple row = SearchSysCache2(ATTNUM, ObjectIdGetDatum(rte->relid), Int16GetDatum(column));
    if (!HeapTupleIsValid(row)) return false;
    bool not_null = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row))->attnotnull;
    ReleaseSysCache(row);
    return not_null;
}

// Whether a condition that holds for a row says that the column is not NULL there.
bool rejects_null(const RestrictInfo* rinfo, const Var* column) {
    Node* clause = reinterpret_cast<Node*>(rinfo->clause);
    if (IsA(clause, NullTest)) {
        auto* test = reinterpret_cast<NullTest*>(clause);
        return test->nulltesttype == IS_NOT_NULL && equal(test->arg, column);
    }
    return IsA(clause, OpExpr) && !contain_nonstrict_functions(clause) && list_member(pull_var_clause(clause, PVC_RECURSE_PLACEHOLDERS), column);
}

// An order that begins with NULLs would begin with rows that are not in the index, if there are such.
bool is_never_null(const RelOptInfo* rel, const RangeTblEntry* rte, const OpExpr* distance) {
    if (contain_nonstrict_functions(reinterpret_cast<Node*>(const_cast<OpExpr*>(distance)))) return false;
    ListCell* cell;
    foreach (cell, pull_var_clause(reinterpret_cast<Node*>(const_cast<OpExpr*>(distance)), PVC_RECURSE_PLACEHOLDERS)) {
        auto* column = static_cast<Var*>(lfirst(cell));
        if (!IsA(column, Var)) return false;
        if (column->varno != static_cast<int>(rel->relid) || is_not_null_column(rte, column->varattno)) continue;
        bool rejected = false;
        ListCell* at;
        foreach (at, rel->baserestrictinfo) {
            if (rejects_null(static_cast<RestrictInfo*>(lfirst(at)), column)) rejected = true;
        }
        if (!rejected) return false;
    }
    return true;
}

// ---- orders

List* indexes_of_ours(const RelOptInfo* rel) {
    List* ours = NIL;
    ListCell* cell;
    foreach (cell, rel->indexlist) {
        if (is_ours(static_cast<IndexOptInfo*>(lfirst(cell)))) ours = lappend(ours, lfirst(cell));
    }
    return ours;
}

// The order by the distance alone. Of the planner's own it has only what the search for paths looks at.
PathKey* order_by_distance(const RelOptInfo* rel, const PathKey* order, OpExpr* distance) {
    EquivalenceMember* member = makeNode(EquivalenceMember);
    member->em_expr = reinterpret_cast<Expr*>(distance);
    member->em_relids = rel->relids;
    member->em_datatype = FLOAT8OID;
    EquivalenceClass* members = makeNode(EquivalenceClass);
    members->ec_opfamilies = order->pk_eclass->ec_opfamilies;
    members->ec_members = list_make1(member);
    members->ec_relids = rel->relids;
    PathKey* key = makeNode(PathKey);
    key->pk_eclass = members;
    key->pk_opfamily = order->pk_opfamily;
    pg::set_ascending(key);
    return key;
}

// The paths in the order of `key` over our indexes, which are as good for the order `served`.
void add_paths_of(PlannerInfo* root, RelOptInfo* rel, List* ours, PathKey* key, PathKey* served) {
    List *orders = root->query_pathkeys, *indexes = rel->indexlist;
    root->query_pathkeys = list_make1(key);
    rel->indexlist = ours;
    create_index_paths(root, rel);
    root->query_pathkeys = orders;
    rel->indexlist = indexes;
    ListCell* cell;
    foreach (cell, rel->pathlist) {
        auto* path = static_cast<Path*>(lfirst(cell));
        if (path->pathkeys != NIL && linitial(path->pathkeys) == key) path->pathkeys = list_make1(served);
    }
}

}  // namespace

DistanceIn distance_in(PlannerInfo* root, Expr* number) {
    DistanceIn found{number, false};
    for (Step step = next_step(root, number); step.operand != nullptr; step = next_step(root, found.distance)) {
        found.distance = step.operand;
        if (step.falls) found.falls = !found.falls;
    }
    return found;
}

bool bound_of_distance(PlannerInfo* root, Expr* number, double* bound) {
    double off = 0;  // by rounding, on the way there and back
    for (Step step = next_step(root, number); step.operand != nullptr; step = next_step(root, step.operand)) {
        double constant = 0, outer = *bound, scale = 1;
        if (step.constant != nullptr && !known_value(step.constant, &constant)) return false;
        switch (step.function) {
            case F_FLOAT8UM: *bound = -outer; break;
            case F_FLOAT8PL: *bound = outer - constant; break;
            case F_FLOAT8MI: *bound = step.constant_left ? constant - outer : outer + constant; break;
            case F_FLOAT8MUL: scale = 1 / constant, *bound = outer / constant; break;
            default: scale = constant, *bound = outer * constant; break;
        }
        scale = std::fabs(scale);
        off = off * scale + 4 * DBL_EPSILON * (std::fabs(outer) * scale + std::fabs(*bound)) + DBL_MIN;
    }
    *bound += off;
    return std::isfinite(*bound);
}

void add_order_paths(PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* rte) {
    List* ours = root->query_pathkeys == NIL || rte->rtekind != RTE_RELATION ? NIL : indexes_of_ours(rel);
    if (ours == NIL) return;
    auto* order = static_cast<PathKey*>(linitial(root->query_pathkeys));
    if (order->pk_opfamily != lookup_type_cache(FLOAT8OID, TYPECACHE_BTREE_OPFAMILY)->btree_opf) return;
    Expr* number = pg::member_of(order->pk_eclass, rel);
    if (number == nullptr || order->pk_eclass->ec_has_volatile) return;
    DistanceIn found = distance_in(root, number);
    // As it stands the planner sees it, unless more follows.
    if (found.distance == number && (list_length(root->query_pathkeys) == 1 || pg::kSeesFirstOrder)) return;
    if (!IsA(found.distance, OpExpr) || pg::is_descending(order) != found.falls) return;
    auto* distance = reinterpret_cast<OpExpr*>(found.distance);
    if (order->pk_nulls_first && !is_never_null(rel, rte, distance)) return;
    add_paths_of(root, rel, ours, order_by_distance(rel, order, distance), order);
}

}  // namespace vext::index
