// A path in the order of a distance, as the planner has made it, gets the conditions that the planner does not see for one:
// - a comparison of that distance with a bound, v <-> q < 0.5, as a ball around q with the operator <<->>;
// - on further columns, IN and = ANY (before PostgreSQL 17) and bare boolean columns (before 16).
#include "index/plan_paths.h"

#include "index/access_method.h"
#include "index/opclass.h"
#include "index/order_paths.h"
#include "type/ball.h"

namespace vext::index {
namespace {

set_rel_pathlist_hook_type earlier = nullptr;

// ---- distance < bound ----------------------------------------------------------------------------------

// The operator "lies within a ball" of a column's operator family; the ball's type and that of its center.
struct Within {
    Oid op, ball, center;
};

bool find_within(const IndexOptInfo* index, Within* within) {
    CatCList* members = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(index->opfamily[0]));
    within->op = InvalidOid;
    for (int i = 0; i < members->n_members; i++) {
        auto* member = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&members->members[i]->tuple));
        if (member->amopstrategy != kWithinStrategy || member->amoppurpose != AMOP_SEARCH) continue;
        if (member->amoplefttype != index->opcintype[0]) continue;
        within->op = member->amopopr;
        within->ball = member->amoprighttype;
    }
    ReleaseSysCacheList(members);
    if (!OidIsValid(within->op)) return false;
    TupleDesc columns = lookup_rowtype_tupdesc_noerror(within->ball, -1, true);
    if (columns == nullptr) return false;
    within->center = TupleDescAttr(columns, kBallCenter - 1)->atttypid;
    ReleaseTupleDesc(columns);
    return true;
}

bool is_same_distance(const Node* node, const OpExpr* order_by) {
    if (!IsA(node, OpExpr)) return false;
    auto* op = reinterpret_cast<const OpExpr*>(node);
    if (list_length(op->args) != 2) return false;
    Node *left = static_cast<Node*>(linitial(order_by->args)), *right = static_cast<Node*>(lsecond(order_by->args));
    if (op->opno == order_by->opno && equal(linitial(op->args), left) && equal(lsecond(op->args), right)) return true;
    return op->opno == get_commutator(order_by->opno) && equal(linitial(op->args), right) &&
           equal(lsecond(op->args), left);
}

Expr* call(Oid function, Expr* left, Expr* right) {
    return reinterpret_cast<Expr*>(
        makeFuncExpr(function, FLOAT8OID, list_make2(left, right), InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
}

Expr* float8_const(double value) {
    return reinterpret_cast<Expr*>(
        makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8), Float8GetDatum(value), false, FLOAT8PASSBYVAL));
}

// Of number < bound, where the number grows with the distance, or number > bound, where it falls: the distance's bound.
// nullptr: it is none that is known now. Where the query has no direction distances are NaN, the greatest number: within
// no bound, but 1 - NaN is above any. There the bound has to be NaN, which is none.
Expr* bound_behind(PlannerInfo* root, Expr* number, const OpExpr* order_by, const Node* bound, bool falls) {
    double value = 0;
    if (!IsA(bound, Const) || reinterpret_cast<const Const*>(bound)->constisnull || exprType(bound) != FLOAT8OID) return nullptr;
    value = DatumGetFloat8(reinterpret_cast<const Const*>(bound)->constvalue);
    if (!bound_of_distance(root, number, &value)) return nullptr;
    if (!falls) return float8_const(value);
    auto* query = static_cast<Expr*>(lsecond(order_by->args));
    Expr* to_itself = make_opclause(order_by->opno, FLOAT8OID, false, query, query, InvalidOid, InvalidOid);
    Expr* known = call(F_FLOAT8PL, float8_const(value), call(F_FLOAT8MUL, float8_const(0), to_itself));
    return reinterpret_cast<Expr*>(eval_const_expressions(root, reinterpret_cast<Node*>(known)));
}

// The distance's bound in a clause distance < bound or distance <= bound, either way round, also where a constant is added
// to the distance, or multiplied; nullptr: it is none.
Expr* upper_bound(PlannerInfo* root, const Expr* clause, const OpExpr* order_by) {
    if (!IsA(clause, OpExpr)) return nullptr;
    auto* op = reinterpret_cast<const OpExpr*>(clause);
    if (list_length(op->args) != 2) return nullptr;
    auto *left = static_cast<Expr*>(linitial(op->args)), *right = static_cast<Expr*>(lsecond(op->args));
    DistanceIn in = distance_in(root, right);
    bool commuted = is_same_distance(reinterpret_cast<Node*>(in.distance), order_by);
    if (!commuted) in = distance_in(root, left);
    if (!is_same_distance(reinterpret_cast<Node*>(in.distance), order_by)) return nullptr;

    Oid floats = lookup_type_cache(FLOAT8OID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
    int strategy = get_op_opfamily_strategy(op->opno, floats);
    bool is_upper = commuted != in.falls ? strategy == BTGreaterStrategyNumber || strategy == BTGreaterEqualStrategyNumber
                                         : strategy == BTLessStrategyNumber || strategy == BTLessEqualStrategyNumber;
    Expr *number = commuted ? right : left, *expression = commuted ? left : right;
    Node* bound = reinterpret_cast<Node*>(expression);
    if (!is_upper || !bms_is_empty(pull_varnos(root, bound)) || contain_volatile_functions(bound)) return nullptr;
    if (in.distance != number) return bound_behind(root, number, order_by, bound, in.falls);
    if (exprType(bound) == FLOAT8OID) return expression;
    if (exprType(bound) != FLOAT4OID) return nullptr;
    return reinterpret_cast<Expr*>(
        makeFuncExpr(F_FLOAT8_FLOAT4, FLOAT8OID, list_make1(bound), InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST));
}

// v <<->> ROW(q, bound). What it adds to the clause it comes from, which stays as a filter, is where to stop.
Expr* within_ball(const Within& within, const OpExpr* order_by, Expr* bound) {
    auto* center = static_cast<Expr*>(lsecond(order_by->args));
    if (exprType(reinterpret_cast<Node*>(center)) != within.center) {
        center = reinterpret_cast<Expr*>(makeRelabelType(center, within.center, -1, InvalidOid, COERCE_IMPLICIT_CAST));
    }
    RowExpr* ball = makeNode(RowExpr);
    ball->args = list_make2(center, bound);
    ball->row_typeid = within.ball;
    ball->row_format = COERCE_IMPLICIT_CAST;
    ball->location = -1;
    Expr* clause = make_opclause(within.op, BOOLOID, false, static_cast<Expr*>(linitial(order_by->args)),
                                 reinterpret_cast<Expr*>(ball), InvalidOid, InvalidOid);
    set_opfuncid(reinterpret_cast<OpExpr*>(clause));
    return clause;
}

IndexClause* index_clause(PlannerInfo* root, RestrictInfo* from, Expr* clause, int column, bool lossy) {
    IndexClause* result = makeNode(IndexClause);
    result->rinfo = from;
    bool same = clause == from->clause;
    result->indexquals = list_make1(same ? from : make_simple_restrictinfo(root, clause));
    result->lossy = lossy;
    result->indexcol = static_cast<AttrNumber>(column);
    result->indexcols = NIL;
    return result;
}

// No regard for security levels here: the ball is not evaluated on rows that a policy hides. It ends the scan, by codes;
// and were it evaluated, on rows of an indexed column it cannot fail.
List* add_ranges(PlannerInfo* root, const IndexPath* path, List* clauses) {
    auto* order_by = static_cast<OpExpr*>(linitial(path->indexorderbys));
    Within within{};
    if (!IsA(order_by, OpExpr) || list_length(order_by->args) != 2) return clauses;
    bool looked_up = false;
    ListCell* cell;
    foreach (cell, path->indexinfo->indrestrictinfo) {
        auto* rinfo = static_cast<RestrictInfo*>(lfirst(cell));
        if (rinfo->pseudoconstant) continue;
        Expr* bound = upper_bound(root, rinfo->clause, order_by);
        if (bound == nullptr) continue;
        if (!looked_up && !find_within(path->indexinfo, &within)) return clauses;
        looked_up = true;
        clauses = lcons(index_clause(root, rinfo, within_ball(within, order_by, bound), 0, true), clauses);
    }
    return clauses;
}

// ---- conditions on further columns -----------------------------------------------------------------------

bool has_clause(const List* clauses, const RestrictInfo* rinfo) {
    ListCell* cell;
    foreach (cell, clauses) {
        if (static_cast<IndexClause*>(lfirst(cell))->rinfo == rinfo) return true;
    }
    return false;
}

bool is_any_of_column(PlannerInfo* root, const Expr* clause, int column, IndexOptInfo* index) {
    if (!IsA(clause, ScalarArrayOpExpr)) return false;
    auto* any = reinterpret_cast<const ScalarArrayOpExpr*>(clause);
    auto *left = static_cast<Node*>(linitial(any->args)), *array = static_cast<Node*>(lsecond(any->args));
    Oid collation = index->indexcollations[column];
    return any->useOr && match_index_to_operand(left, column, index) &&
           op_in_opfamily(any->opno, index->opfamily[column]) &&
           (!OidIsValid(collation) || collation == any->inputcollid) && bms_is_empty(pull_varnos(root, array)) &&
           !contain_volatile_functions(array);
}

// column, NOT column, column IS TRUE, column IS FALSE; as column = value.
Expr* as_equality(Expr* clause, int column, IndexOptInfo* index) {
    if (!op_in_opfamily(BooleanEqualOperator, index->opfamily[column])) return nullptr;
    Node* operand = reinterpret_cast<Node*>(clause);
    bool value = true;
    if (is_notclause(operand)) {
        operand = reinterpret_cast<Node*>(get_notclausearg(operand));
        value = false;
    } else if (IsA(operand, BooleanTest)) {
        auto* test = reinterpret_cast<BooleanTest*>(operand);
        if (test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE) return nullptr;
        operand = reinterpret_cast<Node*>(test->arg);
        value = test->booltesttype == IS_TRUE;
    }
    if (!match_index_to_operand(operand, column, index)) return nullptr;
    Expr* equality = make_opclause(BooleanEqualOperator, BOOLOID, false, reinterpret_cast<Expr*>(operand),
                                   reinterpret_cast<Expr*>(makeBoolConst(value, false)), InvalidOid, InvalidOid);
    set_opfuncid(reinterpret_cast<OpExpr*>(equality));
    return equality;
}

// Index clauses ascend by column.
List* insert_clause(List* clauses, IndexClause* clause) {
    int at = 0;
    while (at < list_length(clauses) && static_cast<IndexClause*>(list_nth(clauses, at))->indexcol <= clause->indexcol) at++;
    return list_insert_nth(clauses, at, clause);
}

List* add_conditions(PlannerInfo* root, const IndexPath* path, List* clauses) {
    IndexOptInfo* index = path->indexinfo;
    ListCell* cell;
    foreach (cell, index->indrestrictinfo) {
        auto* rinfo = static_cast<RestrictInfo*>(lfirst(cell));
        if (rinfo->pseudoconstant || has_clause(clauses, rinfo)) continue;
        if (!restriction_is_securely_promotable(rinfo, index->rel)) continue;
        for (int column = 1; column < index->nkeycolumns; column++) {
            bool any = is_any_of_column(root, rinfo->clause, column, index);
            Expr* clause = any ? rinfo->clause : as_equality(rinfo->clause, column, index);
            if (clause == nullptr) continue;
            clauses = insert_clause(clauses, index_clause(root, rinfo, clause, column, false));
            break;
        }
    }
    return clauses;
}

// ---- the hook --------------------------------------------------------------------------------------------

void add_paths(PlannerInfo* root, RelOptInfo* rel, Index rti, RangeTblEntry* rte) {
    if (earlier != nullptr) earlier(root, rel, rti, rte);
    add_order_paths(root, rel, rte);
    List* added = NIL;
    ListCell* cell;
    foreach (cell, rel->pathlist) {
        auto* path = static_cast<IndexPath*>(lfirst(cell));
        if (!IsA(path, IndexPath) || path->indexorderbys == NIL || !is_ours(path->indexinfo)) continue;
        List* clauses = add_ranges(root, path, list_copy(path->indexclauses));
        int with_ranges = list_length(clauses);
        clauses = add_conditions(root, path, clauses);
        if (list_length(clauses) == list_length(path->indexclauses)) continue;
        // What an index can test it does test: under a filter of its own a search is made for it, and finds more.
        if (list_length(clauses) > with_ranges) rel->pathlist = foreach_delete_current(rel->pathlist, cell);
        added = lappend(added, create_index_path(root, path->indexinfo, clauses, path->indexorderbys,
                                                 path->indexorderbycols, path->path.pathkeys, path->indexscandir, false,
                                                 PATH_REQ_OUTER(&path->path), 1.0, false));
    }
    foreach (cell, added) add_path(rel, static_cast<Path*>(lfirst(cell)));
}

}  // namespace

void init_plan_paths() {
    earlier = set_rel_pathlist_hook;
    set_rel_pathlist_hook = add_paths;
}

}  // namespace vext::index
