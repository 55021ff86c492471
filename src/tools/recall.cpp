// vectorext_recall(index, k, samples): rows of the table are the queries; what the index finds is compared with what
// one pass over the table finds. All of it as the caller: rows that a policy hides from him are neither asked for nor
// missed.
#include "tools/recall.h"

#include <algorithm>
#include <cmath>

#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::tools {
namespace {

struct Query {
    Datum vector;
    ItemPointerData tid;   // of the row that it is: not an answer to itself
    ArenaVec<double> best; // a heap of the least distances, k at most
    ArenaVec<double> found;
    double ms;
};

// ---- that the index is used --------------------------------------------------------------------------

// While set, the planner knows no other index of this table.
struct OnlyIndex {
    Oid table, index;
};
OnlyIndex only;
get_relation_info_hook_type next_relation_info_hook;
bool hooked;

void hide_other_indexes(PlannerInfo* root, Oid table, bool inherits, RelOptInfo* rel) {
    if (next_relation_info_hook != nullptr) next_relation_info_hook(root, table, inherits, rel);
    if (table != only.table) return;
    ListCell* cell;
    foreach (cell, rel->indexlist) {
        if (static_cast<IndexOptInfo*>(lfirst(cell))->indexoid != only.index) {
            rel->indexlist = foreach_delete_current(rel->indexlist, cell);
        }
    }
}

void show_all(void*) { only = {InvalidOid, InvalidOid}; }

// Until the session's end, which deletes its memory; after an ERROR abort does.
void show_only(const VectorIndex& index) {
    if (!hooked) {
        next_relation_info_hook = get_relation_info_hook;
        get_relation_info_hook = hide_other_indexes;
        hooked = true;
    }
    auto* callback = static_cast<MemoryContextCallback*>(palloc0(sizeof(MemoryContextCallback)));
    callback->func = show_all;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    only = {index.table, index.oid};
}

bool uses_index(const Plan* plan, Oid index) {
    if (plan == nullptr) return false;
    if (IsA(plan, IndexScan)) return reinterpret_cast<const IndexScan*>(plan)->indexid == index;
    if (IsA(plan, SubqueryScan)) return uses_index(reinterpret_cast<const SubqueryScan*>(plan)->subplan, index);
    return uses_index(plan->lefttree, index);
}

// The search, planned once.
SPIPlanPtr plan_search(const VectorIndex& v, int limit) {
    const char* sql = psprintf("SELECT ctid, %s %s $1 FROM ONLY %s WHERE %s ORDER BY %s %s $1 LIMIT %d", v.value, v.op,
                               v.table_name, v.where, v.value, v.op, limit);
    Oid types[] = {v.type};
    SPIPlanPtr plan = SPI_prepare_cursor(sql, 1, types, CURSOR_OPT_GENERIC_PLAN);
    if (plan == nullptr) elog(ERROR, "\"%s\" failed: %s", sql, SPI_result_code_string(SPI_result));
    CachedPlan* cached = SPI_plan_get_cached_plan(plan);
    bool used = false;
    if (cached != nullptr) {
        used = uses_index(linitial_node(PlannedStmt, cached->stmt_list)->planTree, v.oid);
        ReleaseCachedPlan(cached, nullptr);  // of a plan that is not saved
    }
    if (!used) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("the planner does not search through index %s", v.name),
                errhint("See that enable_indexscan is on."));
    }
    return plan;
}

// ---- queries -------------------------------------------------------------------------------------------

// Of a large table: from pages at random, of which there are enough for many times as many rows as are wanted.
constexpr double kSampleSpread = 20;
constexpr double kSmallTable = 20000;

Datum datum_of(HeapTuple row, TupleDesc shape, int column) {
    bool null;
    return SPI_getbinval(row, shape, column, &null);
}

bool take_queries(const VectorIndex& v, const char* sample, int wanted, FmgrInfo* distance, ArenaVec<Query>& queries) {
    MemoryContext context = CurrentMemoryContext;
    run_sql(psprintf("SELECT ctid, %s FROM ONLY %s %s WHERE %s IS NOT NULL AND %s ORDER BY pg_catalog.random() LIMIT %d",
                     v.value, v.table_name, sample, v.value, v.where, wanted),
            SPI_OK_SELECT, true);
    SPITupleTable* rows = SPI_tuptable;
    queries.clear();
    for (uint64 i = 0; i < SPI_processed; i++) {
        Datum value = datum_of(rows->vals[i], rows->tupdesc, 2);
        Query q{PointerGetDatum(PG_DETOAST_DATUM_COPY(value)),
                *reinterpret_cast<ItemPointer>(DatumGetPointer(datum_of(rows->vals[i], rows->tupdesc, 1))),
                ArenaVec<double>{context}, ArenaVec<double>{context}, 0};
        // To a zero vector nothing has a cosine.
        if (std::isnan(DatumGetFloat8(FunctionCall2Coll(distance, v.collation, q.vector, q.vector)))) continue;
        queries.push_back(q);
    }
    SPI_freetuptable(rows);
    return queries.size() == static_cast<size_t>(wanted);
}

void choose_queries(const VectorIndex& v, int wanted, FmgrInfo* distance, ArenaVec<Query>& queries) {
    double rows = ask_number(psprintf("SELECT reltuples::float8 FROM pg_catalog.pg_class WHERE oid = %u", v.table));
    if (rows > std::max(kSmallTable, kSampleSpread * wanted)) {
        double percent = std::min(100.0, 100 * std::max(kSmallTable, kSampleSpread * wanted) / rows);
        if (take_queries(v, psprintf("TABLESAMPLE SYSTEM (%.6f)", percent), wanted, distance, queries)) return;
    }
    take_queries(v, "", wanted, distance, queries);
}

// ---- searches and truth --------------------------------------------------------------------------------

void search(const VectorIndex& v, int k, ArenaVec<Query>& queries) {
    SPIPlanPtr plan = plan_search(v, k + 1);  // one more: the row itself is not counted
    for (Query& q : queries.span()) {
        CHECK_FOR_INTERRUPTS();
        double begin = now_us();
        int did = SPI_execute_plan(plan, &q.vector, nullptr, true, 0);
        q.ms = (now_us() - begin) / 1000;
        if (did != SPI_OK_SELECT) elog(ERROR, "a search failed: %s", SPI_result_code_string(did));
        for (uint64 i = 0; i < SPI_processed; i++) {
            HeapTuple row = SPI_tuptable->vals[i];
            Datum tid = datum_of(row, SPI_tuptable->tupdesc, 1);
            if (ItemPointerEquals(reinterpret_cast<ItemPointer>(DatumGetPointer(tid)), &q.tid)) continue;
            if (q.found.size() < static_cast<size_t>(k)) {
                q.found.push_back(DatumGetFloat8(datum_of(row, SPI_tuptable->tupdesc, 2)));
            }
        }
        SPI_freetuptable(SPI_tuptable);
    }
}

void weigh(Query& q, int k, double distance) {
    if (std::isnan(distance)) return;
    if (q.best.size() == static_cast<size_t>(k)) {
        if (distance >= q.best[0]) return;
        std::pop_heap(q.best.begin(), q.best.end());
        q.best.pop_back();
    }
    q.best.push_back(distance);
    std::push_heap(q.best.begin(), q.best.end());
}

// One pass over the table for all queries.
int64 find_truth(const VectorIndex& v, int k, FmgrInfo* distance, ArenaVec<Query>& queries) {
    constexpr long kFetch = 1000;
    int64 rows = 0;
    const char* sql = psprintf("SELECT ctid, %s FROM ONLY %s WHERE %s IS NOT NULL AND %s", v.value, v.table_name,
                               v.value, v.where);
    Portal cursor = SPI_cursor_open_with_args(nullptr, sql, 0, nullptr, nullptr, nullptr, true, 0);
    for (;;) {
        SPI_cursor_fetch(cursor, true, kFetch);
        if (SPI_processed == 0) break;
        pg::ScratchContext scratch{"vectorext truth"};
        for (uint64 i = 0; i < SPI_processed; i++) {
            HeapTuple row = SPI_tuptable->vals[i];
            Datum value = PointerGetDatum(PG_DETOAST_DATUM(datum_of(row, SPI_tuptable->tupdesc, 2)));
            auto* tid = reinterpret_cast<ItemPointer>(DatumGetPointer(datum_of(row, SPI_tuptable->tupdesc, 1)));
            CHECK_FOR_INTERRUPTS();
            for (Query& q : queries.span()) {
                if (ItemPointerEquals(tid, &q.tid)) continue;
                weigh(q, k, DatumGetFloat8(FunctionCall2Coll(distance, v.collation, value, q.vector)));
            }
        }
        rows += static_cast<int64>(SPI_processed);
        SPI_freetuptable(SPI_tuptable);
    }
    SPI_cursor_close(cursor);
    return rows;
}

// Wilson's interval for so many yes and no. A query is not found or missed as a whole, which varies less: the true
// interval is not wider.
void set_interval(Recall* r) {
    constexpr double kZ = 1.96;
    double n = r->queries, z2 = kZ * kZ;
    double middle = (r->recall + z2 / (2 * n)) / (1 + z2 / n);
    double half = kZ / (1 + z2 / n) * std::sqrt(r->recall * (1 - r->recall) / n + z2 / (4 * n * n));
    r->low = std::max(0.0, middle - half);
    r->high = std::min(1.0, middle + half);
}

// The value that a share of all, in ascending order, do not exceed.
double quantile(const ArenaVec<double>& sorted, double share) {
    auto at = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::max<size_t>(at, 1) - 1];
}

void sum_up(ArenaVec<Query>& queries, Recall* r) {
    ArenaVec<double> ms{CurrentMemoryContext};
    double hits = 0, possible = 0;
    for (Query& q : queries.span()) {
        // Rows that are as far as the farthest of the truth are as right.
        for (double d : q.found.span()) hits += !q.best.empty() && d <= q.best[0];
        possible += static_cast<double>(q.best.size());
        ms.push_back(q.ms);
    }
    std::sort(ms.begin(), ms.end());
    r->queries = static_cast<int>(queries.size());
    r->recall = possible == 0 ? 1 : std::min(1.0, hits / possible);
    r->p50_ms = quantile(ms, 0.5);
    r->p99_ms = quantile(ms, 0.99);
    set_interval(r);
}

void check_argument(const char* name, int value, int most) {
    if (value >= 1 && value <= most) return;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be between 1 and %d", name, most));
}

}  // namespace

Recall measure_recall(const VectorIndex& v, int k, int samples) {
    pg::check_may_execute(v.op_function);
    FmgrInfo distance;
    fmgr_info(v.op_function, &distance);
    show_only(v);
    ArenaVec<Query> queries{CurrentMemoryContext};
    choose_queries(v, samples, &distance, queries);
    Recall r{};
    if (queries.empty()) return r;
    set_setting("enable_seqscan", "off");
    search(v, k, queries);
    r.rows = find_truth(v, k, &distance, queries);
    sum_up(queries, &r);
    return r;
}

}  // namespace vext::tools

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_recall);
PGDLLEXPORT Datum vectorext_recall(PG_FUNCTION_ARGS);

Datum vectorext_recall(PG_FUNCTION_ARGS) {
    using namespace vext::tools;
    int k = PG_GETARG_INT32(1), samples = PG_GETARG_INT32(2);
    check_argument("k", k, kMaxNearest);
    check_argument("samples", samples, kMaxSamples);
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    SqlSession session;
    VectorIndex index = describe_index(PG_GETARG_OID(0));
    Recall r = measure_recall(index, k, samples);
    bool none = r.queries == 0;
    Datum values[] = {Float8GetDatum(rounded(r.recall, 1e4)), Float8GetDatum(rounded(r.low, 1e4)),
                      Float8GetDatum(rounded(r.high, 1e4)),   Float8GetDatum(rounded(r.p50_ms, 1e3)),
                      Float8GetDatum(rounded(r.p99_ms, 1e3)), CStringGetTextDatum(search_setting(index.hnsw)),
                      Int32GetDatum(search_value(index)), Int32GetDatum(r.queries),
                      Int64GetDatum(r.rows)};
    bool nulls[] = {none, none, none, none, none, false, false, false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    session.finish();
    return static_cast<Datum>(0);
}
}
