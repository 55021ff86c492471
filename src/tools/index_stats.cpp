// vectorext_index_stats(index): what an index of either access method holds.
#include "hnsw/hnsw_am.h"
#include "index/access_method.h"
#include "ivf/ivf_am.h"
#include "tools/vector_index.h"

namespace vext::tools {
namespace {

void index_stats(Oid oid, ReturnSetInfo* result) {
    bool hnsw;
    Relation rel = open_vector_index(oid, AccessShareLock, &hnsw);
    index::check_may_inspect(rel);
    index::NameValueRows rows{result};
    if (hnsw) {
        hnsw::index_stats(rel, rows);
    } else {
        ivf::index_stats(rel, rows);
    }
    relation_close(rel, AccessShareLock);
}

}  // namespace
}  // namespace vext::tools

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_index_stats);
PGDLLEXPORT Datum vectorext_index_stats(PG_FUNCTION_ARGS);

Datum vectorext_index_stats(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    vext::tools::index_stats(PG_GETARG_OID(0), reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    return static_cast<Datum>(0);
}
}
