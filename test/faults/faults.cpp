// Errors at the n-th of the module's calls that can fail. `make faults` links this file with the objects of the library
// so that each DOOR below is entered here first (the linker's --wrap); test/t/064_faults.pl uses the result.
//   SET vectorext.fault_at = n    the n-th door from now raises an ERROR; 0: none does
//   SHOW vectorext.doors_passed   doors since then
// Parallel workers take the setting over, and count for themselves.
#include "pg/postgres.h"

namespace {

int fault_at = 0;
int doors_passed = 0;

extern "C" void assign_fault_at(int, void*) { doors_passed = 0; }

void pass(const char* door) {
    if (++doors_passed == fault_at) elog(ERROR, "injected error at door %d: %s", fault_at, door);
}

// When the library is loaded: before _PG_init, which reserves the prefix.
__attribute__((constructor)) void define_settings() {
    DefineCustomIntVariable("vectorext.fault_at", "Raises an error at this door", nullptr, &fault_at, 0, 0, INT_MAX,
                            PGC_SUSET, 0, nullptr, assign_fault_at, nullptr);
    DefineCustomIntVariable("vectorext.doors_passed", "Doors passed", nullptr, &doors_passed, 0, 0, INT_MAX,
                            PGC_INTERNAL, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
}

}  // namespace

// NOLINTBEGIN: the linker's names
#define DOOR(result, name, parameters, arguments) \
    extern "C" result __real_##name parameters;   \
    extern "C" result __wrap_##name parameters {  \
        pass(#name);                              \
        return __real_##name arguments;           \
    }

// One a line: the Makefile takes the names from here. First memory,
DOOR(void*, palloc, (Size n), (n))
DOOR(void*, palloc0, (Size n), (n))
DOOR(void*, repalloc_huge, (void* old, Size n), (old, n))
DOOR(void*, MemoryContextAlloc, (MemoryContext c, Size n), (c, n))
DOOR(void*, MemoryContextAllocZero, (MemoryContext c, Size n), (c, n))
DOOR(void*, MemoryContextAllocHuge, (MemoryContext c, Size n), (c, n))
DOOR(void*, MemoryContextAllocExtended, (MemoryContext c, Size n, int flags), (c, n, flags))
DOOR(MemoryContext, AllocSetContextCreateInternal, (MemoryContext p, const char* s, Size a, Size b, Size c), (p, s, a, b, c))
DOOR(HTAB*, hash_create, (const char* s, long n, const HASHCTL* info, int flags), (s, n, info, flags))
DOOR(void*, hash_search, (HTAB* h, const void* key, HASHACTION action, bool* found), (h, key, action, found))
// reading, the relation's growth among it,
DOOR(Buffer, ReadBuffer, (Relation r, BlockNumber b), (r, b))
DOOR(Buffer, ReadBufferExtended, (Relation r, ForkNumber f, BlockNumber b, ReadBufferMode m, BufferAccessStrategy s), (r, f, b, m, s))
DOOR(BlockNumber, RelationGetNumberOfBlocksInFork, (Relation r, ForkNumber f), (r, f))
DOOR(void, LockBufferForCleanup, (Buffer b), (b))
DOOR(void, LockRelationForExtension, (Relation r, LOCKMODE m), (r, m))
DOOR(void, ProcessInterrupts, (), ())
// writing,
DOOR(GenericXLogState*, GenericXLogStart, (Relation r), (r))
DOOR(Page, GenericXLogRegisterBuffer, (GenericXLogState* s, Buffer b, int flags), (s, b, flags))
DOOR(XLogRecPtr, GenericXLogFinish, (GenericXLogState* s), (s))
DOOR(void, log_newpage_range, (Relation r, ForkNumber f, BlockNumber a, BlockNumber b, bool std), (r, f, a, b, std))
// files, workers and what they share.
DOOR(BufFile*, BufFileCreateTemp, (bool keep), (keep))
DOOR(void, tuplesort_performsort, (Tuplesortstate* s), (s))
DOOR(void, tuplesort_puttupleslot, (Tuplesortstate* s, TupleTableSlot* t), (s, t))
DOOR(dsm_segment*, dsm_create, (Size n, int flags), (n, flags))
DOOR(dsm_segment*, dsm_attach, (dsm_handle h), (h))
DOOR(void, InitializeParallelDSM, (ParallelContext* c), (c))
DOOR(void, LaunchParallelWorkers, (ParallelContext* c), (c))
DOOR(void, WaitForParallelWorkersToFinish, (ParallelContext* c), (c))
#if PG_VERSION_NUM >= 160000
DOOR(Buffer, ExtendBufferedRel, (BufferManagerRelation r, ForkNumber f, BufferAccessStrategy s, uint32 flags), (r, f, s, flags))
#endif
// NOLINTEND
