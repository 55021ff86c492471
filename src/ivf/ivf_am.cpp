// Options, settings, and the routine that Postgres calls the access method by.
#include "ivf/ivf_am.h"

#include "index/calibration.h"
#include "index/opclass.h"

namespace vext::ivf {

Settings settings = {1, static_cast<int>(IterativeScan::strict_order), kMaxLists, 0, 0};

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

char* phase_name(int64 phase) {
    auto name = [](const char* text) { return const_cast<char*>(text); };
    switch (static_cast<BuildPhase>(phase)) {
    case BuildPhase::initializing:
        return name("initializing");
    case BuildPhase::clustering:
        return name("performing k-means");
    case BuildPhase::assigning:
        return name("assigning tuples");
    case BuildPhase::loading:
        return name("loading tuples");
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

    DefineCustomIntVariable("ivfflat.probes", "Sets the number of probes", "Valid range is 1..lists.", &settings.probes,
                            1, 1, kMaxLists, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable("ivfflat.iterative_scan", "Sets the mode for iterative scans", nullptr,
                             &settings.iterative_scan, static_cast<int>(IterativeScan::strict_order),
                             index::kIterativeScans, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("ivfflat.max_probes", "Sets the max number of probes for iterative scans", nullptr,
                            &settings.max_probes, kMaxLists, 1, kMaxLists, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    index::define_recall_settings("ivfflat", "probes", 1500, &settings.recall_target, &settings.calibration_samples);
    MarkGUCPrefixReserved("ivfflat");
}

static bool insert_callback(Relation index, Datum* values, bool* is_null, ItemPointer tid, Relation, IndexUniqueCheck,
                            bool, IndexInfo*) {
    return insert_row(index, values, is_null, tid);
}

static bool validate_callback(Oid opclass) { return index::validate_opclass(opclass, "ivfflat"); }

bool is_ivf_index(Relation rel) { return rel->rd_indam != nullptr && rel->rd_indam->ambuild == build; }

}  // namespace vext::ivf

extern "C" {
PG_FUNCTION_INFO_V1(ivfflathandler);
PGDLLEXPORT Datum ivfflathandler(PG_FUNCTION_ARGS);

Datum ivfflathandler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    using namespace vext::ivf;
    PG_RETURN_POINTER(vext::index::make_routine({.build = build,
                                                                    .build_empty = build_empty,
                                                                    .insert = insert_callback,
                                                                    .bulk_delete = bulk_delete,
                                                                    .estimate_cost = estimate_cost,
                                                                    .options = parse_options,
                                                                    .phase_name = phase_name,
                                                                    .validate = validate_callback,
                                                                    .begin_scan = begin_scan,
                                                                    .rescan = rescan,
                                                                    .get_tuple = get_tuple,
                                                                    .end_scan = end_scan}));
}
}
