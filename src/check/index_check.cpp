// vectorext_index_check(regclass, bool): whether an index is what it should be, as rows; vectorext_index_assert(regclass,
// bool): the same as an error. docs/reliability.md tells what is looked at.
#include <new>

#include "check/check_findings.h"
#include "check/check_hnsw.h"
#include "check/check_ivf.h"
#include "check/check_pages.h"
#include "check/check_rows.h"
#include "hnsw/hnsw_am.h"
#include "index/access_method.h"
#include "ivf/ivf_am.h"

namespace vext::check {
namespace {

// Table and index, locked against vacuum and changes of their definition. Scans, inserts, updates and deletes go on. A
// standby has no such lock, but replay can be paused.
struct Locked {
    Relation heap, index;
    LOCKMODE mode;
};

// Functions of an index expression run, so this is not for everyone who may read the table.
void require_owner(Oid heap) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(heap));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", heap);
    Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    if (!has_privs_of_role(GetUserId(), owner)) aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(heap));
}

Locked lock_index(Oid oid) {
    char kind = get_rel_relkind(oid);
    Oid heap = kind == RELKIND_INDEX ? IndexGetRelation(oid, true) : InvalidOid;
    if (!OidIsValid(heap)) {
        const char* name = get_rel_name(oid);
        index::report_no_index(name != nullptr ? name : psprintf("%u", oid), kind == RELKIND_PARTITIONED_INDEX);
    }
    require_owner(heap);
    LOCKMODE mode = ShareUpdateExclusiveLock;
    if (RecoveryInProgress()) {
        mode = AccessShareLock;
        if (GetRecoveryPauseState() != RECOVERY_PAUSED) {
            ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot check an index while a standby replays changes of it"),
                    errhint("Call pg_wal_replay_pause() before, and pg_wal_replay_resume() after."));
        }
    }
    // The table first, as everybody does.
    Locked locked{table_open(heap, mode), nullptr, mode};
    locked.index = relation_open(oid, mode);
    const char* name = RelationGetRelationName(locked.index);
    if (!hnsw::is_hnsw_index(locked.index) && !ivf::is_ivf_index(locked.index)) {
        index::report_no_index(name, false);
    }
    if (IndexGetRelation(oid, true) != heap) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("index \"%s\" has just been dropped", name));
    }
    if (RELATION_IS_OTHER_TEMP(locked.index)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot access temporary tables of other sessions"));
    }
    if (!locked.index->rd_index->indisvalid) {
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("index \"%s\" is not complete", name), errhint("DROP or REINDEX it."));
    }
    return locked;
}

template <typename Check>
void run(Check& check, const Locked& locked, Snapshot snapshot, bool all_indexed, Findings& findings,
         MemoryContext context) {
    check.run();
    RowCheck rows{locked.heap, locked.index, snapshot, all_indexed, findings, check, context};
    rows.run();
}

void check_locked(const Locked& locked, bool all_indexed, Findings& findings, MemoryContext context) {
    if (RelationGetNumberOfBlocks(locked.index) == 0) {
        findings.add(Severity::error, format::kHnswMetaBlock, -1, "the index has no metapage");
        return;
    }
    auto* pages = new (palloc(sizeof(Pages))) Pages(locked.index, findings, context);
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const char* problem;
    if (hnsw::is_hnsw_index(locked.index)) {
        auto* index = new (palloc(sizeof(hnsw::HnswIndex))) hnsw::HnswIndex();
        problem = hnsw::try_open_index(locked.index, index);
        if (problem == nullptr) {
            auto* check = new (palloc(sizeof(HnswCheck))) HnswCheck(*index, *pages, context);
            run(*check, locked, snapshot, all_indexed, findings, context);
        }
    } else {
        auto* index = new (palloc(sizeof(ivf::IvfIndex))) ivf::IvfIndex();
        problem = ivf::try_open_index(locked.index, index);
        if (problem == nullptr) {
            auto* check = new (palloc(sizeof(IvfCheck))) IvfCheck(*index, *pages, all_indexed, context);
            run(*check, locked, snapshot, all_indexed, findings, context);
        }
    }
    UnregisterSnapshot(snapshot);
    if (problem != nullptr) findings.add(Severity::error, format::kHnswMetaBlock, -1, "%s", problem);
}

}  // namespace

void check_index(Oid oid, bool all_indexed, Findings& findings) {
    Locked locked = lock_index(oid);
    {
        pg::ScratchContext scratch{"vectorext index check"};
        // Functions of expressions and predicates run as the table's owner, who has written them.
        Oid user;
        int security;
        GetUserIdAndSecContext(&user, &security);
        SetUserIdAndSecContext(locked.heap->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
        int nest_level = NewGUCNestLevel();
        pg::restrict_search_path();
        check_locked(locked, all_indexed, findings, scratch.context());
        AtEOXact_GUC(false, nest_level);
        SetUserIdAndSecContext(user, security);
    }
    findings.finish();
    relation_close(locked.index, locked.mode);
    table_close(locked.heap, locked.mode);
}

}  // namespace vext::check

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_index_check);
PG_FUNCTION_INFO_V1(vectorext_index_assert);
PGDLLEXPORT Datum vectorext_index_check(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum vectorext_index_assert(PG_FUNCTION_ARGS);

Datum vectorext_index_check(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    vext::check::Findings findings{reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)};
    vext::check::check_index(PG_GETARG_OID(0), PG_GETARG_BOOL(1), findings);
    return static_cast<Datum>(0);
}

Datum vectorext_index_assert(PG_FUNCTION_ARGS) {
    using vext::check::Severity;
    vext::check::Findings findings{nullptr};
    vext::check::check_index(PG_GETARG_OID(0), PG_GETARG_BOOL(1), findings);
    uint64 errors = findings.count(Severity::error);
    if (errors > 0) {
        const char* name = get_rel_name(PG_GETARG_OID(0));
        ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
                errmsg("index \"%s\" is corrupted: " UINT64_FORMAT " errors", name == nullptr ? "" : name, errors),
                errdetail_internal("The first one: %s", findings.first_error()),
                errhint("vectorext_index_check() lists them. REINDEX the index."));
    }
    PG_RETURN_VOID();
}
}
