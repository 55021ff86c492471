// The access method's handler, its options and its settings.
#include "hnsw/hnsw_am.h"

#include <climits>
#include <new>

#include "hnsw/hnsw_insert.h"
#include "index/opclass.h"
#include "pg/guards.h"

namespace vext::hnsw {

Settings settings = {40, static_cast<int>(IterativeScan::strict_order), 20000, 1.0};

namespace {

relopt_kind option_kind;

struct OptionValues {
    int32 vl_len_;
    int m;
    int ef_construction;
    int quantization;  // codec::CodecId, 0 unless given
};

relopt_enum_elt_def kQuantizations[] = {
    {"none", static_cast<int>(codec::CodecId::none)},
    {"sq8", static_cast<int>(codec::CodecId::sq8)},
    {"sq4", static_cast<int>(codec::CodecId::sq4)},
    {nullptr, 0},
};

const config_enum_entry kIterativeScans[] = {
    {"off", static_cast<int>(IterativeScan::off), false},
    {"relaxed_order", static_cast<int>(IterativeScan::relaxed_order), false},
    {"strict_order", static_cast<int>(IterativeScan::strict_order), false},
    {nullptr, 0, false},
};

bytea* parse_options(Datum options, bool validate) {
    static const relopt_parse_elt table[] = {
        {"m", RELOPT_TYPE_INT, offsetof(OptionValues, m)},
        {"ef_construction", RELOPT_TYPE_INT, offsetof(OptionValues, ef_construction)},
        {"quantization", RELOPT_TYPE_ENUM, offsetof(OptionValues, quantization)},
    };
    return static_cast<bytea*>(
        build_reloptions(options, validate, option_kind, sizeof(OptionValues), table, lengthof(table)));
}

const char* phase_name(int64 phase) {
    switch (static_cast<BuildPhase>(phase)) {
        case BuildPhase::initializing: return "initializing";
        case BuildPhase::loading: return "loading tuples";
        case BuildPhase::building: return "building graph";
        case BuildPhase::writing: return "writing pages";
    }
    return nullptr;
}

// An operator class must name functions that we know; its one operator orders by a float8.
bool validate(Oid opclass) {
    HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
    auto* form = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple));
    Oid proc = get_opfamily_proc(form->opcfamily, form->opcintype, form->opcintype, index::kDistanceProc);
    Oid op = get_opfamily_member(form->opcfamily, form->opcintype, form->opcintype, 1);
    bool ok = OidIsValid(proc) && OidIsValid(op) && get_func_rettype(proc) == FLOAT8OID &&
              get_op_rettype(op) == FLOAT8OID;
    if (!ok) {
        ereport(INFO, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                errmsg("operator class \"%s\" of access method hnsw lacks a distance function or operator of type "
                       "double precision",
                       NameStr(form->opcname)));
    }
    ReleaseSysCache(tuple);
    return ok;
}

bytea* options_callback(Datum options, bool check) { return parse_options(options, check); }

}  // namespace

HnswOptions read_options(Relation index) {
    auto* values = reinterpret_cast<const OptionValues*>(index->rd_options);
    if (values == nullptr) return {kDefaultM, kDefaultEfConstruction, 0};
    return {values->m, values->ef_construction, values->quantization};
}

namespace {

// What inserts into one index by one statement share.
struct InsertState {
    InsertState(Relation rel, MemoryContext memory) : index(open_index(rel)), inserter(index, memory), floats(memory) {}

    HnswIndex index;
    HnswInserter inserter;
    ArenaVec<float> floats;
    uint8* code;
};

InsertState* insert_state(Relation rel, IndexInfo* info) {
    if (info->ii_AmCache == nullptr) {
        MemoryContext outer = MemoryContextSwitchTo(info->ii_Context);
        auto* state = new (palloc(sizeof(InsertState))) InsertState(rel, info->ii_Context);
        state->floats.resize_uninitialized(codec::scratch_floats(*state->index.codec, state->index.dim()));
        state->code = static_cast<uint8*>(palloc(state->index.layout.code_bytes));
        info->ii_AmCache = state;
        MemoryContextSwitchTo(outer);
    }
    return static_cast<InsertState*>(info->ii_AmCache);
}

}  // namespace

// `unchanged` is a hint: a row version with the same vector is probably there.
bool insert_row(Relation rel, Datum* values, bool* is_null, ItemPointer tid, bool unchanged, IndexInfo* info) {
    if (is_null[0]) return false;
    InsertState* state = insert_state(rel, info);
    const HnswIndex& index = state->index;
    pg::ScratchContext scratch{"hnsw insert"};
    index::VectorValue value = index::value_to_index(index.codec->element, values[0], index.dim());
    memset(state->code, 0, index.layout.code_bytes);
    if (!index.codec->encode(value.elements, value.dim, state->floats.data(), state->code)) return false;
    state->inserter.insert(state->code, index::fingerprint(index.codec->element, value), tid, unchanged);
    return false;
}

void init_access_method() {
    option_kind = add_reloption_kind();
    add_int_reloption(option_kind, "m", "Max number of connections", kDefaultM, 2, static_cast<int>(kMaxM),
                      AccessExclusiveLock);
    add_int_reloption(option_kind, "ef_construction", "Size of the dynamic candidate list for construction",
                      kDefaultEfConstruction, 4, 1000, AccessExclusiveLock);
    add_enum_reloption(option_kind, "quantization", "How the index stores vectors", kQuantizations,
                       0, "Valid values are \"none\" and \"sq8\".",
                       AccessExclusiveLock);

    DefineCustomIntVariable("hnsw.ef_search", "Sets the size of the dynamic candidate list for search",
                            "Valid range is 1..65535.", &settings.ef_search, 40, 1, 65535, PGC_USERSET, 0, nullptr,
                            nullptr, nullptr);
    DefineCustomEnumVariable("hnsw.iterative_scan", "Sets the mode for iterative scans", nullptr,
                             &settings.iterative_scan, static_cast<int>(IterativeScan::strict_order), kIterativeScans,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("hnsw.max_scan_tuples", "Sets the max number of tuples to visit for iterative scans",
                            nullptr, &settings.max_scan_tuples, 20000, 1, INT_MAX, PGC_USERSET, 0, nullptr, nullptr,
                            nullptr);
    DefineCustomRealVariable("hnsw.scan_mem_multiplier",
                             "Sets the multiple of work_mem to use for iterative scans", nullptr,
                             &settings.scan_mem_multiplier, 1, 1, 1000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("hnsw");
}

}  // namespace vext::hnsw

// ---- what Postgres calls ----------------------------------------------------------------------------

extern "C" {

static bool vext_hnsw_insert(Relation index, Datum* values, bool* is_null, ItemPointer tid, Relation,
                             IndexUniqueCheck, bool unchanged, IndexInfo* info) {
    return vext::hnsw::insert_row(index, values, is_null, tid, unchanged, info);
}

static bool vext_hnsw_get_tuple(IndexScanDesc scan, ScanDirection direction) {
    return vext::hnsw::get_tuple(scan, direction);
}

static IndexBuildResult* vext_hnsw_build(Relation heap, Relation index, IndexInfo* info) {
    return vext::hnsw::build(heap, index, info);
}

static void vext_hnsw_build_empty(Relation index) { vext::hnsw::build_empty(index); }

static IndexScanDesc vext_hnsw_begin_scan(Relation index, int keys, int order_bys) {
    return vext::hnsw::begin_scan(index, keys, order_bys);
}

static void vext_hnsw_rescan(IndexScanDesc scan, ScanKey keys, int n, ScanKey order_bys, int m) {
    vext::hnsw::rescan(scan, keys, n, order_bys, m);
}

static void vext_hnsw_end_scan(IndexScanDesc scan) { vext::hnsw::end_scan(scan); }

static IndexBulkDeleteResult* vext_hnsw_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                                    IndexBulkDeleteCallback is_dead, void* state) {
    return vext::hnsw::bulk_delete(info, stats, is_dead, state);
}

static IndexBulkDeleteResult* vext_hnsw_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    return vext::hnsw::vacuum_cleanup(info, stats);
}

static void vext_hnsw_estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                                    Selectivity* selectivity, double* correlation, double* pages) {
    vext::hnsw::estimate_cost(root, path, loop_count, startup, total, selectivity, correlation, pages);
}

static bytea* vext_hnsw_options(Datum options, bool check) { return vext::hnsw::options_callback(options, check); }
static bool vext_hnsw_validate(Oid opclass) { return vext::hnsw::validate(opclass); }
static char* vext_hnsw_phase_name(int64 phase) { return const_cast<char*>(vext::hnsw::phase_name(phase)); }

PG_FUNCTION_INFO_V1(hnswhandler);
PGDLLEXPORT Datum hnswhandler(PG_FUNCTION_ARGS);

Datum hnswhandler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    IndexAmRoutine* am = makeNode(IndexAmRoutine);
    am->amsupport = vext::index::kSupportProcs;
    am->amcanorderbyop = true;
    am->amoptionalkey = true;
    am->amusemaintenanceworkmem = true;
    am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
    am->amkeytype = InvalidOid;
    am->ambuild = vext_hnsw_build;
    am->ambuildempty = vext_hnsw_build_empty;
    am->aminsert = vext_hnsw_insert;
    am->ambulkdelete = vext_hnsw_bulk_delete;
    am->amvacuumcleanup = vext_hnsw_vacuum_cleanup;
    am->amcostestimate = vext_hnsw_estimate_cost;
    am->amoptions = vext_hnsw_options;
    am->ambuildphasename = vext_hnsw_phase_name;
    am->amvalidate = vext_hnsw_validate;
    am->ambeginscan = vext_hnsw_begin_scan;
    am->amrescan = vext_hnsw_rescan;
    am->amgettuple = vext_hnsw_get_tuple;
    am->amendscan = vext_hnsw_end_scan;
    PG_RETURN_POINTER(am);
}
}
