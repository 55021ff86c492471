#include "index/build_workers.h"

#include <cstring>

#include "pg/guards.h"
#include "pg/shared_memory.h"

namespace vext::index {
namespace {

constexpr uint64 kSharedKey = 1;
constexpr uint64 kQueryKey = 2;

// What pg_stat_activity says of a worker; the text follows.
struct Query {
    uint64 id;
};

// How many workers were started. The server raises an ERROR when it hears that one could not be (no process to be had);
// the others can do its work, so such a worker is forgotten before the server looks.
int count_started(ParallelContext* context) {
    int started = 0;
    pg::HeldInterrupts held;
    for (int i = 0; i < context->nworkers_launched; i++) {
        ParallelWorkerInfo& worker = context->worker[i];
        pid_t pid;
        bool stopped = WaitForBackgroundWorkerStartup(worker.bgwhandle, &pid) == BGWH_STOPPED;
        if (stopped && shm_mq_get_sender(shm_mq_get_queue(worker.error_mqh)) == nullptr) {
            shm_mq_detach(worker.error_mqh);
            worker.error_mqh = nullptr;
        } else {
            started++;
        }
    }
    return started;
}

}  // namespace

bool has_shared_memory(size_t bytes) {
    constexpr size_t kSpare = size_t{4} << 20;
    return pg::free_shared_memory() >= bytes + kSpare;
}

ParallelContext* prepare_workers(const char* function, int workers, size_t bytes, void** shared) {
    EnterParallelMode();
    ParallelContext* context = CreateParallelContext("vectorext", function, workers);
    const char* text = debug_query_string != nullptr ? debug_query_string : "";
    size_t query_bytes = sizeof(Query) + strlen(text) + 1;
    shm_toc_estimate_chunk(&context->estimator, bytes);
    shm_toc_estimate_chunk(&context->estimator, query_bytes);
    shm_toc_estimate_keys(&context->estimator, 2);
    InitializeParallelDSM(context);
    *shared = shm_toc_allocate(context->toc, bytes);
    memset(*shared, 0, bytes);
    shm_toc_insert(context->toc, kSharedKey, *shared);
    auto* query = static_cast<Query*>(shm_toc_allocate(context->toc, query_bytes));
    query->id = pgstat_get_my_query_id();
    memcpy(reinterpret_cast<char*>(query + 1), text, strlen(text) + 1);
    shm_toc_insert(context->toc, kQueryKey, query);
    return context;
}

void launch_workers(ParallelContext* context, WhenFewer then) {
    int wanted = context->nworkers;
    LaunchParallelWorkers(context);
    int started = count_started(context);
    ereport(DEBUG1, errmsg("using %d parallel workers", started));
    if (started < wanted && then == WhenFewer::notice) {
        ereport(NOTICE, errmsg("index is built with %d of %d planned parallel workers", started, wanted),
                errhint("Increase max_parallel_workers or max_worker_processes."));
    }
}

void end_workers(ParallelContext* context) {
    WaitForParallelWorkersToFinish(context);
    DestroyParallelContext(context);
    ExitParallelMode();
}

void* begin_worker(shm_toc* toc) {
    auto* query = static_cast<const Query*>(shm_toc_lookup(toc, kQueryKey, false));
    debug_query_string = reinterpret_cast<const char*>(query + 1);
    pgstat_report_activity(STATE_RUNNING, debug_query_string);
    pgstat_report_query_id(query->id, false);
    return shm_toc_lookup(toc, kSharedKey, false);
}

// ---- tasks

namespace {

constexpr uint32 kDismissed = UINT32_MAX;

uint32 round_of(uint64 next) { return static_cast<uint32>(next >> 32); }
uint64 first_of(uint32 round) { return static_cast<uint64>(round) << 32; }

}  // namespace

void Crew::start(CrewState* state) {
    state->next.store(0);
    state->task.store(0);
    state->pieces.store(0);
    state->done.store(0);
    ConditionVariableInit(&state->begun);
    ConditionVariableInit(&state->finished);
}

void Crew::run(uint32 task, uint32 pieces) {
    if (state_ == nullptr) {
        for (uint32 piece = 0; piece < pieces; piece++) {
            CHECK_FOR_INTERRUPTS();
            work_(self_, task, piece);
        }
        return;
    }
    // All pieces of the round before are done, so nobody can claim one while this changes.
    state_->task.store(task);
    state_->pieces.store(pieces);
    state_->done.store(0);
    state_->next.store(first_of(++round_));
    ConditionVariableBroadcast(&state_->begun);
    do_pieces(round_);
    while (state_->done.load() < pieces) ConditionVariableSleep(&state_->finished, PG_WAIT_EXTENSION);
    ConditionVariableCancelSleep();
}

void Crew::dismiss() {
    if (state_ == nullptr) return;
    state_->next.store(first_of(kDismissed));
    ConditionVariableBroadcast(&state_->begun);
}

void Crew::serve() {
    for (;;) {
        uint64 next = state_->next.load();
        if (round_of(next) == kDismissed) break;
        if (static_cast<uint32>(next) < state_->pieces.load()) {
            do_pieces(round_of(next));
        } else {
            ConditionVariableSleep(&state_->begun, PG_WAIT_EXTENSION);
        }
    }
    ConditionVariableCancelSleep();
}

// What is read of a round holds if a piece of it can be claimed afterwards.
void Crew::do_pieces(uint32 round) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        uint64 next = state_->next.load();
        uint32 task = state_->task.load(), pieces = state_->pieces.load();
        if (round_of(next) != round || static_cast<uint32>(next) >= pieces) return;
        if (!state_->next.compare_exchange_strong(next, next + 1)) continue;
        work_(self_, task, static_cast<uint32>(next));
        if (state_->done.fetch_add(1) + 1 == pieces) ConditionVariableBroadcast(&state_->finished);
    }
}

}  // namespace vext::index
