// The library's entry: settings and kernel selection.
#include "hnsw/hnsw_am.h"
#include "index/plan_output.h"
#include "index/plan_paths.h"
#include "index/scan_counts.h"
#include "index/scan_explain.h"
#include "index/scan_watch.h"
#include "ivf/ivf_am.h"
#include "pg/postgres.h"
#include "simd/kernels.h"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace {

using vext::simd::Level;

int simd_level = static_cast<int>(Level::automatic);

const config_enum_entry kSimdLevels[] = {
    {"auto", static_cast<int>(Level::automatic), false},
    {"scalar", static_cast<int>(Level::scalar), true},
    {"baseline", static_cast<int>(Level::baseline), false},
    {"avx2", static_cast<int>(Level::avx2), false},
    {"avx512", static_cast<int>(Level::avx512), false},
    {"vnni", static_cast<int>(Level::vnni), false},
    {nullptr, 0, false},
};

extern "C" bool check_simd(int* value, void**, GucSource) {
    if (vext::simd::table_for(static_cast<Level>(*value)) != nullptr) return true;
    GUC_check_errdetail("This machine or this build does not have the instruction set.");
    return false;
}

extern "C" void assign_simd(int value, void*) { vext::simd::select(static_cast<Level>(value)); }

// Has some library defined the setting? What a user has set before that is only a placeholder.
bool is_defined(const char* setting) {
    return GetConfigOption(setting, true, false) != nullptr &&
           (GetConfigOptionFlags(setting, true) & GUC_CUSTOM_PLACEHOLDER) == 0;
}

}  // namespace

void _PG_init(void) {
    // Two libraries that define the same settings cannot live in one session: say so before the server does.
    if (is_defined("hnsw.ef_search") || is_defined("ivfflat.probes")) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("vectorext cannot be loaded beside pgvector"),
                errdetail("This session has loaded pgvector's library, which defines the same settings."),
                errhint("Use databases of their own for the two, and a new session."));
    }
    vext::simd::select(Level::automatic);
    DefineCustomEnumVariable("vectorext.simd", "Sets the instruction set of the distance kernels",
                             "For tests; \"auto\" is the best that the machine has.", &simd_level,
                             static_cast<int>(Level::automatic), kSimdLevels, PGC_SUSET, 0, check_simd, assign_simd,
                             nullptr);
    vext::hnsw::init_access_method();
    vext::ivf::init_access_method();
    vext::index::init_plan_paths();
    vext::index::init_plan_output();
    vext::index::init_scan_watch();
    vext::index::init_scan_explain();
    if (process_shared_preload_libraries_in_progress) vext::index::init_shared_counts();
    MarkGUCPrefixReserved("vectorext");
}
