#include "tools/vector_index.h"

#include <cmath>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_calibrate.h"
#include "index/access_method.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_calibrate.h"

namespace vext::tools {
namespace {

const char* text_of(Datum value) { return TextDatumGetCString(value); }

// A relation as SQL names it.
const char* relation_name(Oid oid) { return qualified(get_rel_namespace(oid), get_rel_name(oid)); }

// The operator of an ordered search on the first column.
Oid ordering_operator(Relation index) {
    Oid type = index->rd_opcintype[0];
    return get_opfamily_member(index->rd_opfamily[0], type, type, 1);
}

const char* operator_name(Oid op) {
    HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(op));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator %u", op);
    auto* form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
    const char* name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
                                NameStr(form->oprname));
    ReleaseSysCache(tuple);
    return name;
}

const char* predicate_of(Oid index, Oid table) {
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for index %u", index);
    bool none;
    Datum predicate = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indpred, &none);
    const char* sql = "true";
    if (!none) sql = text_of(DirectFunctionCall2(pg_get_expr, predicate, ObjectIdGetDatum(table)));
    ReleaseSysCache(tuple);
    return psprintf("(%s)", sql);
}

}  // namespace

const char* qualified(Oid schema, const char* name) {
    return quote_qualified_identifier(get_namespace_name(schema), name);
}

Relation open_vector_index(Oid oid, LOCKMODE mode, bool* hnsw) {
    Relation rel = relation_open(oid, mode);
    bool partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_INDEX;
    *hnsw = hnsw::is_hnsw_index(rel);
    if (partitioned || (!*hnsw && !ivf::is_ivf_index(rel))) {
        index::report_no_index(RelationGetRelationName(rel), partitioned);
    }
    return rel;
}

VectorIndex describe_index(Oid oid) {
    bool hnsw;
    Relation rel = open_vector_index(oid, AccessShareLock, &hnsw);
    index::check_may_inspect(rel);
    if (!rel->rd_index->indisvalid) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("index \"%s\" is not valid", RelationGetRelationName(rel)),
                errhint("REINDEX the index."));
    }
    Oid op = ordering_operator(rel);
    VectorIndex v{};
    v.oid = oid;
    v.table = rel->rd_index->indrelid;
    v.hnsw = hnsw;
    v.name = relation_name(oid);
    v.table_name = relation_name(v.table);
    Datum key = DirectFunctionCall3(pg_get_indexdef_ext, ObjectIdGetDatum(oid), Int32GetDatum(1), BoolGetDatum(false));
    v.value = psprintf("(%s)", text_of(key));
    v.type = rel->rd_opcintype[0];
    v.op_function = get_opcode(op);
    v.collation = rel->rd_indcollation[0];
    v.op = operator_name(op);
    v.where = predicate_of(oid, v.table);
    relation_close(rel, AccessShareLock);
    return v;
}

int search_value(const VectorIndex& v) {
    Relation rel = index_open(v.oid, AccessShareLock);
    size_t chosen = 0;
    if (v.hnsw && hnsw::settings.recall_target > 0) {
        chosen = hnsw::ef_for(hnsw::open_index(rel), hnsw::settings.recall_target);
    } else if (!v.hnsw && ivf::settings.recall_target > 0) {
        chosen = ivf::probes_for(ivf::open_index(rel), ivf::settings.recall_target);
    }
    index_close(rel, AccessShareLock);
    if (chosen > 0) return static_cast<int>(chosen);
    return v.hnsw ? hnsw::settings.ef_search : ivf::settings.probes;
}

// ---- SQL -------------------------------------------------------------------------------------------

SqlSession::SqlSession() {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    settings_ = NewGUCNestLevel();
}

void SqlSession::finish() {
    AtEOXact_GUC(true, settings_);
    SPI_finish();
}

void set_setting(const char* name, const char* value) {
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void set_setting(const char* name, int value) { set_setting(name, psprintf("%d", value)); }

void run_sql(const char* sql, int expected, bool read_only) {
    int did = SPI_execute(sql, read_only, 0);
    if (did != expected) elog(ERROR, "\"%s\" failed: %s", sql, SPI_result_code_string(did));
}

double ask_number(const char* sql) {
    run_sql(sql, SPI_OK_SELECT, true);
    bool null = true;
    Datum value = 0;
    if (SPI_processed == 1) value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    if (null) elog(ERROR, "\"%s\" has no value", sql);
    double number = DatumGetFloat8(value);
    SPI_freetuptable(SPI_tuptable);
    return number;
}

double now_us() {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    return INSTR_TIME_GET_DOUBLE(now) * 1e6;
}

}  // namespace vext::tools
