// Errors and waits at the n-th of the module's calls. `make faults` links this file with the objects of the library so
// that each DOOR and each STEP below is entered here first (the linker's --wrap).
//   SET vectorext.fault_at = n    the n-th door (a call that can fail) from now raises an ERROR; 0: none does
//   SHOW vectorext.doors_passed   doors since then
//   SET vectorext.fault_kind = x  error; cancel, terminate: as if pg_cancel_backend or pg_terminate_backend came then
//   SET vectorext.pause_at = n    the n-th step (a content lock that is asked for while no lock is held) from now first gets
//                                 advisory lock 1 and gives it back; 0: none does
//   SET vectorext.pause_reads     whether share locks are steps, too
//   SHOW vectorext.steps_taken    steps since then
// test/t/064_faults.pl uses the first two, 066_lock_step.pl the others. Parallel workers take the settings over, and count
// for themselves.
#include "pg/postgres.h"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace {

int fault_at = 0;
enum FaultKind { kError, kCancel, kTerminate };
int fault_kind = kError;
const config_enum_entry fault_kinds[] = {
    {"error", kError, false}, {"cancel", kCancel, false}, {"terminate", kTerminate, false}, {nullptr, 0, false}};
int doors_passed = 0;
int pause_at = 0;
int steps_taken = 0;
bool pause_reads = false;
bool extending = false;  // who waits now keeps all others from extending the relation
constexpr int kExtended = -1;

extern "C" void assign_fault_at(int, void*) { doors_passed = 0; }
extern "C" void assign_pause_at(int, void*) {
    steps_taken = 0;
    extending = false;
}

void pass(const char* door) {
    if (strcmp(door, "LockRelationForExtension") == 0) extending = true;
    if (++doors_passed != fault_at) return;
    if (fault_kind == kError) elog(ERROR, "injected error at door %d: %s", fault_at, door);
    // What the handlers of the signals set; the next CHECK_FOR_INTERRUPTS() acts on it.
    (fault_kind == kCancel ? QueryCancelPending : ProcDiePending) = true;
    InterruptPending = true;
}

void step(int mode) {
    if (mode == kExtended) extending = false;
    // Interrupts are held off while a content lock is held.
    if (InterruptHoldoffCount > 0 || extending || !(mode == BUFFER_LOCK_EXCLUSIVE || (pause_reads && mode == BUFFER_LOCK_SHARE))) return;
    if (++steps_taken != pause_at) return;
    DirectFunctionCall1(pg_advisory_lock_int8, Int64GetDatum(1));
    DirectFunctionCall1(pg_advisory_unlock_int8, Int64GetDatum(1));
}

// When the library is loaded: before _PG_init, which reserves the prefix.
__attribute__((constructor)) void define_settings() {
    DefineCustomIntVariable("vectorext.fault_at", "Raises an error at this door", nullptr, &fault_at, 0, 0, INT_MAX,
                            PGC_SUSET, 0, nullptr, assign_fault_at, nullptr);
    DefineCustomEnumVariable("vectorext.fault_kind", "What happens at that door", nullptr, &fault_kind, kError, fault_kinds,
                             PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("vectorext.doors_passed", "Doors passed", nullptr, &doors_passed, 0, 0, INT_MAX,
                            PGC_INTERNAL, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("vectorext.pause_at", "Waits at this step", nullptr, &pause_at, 0, 0, INT_MAX, PGC_SUSET, 0,
                            nullptr, assign_pause_at, nullptr);
    DefineCustomBoolVariable("vectorext.pause_reads", "Share locks are steps", nullptr, &pause_reads, false, PGC_SUSET, 0,
                             nullptr, nullptr, nullptr);
    DefineCustomIntVariable("vectorext.steps_taken", "Steps taken", nullptr, &steps_taken, 0, 0, INT_MAX, PGC_INTERNAL,
                            GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
}

}  // namespace

// NOLINTBEGIN: the linker's names
#define DOOR(result, name, parameters, arguments) \
    extern "C" result __real_##name parameters;   \
    extern "C" result __wrap_##name parameters {  \
        pass(#name);                              \
        return __real_##name arguments;           \
    }

#define STEP(result, name, parameters, arguments, mode) \
    extern "C" result __real_##name parameters;         \
    extern "C" result __wrap_##name parameters {        \
        step(mode);                                     \
        return __real_##name arguments;                 \
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
DOOR(PrefetchBufferResult, PrefetchBuffer, (Relation r, ForkNumber f, BlockNumber b), (r, f, b))
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
STEP(void, LockBuffer, (Buffer b, int mode), (b, mode), mode)
STEP(bool, ConditionalLockBuffer, (Buffer b), (b), BUFFER_LOCK_EXCLUSIVE)
STEP(void, UnlockRelationForExtension, (Relation r, LOCKMODE m), (r, m), kExtended)
#if PG_VERSION_NUM >= 160000
DOOR(Buffer, ExtendBufferedRel, (BufferManagerRelation r, ForkNumber f, BufferAccessStrategy s, uint32 flags), (r, f, s, flags))
#endif
#if PG_VERSION_NUM >= 170000
DOOR(Buffer, read_stream_next_buffer, (ReadStream* s, void** data), (s, data))
#endif
// NOLINTEND
