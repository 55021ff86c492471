#include "index/access_method.h"

#include <algorithm>

#include "index/opclass.h"

namespace vext::index {

const config_enum_entry kIterativeScans[] = {
    {"off", static_cast<int>(IterativeScan::off), false},
    {"relaxed_order", static_cast<int>(IterativeScan::relaxed_order), false},
    {"strict_order", static_cast<int>(IterativeScan::strict_order), false},
    {nullptr, 0, false},
};

namespace {

// Of the access methods whose routine was asked for.
constexpr int kMaxMethods = 2;
amcostestimate_function estimates[kMaxMethods];

void remember(amcostestimate_function estimate) {
    for (amcostestimate_function& known : estimates) {
        if (known == nullptr) known = estimate;
        if (known == estimate) return;
    }
    elog(ERROR, "too many access methods");
}

}  // namespace

bool is_ours(Relation index) {
    return index->rd_indam != nullptr && index->rd_indam->amvacuumcleanup == vacuum_cleanup;
}

bool is_ours(const IndexOptInfo* index) {
    auto estimate = reinterpret_cast<amcostestimate_function>(index->amcostestimate);
    return std::find(std::begin(estimates), std::end(estimates), estimate) != std::end(estimates);
}

IndexAmRoutine* make_routine(const Methods& methods) {
    remember(methods.estimate_cost);
    IndexAmRoutine* am = makeNode(IndexAmRoutine);
    am->amsupport = kSupportProcs;
    am->amcanorderbyop = true;
    pg::set_parallel_build(am);
    am->amoptionalkey = true;
    am->amcanmulticol = am->amsearcharray = am->amsearchnulls = true;  // attributes.h
    am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
    am->amkeytype = InvalidOid;
    am->ambuild = methods.build;
    am->ambuildempty = methods.build_empty;
    am->aminsert = methods.insert;
    am->ambulkdelete = methods.bulk_delete;
    am->amvacuumcleanup = vacuum_cleanup;
    am->amcostestimate = methods.estimate_cost;
    am->amoptions = methods.options;
    am->ambuildphasename = methods.phase_name;
    am->amvalidate = methods.validate;
    am->ambeginscan = methods.begin_scan;
    am->amrescan = methods.rescan;
    am->amgettuple = methods.get_tuple;
    am->amendscan = methods.end_scan;
    return am;
}

void set_build_phase(int phase, int64 total) {
    const int what[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {phase, total, 0};
    pgstat_progress_update_multi_param(3, what, values);
}

void set_build_progress(int64 done) { pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done); }

uint32 column_dimensions(Relation index) {
    int dimensions = TupleDescAttr(index->rd_att, 0)->atttypmod;
    if (dimensions < 0) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"));
    }
    return static_cast<uint32>(dimensions);
}

const codec::Codec* choose_codec(codec::CodecId id, codec::Element element, codec::Metric metric) {
    const codec::Codec* codec = codec::find(id, element, metric);
    if (codec == nullptr) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("quantization \"%s\" is not supported for this operator class", codec::codec_name(id)));
    }
    return codec;
}

void report_too_wide(uint32 limit, const char* access_method, const char* smaller) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("column cannot have more than %u dimensions for %s index", limit, access_method),
            smaller == nullptr ? 0 : errhint("quantization = '%s' takes less room.", smaller));
    pg_unreachable();
}

void report_not_valid(Relation index, const char* access_method, const char* problem) {
    ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("%s index \"%s\" is not valid", access_method, RelationGetRelationName(index)),
            errdetail_internal("%s", problem), errhint("REINDEX the index."));
    pg_unreachable();
}

void warn_not_valid(Relation index, const char* access_method, const char* problem) {
    ereport(WARNING, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("%s index \"%s\" is not valid", access_method, RelationGetRelationName(index)),
            errdetail_internal("%s", problem), errhint("REINDEX the index."));
}

void report_no_index(const char* name, bool partitioned) {
    if (partitioned) {
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is a partitioned index", name),
                errhint("Name the index of a partition."));
    }
    ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not an index of vectorext", name));
    pg_unreachable();
}

void check_may_inspect(Relation index) {
    Oid table = IndexGetRelation(RelationGetRelid(index), false);
    bool owner = has_privs_of_role(GetUserId(), index->rd_rel->relowner);
    if (!owner && pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK) {
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
    }
    if (RELATION_IS_OTHER_TEMP(index)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot access temporary tables of other sessions"));
    }
}

IndexBulkDeleteResult* start_bulk_delete(IndexBulkDeleteResult* stats) {
    if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    stats->num_index_tuples = 0;
    return stats;
}

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    if (info->analyze_only) return stats;
    if (stats == nullptr) {
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}

}  // namespace vext::index
