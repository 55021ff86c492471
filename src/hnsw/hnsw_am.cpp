// The access method's handler, its options and its settings.
#include "hnsw/hnsw_am.h"

#include <climits>
#include <new>

#include "hnsw/hnsw_insert.h"
#include "index/calibration.h"
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

bytea* parse_options(Datum options, bool validate) {
    static const relopt_parse_elt table[] = {
        {"m", RELOPT_TYPE_INT, offsetof(OptionValues, m)},
        {"ef_construction", RELOPT_TYPE_INT, offsetof(OptionValues, ef_construction)},
        {"quantization", RELOPT_TYPE_ENUM, offsetof(OptionValues, quantization)},
    };
    return static_cast<bytea*>(
        build_reloptions(options, validate, option_kind, sizeof(OptionValues), table, lengthof(table)));
}

char* phase_name(int64 phase) {
    auto name = [](const char* text) { return const_cast<char*>(text); };
    switch (static_cast<BuildPhase>(phase)) {
        case BuildPhase::initializing: return name("initializing");
        case BuildPhase::loading: return name("loading tuples");
        case BuildPhase::building: return name("building graph");
        case BuildPhase::writing: return name("writing pages");
    }
    return nullptr;
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
    InsertState(Relation rel, MemoryContext memory)
        : index(open_index(rel)), inserter(index, memory), encoder(rel), floats(memory) {}

    HnswIndex index;
    HnswInserter inserter;
    index::AttributeEncoder encoder;
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
    NewRow row{*tid, index::fingerprint(index.codec->element, value), state->encoder.encode(values, is_null)};
    // What is changed by an update may be an attribute; the hint tells only of all columns together.
    bool updating = index.meta.attributes > 0 && info->ii_CheckedUnchanged;
    state->inserter.insert(state->code, row, unchanged || updating);
    return false;
}

void init_access_method() {
    option_kind = add_reloption_kind();
    add_int_reloption(option_kind, "m", "Max number of connections", kDefaultM, 2, static_cast<int>(kMaxM),
                      AccessExclusiveLock);
    add_int_reloption(option_kind, "ef_construction", "Size of the dynamic candidate list for construction",
                      kDefaultEfConstruction, kMinEfConstruction, kMaxEfConstruction, AccessExclusiveLock);
    add_enum_reloption(option_kind, "quantization", "How the index stores vectors", kQuantizations,
                       0, "Valid values are \"none\", \"sq8\" and \"sq4\".",
                       AccessExclusiveLock);

    DefineCustomIntVariable("hnsw.ef_search", "Sets the size of the dynamic candidate list for search",
                            "Valid range is 1..65535.", &settings.ef_search, 40, 1, 65535, PGC_USERSET, 0, nullptr,
                            nullptr, nullptr);
    DefineCustomBoolVariable("hnsw.adaptive_beam",
                             "Lets a search that knows its LIMIT end by the distances that it finds",
                             "Hard queries get up to twice hnsw.ef_search, easy ones less.", &settings.adaptive_beam, true,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable("hnsw.iterative_scan", "Sets the mode for iterative scans", nullptr,
                             &settings.iterative_scan, static_cast<int>(IterativeScan::strict_order), index::kIterativeScans,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("hnsw.max_scan_tuples", "Sets the max number of tuples to visit for iterative scans",
                            nullptr, &settings.max_scan_tuples, 20000, 1, INT_MAX, PGC_USERSET, 0, nullptr, nullptr,
                            nullptr);
    DefineCustomRealVariable("hnsw.scan_mem_multiplier",
                             "Sets the multiple of work_mem to use for iterative scans", nullptr,
                             &settings.scan_mem_multiplier, 1, 1, 1000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    index::define_recall_settings("hnsw", "ef_search", 1200, &settings.recall_target, &settings.calibration_samples);
    MarkGUCPrefixReserved("hnsw");
}

static bool insert_callback(Relation index, Datum* values, bool* is_null, ItemPointer tid, Relation, IndexUniqueCheck,
                            bool unchanged, IndexInfo* info) {
    return insert_row(index, values, is_null, tid, unchanged, info);
}

static bool validate_callback(Oid opclass) { return index::validate_opclass(opclass, "hnsw"); }

bool is_hnsw_index(Relation rel) { return rel->rd_indam != nullptr && rel->rd_indam->ambuild == build; }

}  // namespace vext::hnsw

extern "C" {
PG_FUNCTION_INFO_V1(hnswhandler);
PGDLLEXPORT Datum hnswhandler(PG_FUNCTION_ARGS);

Datum hnswhandler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    using namespace vext::hnsw;
    IndexAmRoutine* am = vext::index::make_routine({.build = build,
                                                                                .build_empty = build_empty,
                                                                                .insert = insert_callback,
                                                                                .bulk_delete = bulk_delete,
                                                                                .estimate_cost = estimate_cost,
                                                                                .options = options_callback,
                                                                                .phase_name = phase_name,
                                                                                .validate = validate_callback,
                                                                                .begin_scan = begin_scan,
                                                                                .rescan = rescan,
                                                                                .get_tuple = get_tuple,
                                                                                .end_scan = end_scan});
    am->amusemaintenanceworkmem = true;
    PG_RETURN_POINTER(am);
}
}
