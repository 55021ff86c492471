// Version differences of the server, and nothing else: the only file that tests PG_VERSION_NUM (besides
// the include list in pg/postgres.h). Each function here has the newest server's shape.
#pragma once

#if PG_VERSION_NUM < 150000
#error vectorext needs PostgreSQL 15 or later
#endif

namespace vext::pg {

#if PG_VERSION_NUM >= 160000
using FileLocator = RelFileLocator;
inline FileLocator file_locator(Relation rel) { return rel->rd_locator; }
#else
using FileLocator = RelFileNode;
inline FileLocator file_locator(Relation rel) { return rel->rd_node; }
#endif

// A new block at the end of a fork, exclusively locked.
inline Buffer extend_fork(Relation rel, ForkNumber fork) {
#if PG_VERSION_NUM >= 160000
    return ExtendBufferedRel(BMR_REL(rel), fork, nullptr, EB_LOCK_FIRST);
#else
    // Also where the relation is of this transaction: parallel workers may be building it with us.
    LockRelationForExtension(rel, ExclusiveLock);
    Buffer buffer = ReadBufferExtended(rel, fork, P_NEW, RBM_NORMAL, nullptr);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    UnlockRelationForExtension(rel, ExclusiveLock);
    return buffer;
#endif
}

inline Buffer extend_relation(Relation rel) { return extend_fork(rel, MAIN_FORKNUM); }

// Makes a fork so many blocks long; those that are new read as zeros.
inline void extend_fork_to(Relation rel, ForkNumber fork, BlockNumber blocks) {
    BlockNumber present = RelationGetNumberOfBlocksInFork(rel, fork);
    if (blocks <= present) return;
#if PG_VERSION_NUM >= 160000
    smgrzeroextend(RelationGetSmgr(rel), fork, present, static_cast<int>(blocks - present), false);
#else
    // The file system fills the hole, as it does for the buckets of a hash index.
    PGAlignedBlock zeros{};
    smgrextend(RelationGetSmgr(rel), fork, blocks - 1, zeros.data, false);
#endif
}

// Whether somebody holds a lock for himself. The server keeps the holders in the low bits of one word (25 of them before 18,
// 19 since), those who share it in as many as MAX_BACKENDS needs, and its flags in the highest.
inline bool is_locked_exclusively(LWLock* lock) {
    constexpr uint32 kHolders = (uint32{1} << 25) - 1;
    return (pg_atomic_read_u32(&lock->state) & kHolders) > MAX_BACKENDS;
}

// What a buffer is for; without its lock that may change at any moment.
inline bool is_of(const BufferDesc* buffer, const FileLocator& file, BlockNumber block) {
#if PG_VERSION_NUM >= 160000
    bool of_file = BufTagMatchesRelFileLocator(&buffer->tag, &file);
#else
    bool of_file = RelFileNodeEquals(buffer->tag.rnode, file);
#endif
    return of_file && buffer->tag.forkNum == MAIN_FORKNUM && buffer->tag.blockNum == block;
}

// How many parallel workers the planner grants to the build of an index; newer servers ask it before they call the
// access method, if that says that it can use them.
inline int planned_build_workers(Relation heap, Relation index, const IndexInfo* info) {
#if PG_VERSION_NUM >= 170000
    (void)heap, (void)index;
    return info->ii_ParallelWorkers;
#else
    (void)info;
    return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
#endif
}

inline void set_parallel_build(IndexAmRoutine* am) {
#if PG_VERSION_NUM >= 170000
    am->amcanbuildparallel = true;
#else
    (void)am;
#endif
}

inline void read_exact(BufFile* file, void* to, size_t bytes) {
#if PG_VERSION_NUM >= 160000
    BufFileReadExact(file, to, bytes);
#else
    if (BufFileRead(file, to, bytes) != bytes) elog(ERROR, "could not read from a temporary file");
#endif
}

// Calls walker(child, context) for the nodes below a node, until one gives true.
inline bool walk_plan_states(PlanState* node, bool (*walker)(PlanState*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
    return planstate_tree_walker_impl(node, walker, context);
#else
    auto any = reinterpret_cast<void (*)()>(walker);  // compilers warn of other casts between functions
    return planstate_tree_walker(node, reinterpret_cast<bool (*)()>(any), context);
#endif
}

// A path of infinite cost: newer servers count first what is switched off, and would rather take it than a sequential
// scan that is.
inline void never_choose(IndexPath* path) {
#if PG_VERSION_NUM >= 180000
    path->path.disabled_nodes = 2;
#else
    (void)path;
#endif
}

// Whether the planner looks for an index by the first part of an ORDER BY, and sorts by the rest.
#if PG_VERSION_NUM >= 170000
inline constexpr bool kSeesFirstOrder = true;
#else
inline constexpr bool kSeesFirstOrder = false;
#endif

inline bool is_descending(const PathKey* order) {
#if PG_VERSION_NUM >= 180000
    return order->pk_cmptype == COMPARE_GT;
#else
    return order->pk_strategy == BTGreaterStrategyNumber;
#endif
}

inline void set_ascending(PathKey* order) {
#if PG_VERSION_NUM >= 180000
    order->pk_cmptype = COMPARE_LT;
#else
    order->pk_strategy = BTLessStrategyNumber;
#endif
}

// The expression of a class of equal ones that is of one relation, which may be a partition; nullptr: none.
inline Expr* member_of(EquivalenceClass* members, const RelOptInfo* rel) {
    EquivalenceMember* member;
#if PG_VERSION_NUM >= 180000
    EquivalenceMemberIterator each;
    setup_eclass_member_iterator(&each, members, rel->relids);
    while ((member = eclass_member_iterator_next(&each)) != nullptr) {
#else
    ListCell* cell;
    foreach (cell, members->ec_members) {
        member = static_cast<EquivalenceMember*>(lfirst(cell));
#endif
        if (!member->em_is_const && bms_equal(member->em_relids, rel->relids)) return member->em_expr;
    }
    return nullptr;
}

// Around functions of indexes, as the server's own maintenance does it.
inline void restrict_search_path() {
#if PG_VERSION_NUM >= 170000
    RestrictSearchPath();
#endif
}

// ERROR unless the caller may call the function.
inline void check_may_execute(Oid function) {
#if PG_VERSION_NUM >= 160000
    AclResult right = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
    AclResult right = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif
    if (right != ACLCHECK_OK) aclcheck_error(right, OBJECT_FUNCTION, get_func_name(function));
}

// An index is searched.
inline void count_index_scan(IndexScanDesc scan) {
    pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
    if (scan->instrument != nullptr) scan->instrument->nsearches++;
#endif
}

// From now on EXPLAIN calls describe(node, es) for each node of a plan, where the server can.
inline void explain_nodes(void (*describe)(PlanState*, ExplainState*)) {
#if PG_VERSION_NUM >= 180000
    static explain_per_node_hook_type earlier;
    static void (*added)(PlanState*, ExplainState*);
    earlier = explain_per_node_hook;
    added = describe;
    explain_per_node_hook = [](PlanState* node, List* ancestors, const char* relationship, const char* plan,
                               ExplainState* es) {
        if (earlier != nullptr) earlier(node, ancestors, relationship, plan, es);
        added(node, es);
    };
#else
    (void)describe;
#endif
}

inline void vacuum_delay() {
#if PG_VERSION_NUM >= 180000
    vacuum_delay_point(false);
#else
    vacuum_delay_point();
#endif
}

}  // namespace vext::pg
