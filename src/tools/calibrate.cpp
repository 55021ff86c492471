// vectorext_calibrate(index): measures anew how wide searches must be for a recall; gives what it found.
#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_calibrate.h"
#include "index/calibration.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_calibrate.h"
#include "tools/vector_index.h"

namespace vext::tools {
namespace {

void report(const format::Calibration& c, const char* setting, ReturnSetInfo* result) {
    for (uint32 i = 0; c.samples > 0 && i < std::min<uint32>(c.steps, format::kCalibrationSteps); i++) {
        Datum values[] = {CStringGetTextDatum(setting), Int32GetDatum(static_cast<int32>(c.step[i].width)),
                          Float8GetDatum(c.step[i].recall)};
        bool nulls[] = {false, false, false};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
}

// ShareUpdateExclusiveLock: neither a vacuum nor another calibration meanwhile.
void calibrate(Oid oid, ReturnSetInfo* result) {
    bool hnsw;
    Relation rel = open_vector_index(oid, ShareUpdateExclusiveLock, &hnsw);
    if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner)) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(rel));
    }
    if (RELATION_IS_OTHER_TEMP(rel)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot access temporary tables of other sessions"));
    }
    if (hnsw) {
        hnsw::calibrate(hnsw::open_index(rel));
        report(hnsw::open_index(rel).meta.calibration, "hnsw.ef_search", result);
    } else {
        ivf::IvfIndex index = ivf::open_index(rel);
        ivf::calibrate(index, ivf::count_changes(index));
        report(ivf::open_index(rel).meta.calibration, "ivfflat.probes", result);
    }
    relation_close(rel, NoLock);
}

}  // namespace
}  // namespace vext::tools

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_calibrate);
PGDLLEXPORT Datum vectorext_calibrate(PG_FUNCTION_ARGS);

Datum vectorext_calibrate(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    vext::tools::calibrate(PG_GETARG_OID(0), reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    return static_cast<Datum>(0);
}
}
