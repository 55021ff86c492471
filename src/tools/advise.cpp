// vectorext_advise(table, column): which indexes fit, by a trial. A sample of the rows goes into a temporary table, each
// candidate is built there, and searched with more and more effort until it finds enough.
#include <algorithm>
#include <cmath>

#include "hnsw/hnsw_am.h"
#include "index/access_method.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_index.h"
#include "pg/guards.h"
#include "tools/recall.h"

namespace vext::tools {
namespace {

constexpr double kTarget = 0.95;  // recall at 10
constexpr int kNearest = 10;
constexpr int kQueries = 50;
constexpr int kListsByRows = 0;  // the option `lists` that is advised
constexpr int kMaxTrial = 1000000;
// Below this a sequential scan is the better answer to most.
constexpr double kScanMs = 5;

struct Question {
    Oid table;
    const char* table_name;
    const char* column;      // as SQL
    const char* type;        // vector, halfvec, sparsevec or bit
    Oid type_oid;
    int dimensions;
    bool cast;               // the column itself has no dimensions
    double rows, trial_rows;
    const char* opclass;     // as SQL, of both access methods the same name
};

struct Candidate {
    bool hnsw;
    const char* options;   // WITH (...) for all rows
    int lists;             // of the trial; 0: no lists
    const char* note;
};

struct Advice {
    Candidate what;
    Recall measured;
    int effort;              // ef_search or probes, for all rows
    double size, seconds, memory;  // expected for all rows
    const char* op;
};

// ---- the question --------------------------------------------------------------------------------------

[[noreturn]] void fail_type(const char* column, Oid type) {
    ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
            errmsg("column %s is of type %s, not of a vector type", column, format_type_be(type)));
    pg_unreachable();
}

Oid extension_schema() {
    Oid am = get_index_am_oid("hnsw", false);
    HeapTuple tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(am));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for access method %u", am);
    Oid handler = reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple))->amhandler;
    ReleaseSysCache(tuple);
    return get_func_namespace(handler);
}

// Which distance? What an index on the column has, else what embeddings are made for.
const char* choose_opclass(const Question& q, AttrNumber column) {
    Relation table = table_open(q.table, AccessShareLock);
    const char* found = nullptr;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = relation_open(lfirst_oid(cell), AccessShareLock);
        bool ours = strcmp(get_am_name(index->rd_rel->relam), "hnsw") == 0 ||
                    strcmp(get_am_name(index->rd_rel->relam), "ivfflat") == 0;
        if (found == nullptr && ours && index->rd_index->indkey.values[0] == column) {
            bool null;
            Datum classes = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indclass, &null);
            Oid opclass = reinterpret_cast<oidvector*>(DatumGetPointer(classes))->values[0];
            HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
            if (HeapTupleIsValid(tuple)) {
                found = pstrdup(NameStr(reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple))->opcname));
                ReleaseSysCache(tuple);
            }
        }
        relation_close(index, AccessShareLock);
    }
    table_close(table, AccessShareLock);
    if (found != nullptr) return found;
    return q.type_oid == BITOID ? "bit_hamming_ops" : psprintf("%s_cosine_ops", q.type);
}

void check_table(Relation table) {
    char kind = table->rd_rel->relkind;
    if (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW) return;
    ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
            errmsg("\"%s\" is not a table with rows of its own", RelationGetRelationName(table)),
            kind == RELKIND_PARTITIONED_TABLE ? errhint("Name a partition.") : 0);
}

Question read_question(Oid oid, const char* column, const char* opclass) {
    Question q{};
    Relation table = relation_open(oid, AccessShareLock);
    check_table(table);
    AttrNumber number = get_attnum(oid, column);
    if (number <= 0) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
                errmsg("column \"%s\" of relation \"%s\" does not exist", column, RelationGetRelationName(table)));
    }
    int32 typmod;
    Oid collation;
    get_atttypetypmodcoll(oid, number, &q.type_oid, &typmod, &collation);
    BlockNumber pages;
    double visible;
    estimate_rel_size(table, nullptr, &pages, &q.rows, &visible);
    relation_close(table, AccessShareLock);

    Oid schema = extension_schema();
    q.table = oid;
    q.table_name = qualified(get_rel_namespace(oid), get_rel_name(oid));
    q.column = quote_identifier(column);
    for (const char* type : {"vector", "halfvec", "sparsevec"}) {
        if (GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(type), ObjectIdGetDatum(schema)) == q.type_oid) q.type = type;
    }
    if (q.type_oid == BITOID) q.type = "bit";
    if (q.type == nullptr) fail_type(q.column, q.type_oid);
    q.dimensions = typmod;
    q.cast = typmod <= 0;
    const char* name = opclass != nullptr ? opclass : choose_opclass(q, number);
    q.opclass = qualified(schema, name);
    if (!OidIsValid(get_opclass_oid(get_index_am_oid("hnsw", false),
                                    list_make2(makeString(get_namespace_name(schema)), makeString(pstrdup(name))),
                                    true))) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("operator class \"%s\" does not exist for access method \"hnsw\"", name));
    }
    return q;
}

// ---- the trial -----------------------------------------------------------------------------------------

constexpr const char* kTrial = "pg_temp.vectorext_trial";

// What this function has changed is there for its own queries, too, which read by the active snapshot.
void change(const char* sql) {
    run_sql(sql, SPI_OK_UTILITY, false);
    CommandCounterIncrement();
    UpdateActiveSnapshotCommandId();
}

void set_dimensions(Question* q) {
    if (!q->cast) return;
    if (strcmp(q->type, "sparsevec") == 0) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"),
                errhint("ALTER TABLE %s ALTER %s TYPE sparsevec(N)", q->table_name, q->column));
    }
    const char* dims = qualified(extension_schema(), "vector_dims");
    double least = ask_number(psprintf("SELECT coalesce(min(%s(v)), 0)::float8 FROM %s", dims, kTrial));
    double most = ask_number(psprintf("SELECT coalesce(max(%s(v)), 0)::float8 FROM %s", dims, kTrial));
    if (least != most) {
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
                errmsg("rows of %s have from %.0f to %.0f dimensions", q->column, least, most),
                errhint("Index each number of dimensions by an index of its own: ((%s::%s(N))) WHERE vector_dims(%s) = N.",
                        q->column, q->type, q->column));
    }
    q->dimensions = static_cast<int>(most);
}

// False: there are no rows to try.
bool make_trial(Question* q, int wanted) {
    const char* sample = "";
    if (q->rows > 2.0 * wanted) sample = psprintf("TABLESAMPLE SYSTEM (%.6f)", std::min(100.0, 200.0 * wanted / q->rows));
    run_sql(psprintf("CREATE TEMPORARY TABLE vectorext_trial ON COMMIT DROP AS SELECT %s AS v FROM ONLY %s %s "
                     "WHERE %s IS NOT NULL ORDER BY pg_catalog.random() LIMIT %d",
                     q->column, q->table_name, sample, q->column, wanted),
            SPI_OK_UTILITY, false);
    q->trial_rows = static_cast<double>(SPI_processed);
    if (q->trial_rows == 0) return false;
    q->rows = std::max(q->rows, q->trial_rows);
    change(psprintf("ANALYZE %s", kTrial));
    set_dimensions(q);
    return true;
}

const char* with(const char* options) { return *options == 0 ? "" : psprintf(" WITH (%s)", options); }

const char* key_of(const Question& q, const char* column) {
    if (!q.cast) return column;
    const char* type = qualified(extension_schema(), q.type);
    return psprintf("(%s::%s(%d))", column, type, q.dimensions);
}

const char* index_sql(const Question& q, const Candidate& c, const char* table, const char* column, const char* options) {
    return psprintf("CREATE INDEX ON %s USING %s (%s %s)%s", table, c.hnsw ? "hnsw" : "ivfflat", key_of(q, column), q.opclass,
                    with(options));
}

// The name of the trial's only index.
Oid trial_index() {
    return static_cast<Oid>(ask_number(psprintf(
        "SELECT indexrelid::pg_catalog.int8::float8 FROM pg_catalog.pg_index WHERE indrelid = '%s'::pg_catalog.regclass",
        kTrial)));
}

// More and more effort, until enough is found. What it took.
int find_effort(const VectorIndex& index, const Candidate& c, Recall* measured) {
    int most = c.hnsw ? 1280 : c.lists;
    for (const char* target : {"hnsw.recall_target", "ivfflat.recall_target"}) set_setting(target, 0);
    for (int effort = c.hnsw ? 20 : 1;; effort *= 2) {
        effort = std::min(effort, most);
        set_setting(search_setting(c.hnsw), effort);
        pg::ScratchContext scratch{"vectorext advise"};
        *measured = measure_recall(index, kNearest, kQueries);
        if (measured->recall >= kTarget || effort == most) return effort;
    }
}

Advice try_candidate(const Question& q, const Candidate& c) {
    Advice a{};
    a.what = c;
    // The trial has lists of its own number of rows.
    const char* options = c.hnsw ? c.options : psprintf("lists = %d", c.lists);
    double begin = now_us();
    change(index_sql(q, c, kTrial, "v", options));
    double seconds = (now_us() - begin) / 1e6;
    Oid oid = trial_index();
    VectorIndex index = describe_index(oid);
    a.op = index.op;
    int effort = find_effort(index, c, &a.measured);

    double more = std::max(1.0, q.rows / q.trial_rows);
    double deeper = std::log(std::max(q.rows, 3.0)) / std::log(std::max(q.trial_rows, 3.0));
    Relation rel = relation_open(oid, AccessShareLock);
    a.size = static_cast<double>(RelationGetNumberOfBlocks(rel)) * BLCKSZ * more;
    a.memory = c.hnsw ? hnsw::build_memory(hnsw::open_index(rel), q.rows)
                      : ivf::build_memory(ivf::open_index(rel), q.rows, kListsByRows);
    relation_close(rel, AccessShareLock);
    // A search of a graph takes as many steps more as the logarithm of the rows; lists grow as the root.
    a.seconds = seconds * more * (c.hnsw ? deeper : std::sqrt(more));
    a.effort = static_cast<int>(std::ceil(effort * (c.hnsw ? deeper : std::sqrt(more))));
    change(psprintf("DROP INDEX %s", index.name));
    return a;
}

// ---- the answer ----------------------------------------------------------------------------------------

struct Row {
    const char *method, *options, *setting, *sql, *note;
    double recall, ms, size, seconds, memory;
};

void put_row(ReturnSetInfo* result, int place, const Row& r) {
    auto text = [](const char* s) { return s == nullptr ? Datum{0} : CStringGetTextDatum(s); };
    Datum values[] = {Int32GetDatum(place),
                      text(r.method),
                      text(r.options),
                      text(r.setting),
                      Float8GetDatum(rounded(r.recall, 1e3)),
                      Float8GetDatum(rounded(r.ms, 1e3)),
                      Int64GetDatum(static_cast<int64>(r.size)),
                      Float8GetDatum(rounded(r.seconds, 10)),
                      Int64GetDatum(static_cast<int64>(r.memory)),
                      text(r.sql),
                      text(r.note)};
    bool nulls[] = {false, false, r.options == nullptr, r.setting == nullptr, false, false,
                    false, false, r.memory == 0,        r.sql == nullptr,     r.note == nullptr};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Row row_of(const Question& q, const Advice& a) {
    Row r{};
    r.method = a.what.hnsw ? "hnsw" : "ivfflat";
    r.options = *a.what.options == 0 ? nullptr : a.what.options;
    r.setting = psprintf("%s = %d", search_setting(a.what.hnsw), a.effort);
    r.sql = psprintf("%s;", index_sql(q, a.what, q.table_name, q.column, a.what.options));
    r.recall = a.measured.recall;
    r.ms = a.measured.p50_ms;
    r.size = a.size;
    r.seconds = a.seconds;
    r.memory = a.memory;
    StringInfoData note;
    initStringInfo(&note);
    appendStringInfoString(&note, a.what.note);
    double buffers = static_cast<double>(NBuffers) * BLCKSZ;
    if (a.size > buffers) appendStringInfoString(&note, "; larger than shared_buffers");
    if (a.memory > maintenance_work_mem * 1024.0) {
        appendStringInfo(&note, "; SET maintenance_work_mem = '%.0f MB' before the build",
                         std::ceil(1.1 * a.memory / 1024 / 1024));
    }
    if (a.measured.recall < kTarget) appendStringInfoString(&note, "; did not reach recall 0.95 in the trial");
    r.note = note.data;
    return r;
}

// A sequential scan, which finds all.
Row scan_row(const Question& q, const char* op) {
    constexpr int kScans = 3;
    run_sql(psprintf("SELECT v FROM %s LIMIT 1", kTrial), SPI_OK_SELECT, true);
    bool null;
    Datum query = datumCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null), false, -1);
    Oid types[] = {q.type_oid};
    double best = HUGE_VAL;
    for (int i = 0; i < kScans; i++) {
        double begin = now_us();
        const char* sql = psprintf("SELECT v FROM %s ORDER BY v %s $1 LIMIT %d", kTrial, op, kNearest);
        if (SPI_execute_with_args(sql, 1, types, &query, nullptr, true, 0) != SPI_OK_SELECT) elog(ERROR, "\"%s\" failed", sql);
        best = std::min(best, (now_us() - begin) / 1000);
    }
    double ms = best * q.rows / q.trial_rows;
    return {.method = "none",
            .options = nullptr,
            .setting = nullptr,
            .sql = nullptr,
            .note = ms <= kScanMs ? "a sequential scan is fast enough here, and exact" : "a sequential scan, exact",
            .recall = 1,
            .ms = ms,
            .size = 0,
            .seconds = 0,
            .memory = 0};
}

void advise(Question q, int wanted, ReturnSetInfo* result) {
    if (!make_trial(&q, wanted)) {
        change(psprintf("DROP TABLE %s", kTrial));
        ereport(NOTICE, errmsg("there are no rows to advise on"));
        return;
    }
    bool dense = strcmp(q.type, "vector") == 0 || strcmp(q.type, "halfvec") == 0;
    constexpr int kFewDimensions = 64, kSq8Dimensions = 8000;
    int lists = static_cast<int>(std::clamp(std::sqrt(q.trial_rows), 1.0, 32768.0));
    Candidate candidates[3];
    int n = 0;
    if (q.dimensions <= kSq8Dimensions || !dense) {
        candidates[n++] = {true, "", 0, "fast and easy to keep: the first choice where memory allows"};
    }
    if (dense && q.dimensions >= kFewDimensions) {
        candidates[n++] = {true, "quantization = sq4", 0, "a smaller graph; rows are looked up for the exact order"};
    }
    if (strcmp(q.type, "sparsevec") != 0 && q.dimensions <= kSq8Dimensions) {
        candidates[n++] = {false, "lists = 0", lists, "built fastest; REINDEX when the rows have changed much"};
    }
    Advice advice[lengthof(candidates)];
    for (int i = 0; i < n; i++) advice[i] = try_candidate(q, candidates[i]);
    set_setting("enable_seqscan", "on");
    Row scan = scan_row(q, advice[0].op);

    int place = 1;
    if (scan.ms <= kScanMs) put_row(result, place++, scan);
    for (int i = 0; i < n; i++) put_row(result, place++, row_of(q, advice[i]));
    if (scan.ms > kScanMs) put_row(result, place++, scan);
    change(psprintf("DROP TABLE %s", kTrial));
}

}  // namespace
}  // namespace vext::tools

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_advise);
PGDLLEXPORT Datum vectorext_advise(PG_FUNCTION_ARGS);

Datum vectorext_advise(PG_FUNCTION_ARGS) {
    using namespace vext::tools;
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table, column and trial_rows must not be null"));
    }
    int trial = PG_GETARG_INT32(3);
    if (trial < 100 || trial > kMaxTrial) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("trial_rows must be between 100 and %d", kMaxTrial));
    }
    InitMaterializedSRF(fcinfo, 0);
    SqlSession session;
    const char* opclass = PG_ARGISNULL(2) ? nullptr : NameStr(*PG_GETARG_NAME(2));
    Question question = read_question(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), opclass);
    PushCopiedSnapshot(GetActiveSnapshot());
    advise(question, trial, reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    PopActiveSnapshot();
    session.finish();
    return static_cast<Datum>(0);
}
}
