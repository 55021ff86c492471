// Options, settings, and the routine that Postgres calls the access method by.
#include "ivf/ivf_am.h"

#include "index/opclass.h"

namespace vext::ivf {

Settings settings = {1, static_cast<int>(IterativeScan::strict_order), kMaxLists};

namespace {

relopt_kind option_kind;

struct OptionValues {
    int32 vl_len_;
    int lists;
    int quantization;  // codec::CodecId, 0 unless given
};

relopt_enum_elt_def kQuantizations[] = {
    {"none", static_cast<int>(codec::CodecId::none)},
    {"sq8", static_cast<int>(codec::CodecId::sq8)},
    {"rabitq", static_cast<int>(codec::CodecId::rabitq)},
    {"bits", static_cast<int>(codec::CodecId::bits)},
    {nullptr, 0},
};

bytea* parse_options(Datum options, bool validate) {
    static const relopt_parse_elt table[] = {
        {"lists", RELOPT_TYPE_INT, offsetof(OptionValues, lists)},
        {"quantization", RELOPT_TYPE_ENUM, offsetof(OptionValues, quantization)},
    };
    return static_cast<bytea*>(
        build_reloptions(options, validate, option_kind, sizeof(OptionValues), table, lengthof(table)));
}

const char* phase_name(int64 phase) {
    switch (static_cast<BuildPhase>(phase)) {
        case BuildPhase::initializing: return "initializing";
        case BuildPhase::clustering: return "performing k-means";
        case BuildPhase::assigning: return "assigning tuples";
        case BuildPhase::loading: return "loading tuples";
    }
    return nullptr;
}

}  // namespace

IvfOptions read_options(Relation index) {
    auto* values = reinterpret_cast<const OptionValues*>(index->rd_options);
    if (values == nullptr) return {kDefaultLists, 0};
    return {values->lists, values->quantization};
}

void init_access_method() {
    option_kind = add_reloption_kind();
    add_int_reloption(option_kind, "lists", "Number of inverted lists, or 0: the square root of the number of rows",
                      kDefaultLists, 0, kMaxLists, AccessExclusiveLock);
    add_enum_reloption(option_kind, "quantization", "How the index stores vectors", kQuantizations, 0,
                       "Valid values are \"none\", \"sq8\", \"rabitq\" and \"bits\".", AccessExclusiveLock);

    DefineCustomIntVariable("ivfflat.probes", "Sets the number of probes", "Valid range is 1..lists.",
                            &settings.probes, 1, 1, kMaxLists, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable("ivfflat.iterative_scan", "Sets the mode for iterative scans", nullptr,
                             &settings.iterative_scan, static_cast<int>(IterativeScan::strict_order),
                             index::kIterativeScans, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("ivfflat.max_probes", "Sets the max number of probes for iterative scans", nullptr,
                            &settings.max_probes, kMaxLists, 1, kMaxLists, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("ivfflat");
}

}  // namespace vext::ivf

// ---- what Postgres calls ----------------------------------------------------------------------------

extern "C" {

static bool vext_ivf_insert(Relation index, Datum* values, bool* is_null, ItemPointer tid, Relation,
                            IndexUniqueCheck, bool, IndexInfo*) {
    return vext::ivf::insert_row(index, values, is_null, tid);
}

static bool vext_ivf_get_tuple(IndexScanDesc scan, ScanDirection direction) {
    return vext::ivf::get_tuple(scan, direction);
}

static IndexBuildResult* vext_ivf_build(Relation heap, Relation index, IndexInfo* info) {
    return vext::ivf::build(heap, index, info);
}

static void vext_ivf_build_empty(Relation index) { vext::ivf::build_empty(index); }

static IndexScanDesc vext_ivf_begin_scan(Relation index, int keys, int order_bys) {
    return vext::ivf::begin_scan(index, keys, order_bys);
}

static void vext_ivf_rescan(IndexScanDesc scan, ScanKey keys, int n, ScanKey order_bys, int m) {
    vext::ivf::rescan(scan, keys, n, order_bys, m);
}

static void vext_ivf_end_scan(IndexScanDesc scan) { vext::ivf::end_scan(scan); }

static IndexBulkDeleteResult* vext_ivf_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                                   IndexBulkDeleteCallback is_dead, void* state) {
    return vext::ivf::bulk_delete(info, stats, is_dead, state);
}

static IndexBulkDeleteResult* vext_ivf_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    return vext::index::vacuum_cleanup(info, stats);
}

static void vext_ivf_estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                                   Selectivity* selectivity, double* correlation, double* pages) {
    vext::ivf::estimate_cost(root, path, loop_count, startup, total, selectivity, correlation, pages);
}

static bytea* vext_ivf_options(Datum options, bool check) { return vext::ivf::parse_options(options, check); }
static bool vext_ivf_validate(Oid opclass) { return vext::index::validate_opclass(opclass, "ivfflat"); }
static char* vext_ivf_phase_name(int64 phase) { return const_cast<char*>(vext::ivf::phase_name(phase)); }

PG_FUNCTION_INFO_V1(ivfflathandler);
PGDLLEXPORT Datum ivfflathandler(PG_FUNCTION_ARGS);

Datum ivfflathandler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    IndexAmRoutine* am = vext::index::make_routine();
    am->amsupport = 5;  // pgvector's number; functions 3 to 5 of its operator classes mean nothing here
    am->ambuild = vext_ivf_build;
    am->ambuildempty = vext_ivf_build_empty;
    am->aminsert = vext_ivf_insert;
    am->ambulkdelete = vext_ivf_bulk_delete;
    am->amvacuumcleanup = vext_ivf_vacuum_cleanup;
    am->amcostestimate = vext_ivf_estimate_cost;
    am->amoptions = vext_ivf_options;
    am->ambuildphasename = vext_ivf_phase_name;
    am->amvalidate = vext_ivf_validate;
    am->ambeginscan = vext_ivf_begin_scan;
    am->amrescan = vext_ivf_rescan;
    am->amgettuple = vext_ivf_get_tuple;
    am->amendscan = vext_ivf_end_scan;
    PG_RETURN_POINTER(am);
}
}
