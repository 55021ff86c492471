// Parallel workers of an index build, as the access methods use them: a ParallelContext with one struct that all share.
#pragma once

#include <atomic>

#include "pg/postgres.h"

namespace vext::index {

// Enters parallel mode, and gives `bytes` of zeroed shared memory that the workers will see. `function` is a C function
// of this library.
ParallelContext* prepare_workers(const char* function, int workers, size_t bytes, void** shared);
// Starts them. Those who come find the shared memory as it is now, so its barrier is ready, and whoever calls this is
// attached to it.
enum class WhenFewer { notice, work_on };  // than wanted
void launch_workers(ParallelContext* context, WhenFewer then = WhenFewer::notice);
// Waits for their end and leaves parallel mode.
void end_workers(ParallelContext* context);

// In a worker: says what it does, and gives the shared memory.
void* begin_worker(shm_toc* toc);
// use(rel) with the index that is being built, in the mode in which CREATE INDEX itself holds it, as workers of a btree
// build open it.
template <typename Use>
void with_built_index(Oid oid, bool concurrent, Use use) {
    LOCKMODE mode = concurrent ? RowExclusiveLock : AccessExclusiveLock;
    Relation rel = index_open(oid, mode);
    use(rel);
    index_close(rel, mode);
}

// ---- tasks: what is to be done at a time, in pieces that a leader and its workers take one after the other. Who comes
// late joins in, and who never comes is not waited for. What a piece reads and writes lies in shared memory.

// In shared memory.
struct CrewState {
    std::atomic<uint64> next;  // round << 32 | the next piece
    std::atomic<uint32> task, pieces, done;
    ConditionVariable begun, finished;
};

class Crew {
public:
    // Does a piece of a task; `self` is this process's own.
    using Work = void (*)(void* self, uint32 task, uint32 piece);

    // `state` is nullptr where there are no workers.
    Crew(CrewState* state, Work work, void* self) : state_(state), work_(work), self_(self) {}

    // The leader, before workers are launched.
    static void start(CrewState* state);
    // The leader: comes back when all pieces are done.
    void run(uint32 task, uint32 pieces);
    // The leader: there are no more tasks.
    void dismiss();
    // A worker: does pieces until it is dismissed.
    void serve();

private:
    void do_pieces(uint32 round);

    CrewState* state_;
    Work work_;
    void* self_;
    uint32 round_ = 0;
};

// Whether shared memory of this size can be had, with some to spare for the machinery of parallel workers.
bool has_shared_memory(size_t bytes);

}  // namespace vext::index
