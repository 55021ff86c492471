// SELECT id FROM items ORDER BY v <-> q LIMIT 10 has a column more than it shows, v <-> q, for a sort that an ordered scan
// makes superfluous. The executor computes it for each row, after a recheck has done so: of a vector out of line that is to
// fetch it once more. Where nothing stands between the scan and the end of the query, nobody reads it: it becomes NULL.
#include "index/plan_output.h"

#include "index/access_method.h"

namespace vext::index {
namespace {

planner_hook_type earlier = nullptr;

// The ordered scan of ours whose rows come out of a plan as they are.
IndexScan* find_scan(Plan* plan) {
    while (IsA(plan, LockRows) ||
           (IsA(plan, Limit) && reinterpret_cast<Limit*>(plan)->limitOption != LIMIT_OPTION_WITH_TIES)) {
        plan = outerPlan(plan);
    }
    if (!IsA(plan, IndexScan)) return nullptr;
    auto* scan = reinterpret_cast<IndexScan*>(plan);
    if (scan->indexorderbyorig == NIL) return nullptr;
    // The planner has locked it; where it plans with indexes that do not exist (hypopg) there is none.
    Relation index = try_relation_open(scan->indexid, NoLock);
    if (index == nullptr) return nullptr;
    bool ours = is_ours(index);
    relation_close(index, NoLock);
    return ours ? scan : nullptr;
}

// `top` is that of a query or a subquery: columns for its sorts end there.
void drop_unread(const Plan* top, IndexScan* scan) {
    ListCell* cell;
    foreach (cell, top->targetlist) {
        auto* column = static_cast<TargetEntry*>(lfirst(cell));
        if (!column->resjunk) continue;
        auto* computed = static_cast<TargetEntry*>(list_nth(scan->scan.plan.targetlist, column->resno - 1));
        auto* expr = reinterpret_cast<Node*>(computed->expr);
        if (IsA(expr, Var) || contain_volatile_functions(expr)) continue;  // a Var may be what LockRows needs
        computed->expr = reinterpret_cast<Expr*>(makeNullConst(exprType(expr), exprTypmod(expr), exprCollation(expr)));
    }
}

void visit(Plan* plan, bool is_top);

void visit_all(List* plans, bool are_tops) {
    ListCell* cell;
    foreach (cell, plans) visit(static_cast<Plan*>(lfirst(cell)), are_tops);
}

void visit(Plan* plan, bool is_top) {
    if (plan == nullptr) return;
    check_stack_depth();
    // The planner leaves out the scan of a subquery that only hands on, and keeps the columns of its Limit.
    if (is_top || IsA(plan, Limit)) {
        if (IndexScan* scan = find_scan(plan); scan != nullptr) drop_unread(plan, scan);
    }
    if (IsA(plan, SubqueryScan)) visit(reinterpret_cast<SubqueryScan*>(plan)->subplan, true);
    if (IsA(plan, Append)) visit_all(reinterpret_cast<Append*>(plan)->appendplans, false);
    if (IsA(plan, MergeAppend)) visit_all(reinterpret_cast<MergeAppend*>(plan)->mergeplans, false);
    visit(outerPlan(plan), false);
    visit(innerPlan(plan), false);
}

PlannedStmt* plan(Query* query, const char* text, int cursor_options, ParamListInfo parameters) {
    PlannedStmt* planned = earlier != nullptr ? earlier(query, text, cursor_options, parameters)
                                              : standard_planner(query, text, cursor_options, parameters);
    visit(planned->planTree, true);
    visit_all(planned->subplans, true);
    return planned;
}

}  // namespace

void init_plan_output() {
    earlier = planner_hook;
    planner_hook = plan;
}

}  // namespace vext::index
