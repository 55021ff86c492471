#include "index/scan_watch.h"

#include "index/access_method.h"

namespace vext::index {

// Found by the context that it lives in: that of the executor, in which scans begin.
struct WatchedQuery {
    struct Node {
        PlanState* scan;
        ScanUse use;              // but for rows
        const LimitState* limit;  // of just these rows; nullptr: none
        Node* next;
    };
    MemoryContext context;
    Node* nodes;
    bool stopped;
    WatchedQuery* next;
    MemoryContextCallback on_reset;
};

namespace {

WatchedQuery* queries = nullptr;

// 0: no message
int notice_level = DEBUG1;
const config_enum_entry kNoticeLevels[] = {
    {"off", 0, false}, {"debug1", DEBUG1, false}, {"log", LOG, false}, {"notice", NOTICE, false}, {"warning", WARNING, false}, {nullptr, 0, false},
};

ExecutorStart_hook_type earlier_start = nullptr;
ExecutorFinish_hook_type earlier_finish = nullptr;

WatchedQuery* find_query(MemoryContext context) {
    WatchedQuery* q = queries;
    while (q != nullptr && q->context != context) q = q->next;
    return q;
}

// Also after an ERROR: the context goes with the query.
void forget(void* arg) {
    WatchedQuery** at = &queries;
    while (*at != nullptr && *at != arg) at = &(*at)->next;
    if (*at != nullptr) *at = (*at)->next;
}

WatchedQuery* query_in(MemoryContext context) {
    WatchedQuery* q = find_query(context);
    if (q != nullptr) return q;
    q = static_cast<WatchedQuery*>(MemoryContextAllocZero(context, sizeof(WatchedQuery)));
    q->context = context;
    q->on_reset.func = forget;
    q->on_reset.arg = q;
    MemoryContextRegisterResetCallback(context, &q->on_reset);
    q->next = queries;
    queries = q;
    return q;
}

bool is_our_scan(const IndexScanState* node) {
    return node->iss_RelationDesc != nullptr && is_ours(node->iss_RelationDesc);
}

// ---- where rows are

// A row that has waited in the executor's queue comes out of it without its ctid, before PostgreSQL 15.20 and those of
// that day: FOR UPDATE would lock, and WHERE CURRENT OF change, a row at no place.
void give_place(TupleTableSlot* slot) {
    if (!TTS_IS_BUFFERTUPLE(slot) || ItemPointerIsValid(&slot->tts_tid)) return;
    HeapTuple row = reinterpret_cast<BufferHeapTupleTableSlot*>(slot)->base.tuple;
    if (row != nullptr) slot->tts_tid = row->t_self;
}

extern "C" Datum eval_with_place(ExprState* state, ExprContext* context, bool* null) {
    give_place(context->ecxt_scantuple);
    auto* condition = static_cast<ExprState*>(state->evalfunc_private);
    *null = false;
    return condition == nullptr ? BoolGetDatum(true) : ExecEvalExpr(condition, context, null);
}

// The scan's condition is what the executor looks at before it makes anything else of a row.
void restore_places(IndexScanState* scan) {
    auto* condition = static_cast<ExprState*>(MemoryContextAllocZero(scan->ss.ps.state->es_query_cxt, sizeof(ExprState)));
    condition->type = T_ExprState;
    condition->flags = EEO_FLAG_IS_QUAL;
    condition->evalfunc = eval_with_place;
    condition->evalfunc_private = scan->ss.ps.qual;
    scan->ss.ps.qual = condition;
}

// ---- before: which scans have their rows dropped

struct Above {
    const PlanState* node;
    ScanUse use;
    const LimitState* limit;
};

// The node whose rows a node passes on, if it has one; not one that computes an expression for it.
const PlanState* input_of(const PlanState* node) {
    if (node == nullptr) return nullptr;
    return IsA(node, SubqueryScanState) ? reinterpret_cast<const SubqueryScanState*>(node)->subplan : outerPlanState(node);
}

bool note_scans(PlanState* node, void* context) {
    Above above = *static_cast<Above*>(context);
    if (input_of(above.node) != node) above.limit = nullptr;
    above.node = node;
    if (node->qual != nullptr) above.use.drops_rows = true;
    switch (nodeTag(node)) {
        case T_IndexScanState: {
            auto* scan = reinterpret_cast<IndexScanState*>(node);
            if (is_our_scan(scan)) {
                WatchedQuery* q = query_in(node->state->es_query_cxt);
                auto* n = static_cast<WatchedQuery::Node*>(MemoryContextAlloc(q->context, sizeof(WatchedQuery::Node)));
                bool known = !above.use.drops_rows && !above.use.merges;
                *n = {node, above.use, known ? above.limit : nullptr, q->nodes};
                q->nodes = n;
                restore_places(scan);
            }
            break;
        }
        // what passes on every row, or asks for no more than it gives
        case T_LimitState:
            above = {node, {}, reinterpret_cast<LimitState*>(node)};
            break;
        case T_MergeAppendState:
            above.use.merges = true;
            break;
        case T_AppendState:
        case T_ResultState:
        case T_SubqueryScanState:
        case T_LockRowsState:
        case T_IncrementalSortState:
        case T_GatherState:
        case T_GatherMergeState:
            break;
        default:
            above.use.drops_rows = true;
    }
    return pg::walk_plan_states(node, note_scans, &above);
}

// The executor has made out both numbers before it asks for the first row.
uint64 rows_of(const LimitState* limit) {
    if (limit == nullptr || limit->noCount || limit->count < 0 || limit->offset < 0) return 0;
    return static_cast<uint64>(limit->count) + static_cast<uint64>(limit->offset);
}

void start(QueryDesc* query, int flags) {
    if (earlier_start != nullptr) {
        earlier_start(query, flags);
    } else {
        standard_ExecutorStart(query, flags);
    }
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || query->planstate == nullptr) return;
    Above above{};
    note_scans(query->planstate, &above);
}

// ---- after: which of them left the query with too few

// Has the executor asked for a row and got none? (What it got last is still in the slot otherwise.)
bool ran_out(PlanState* node) { return TupIsNull(reinterpret_cast<ScanState*>(node)->ss_ScanTupleSlot); }

// `first` becomes the first of them.
bool mark_unfilled(PlanState* node, void* first) {
    if (IsA(node, LimitState)) {
        LimitStateCond state = reinterpret_cast<LimitState*>(node)->lstate;
        if (state != LIMIT_SUBPLANEOF) return false;  // it got all that it asked for
    }
    WatchedScan* scan = watched_scan(node);
    if (scan != nullptr && scan->stopped_by != nullptr && ran_out(node)) {
        scan->unfilled = true;
        auto** found = static_cast<PlanState**>(first);
        if (*found == nullptr) *found = node;
    }
    return pg::walk_plan_states(node, mark_unfilled, first);
}

void tell_unfilled(PlanState* node) {
    const ScanLimit& limit = *watched_scan(node)->stopped_by;
    Relation index = reinterpret_cast<IndexScanState*>(node)->iss_RelationDesc;
    ereport(notice_level, errmsg("scan of index \"%s\" stopped before it ran out of rows", RelationGetRelationName(index)),
            errdetail("It reached the limit set by %s.", limit.setting), errhint("%s", limit.hint));
}

void finish(QueryDesc* query) {
    WatchedQuery* q = queries == nullptr || query->planstate == nullptr ? nullptr : find_query(query->estate->es_query_cxt);
    if (q != nullptr && q->stopped) {
        PlanState* first = nullptr;
        mark_unfilled(query->planstate, &first);
        if (first != nullptr && notice_level != 0) tell_unfilled(first);
    }
    if (earlier_finish != nullptr) {
        earlier_finish(query);
    } else {
        standard_ExecutorFinish(query);
    }
}

}  // namespace

WatchedScan* watched_scan(PlanState* node) {
    if (!IsA(node, IndexScanState)) return nullptr;
    auto* scan = reinterpret_cast<IndexScanState*>(node);
    if (!is_our_scan(scan) || scan->iss_ScanDesc == nullptr) return nullptr;
    return static_cast<WatchedScan*>(scan->iss_ScanDesc->opaque);
}

void watch(WatchedScan* scan) { scan->query = find_query(CurrentMemoryContext); }

void learn_use(WatchedScan* scan) {
    scan->use = {};
    if (scan->query == nullptr) return;
    for (const WatchedQuery::Node* n = scan->query->nodes; n != nullptr; n = n->next) {
        if (watched_scan(n->scan) != scan) continue;
        scan->use = n->use;
        scan->use.rows = rows_of(n->limit);
        return;
    }
}

void stopped(WatchedScan* scan, const ScanLimit& limit) {
    if (scan->stopped_by != nullptr) return;
    scan->stopped_by = &limit;
    if (scan->query != nullptr) scan->query->stopped = true;
}

void init_scan_watch() {
    DefineCustomEnumVariable("vectorext.notice_unfilled",
                             "Sets how a query tells that an index scan stopped at a limit before the query had its rows",
                             nullptr, &notice_level, DEBUG1, kNoticeLevels, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    earlier_start = ExecutorStart_hook;
    ExecutorStart_hook = start;
    earlier_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = finish;
}

}  // namespace vext::index
