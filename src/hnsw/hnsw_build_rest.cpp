#include "hnsw/hnsw_build_rest.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "hnsw/hnsw_insert.h"
#include "index/build_workers.h"
#include "pg/guards.h"

namespace vext::hnsw {

// Rows are gathered by the leader while the barrier's phase is even, and inserted by all while it is odd.
struct SharedRest {
    Oid index;
    bool concurrent;
    bool finished;  // in an even phase: there are no more rows
    uint32 capacity, count;
    size_t row_bytes;
    std::atomic<uint32> claimed;
    Barrier barrier;

    // The code follows.
    struct Row {
        NewRow added;

        uint8* code() { return reinterpret_cast<uint8*>(this + 1); }
    };
    Row* row(uint32 i) { return reinterpret_cast<Row*>(reinterpret_cast<char*>(this + 1) + i * row_bytes); }
};

namespace {

void insert_claimed(SharedRest* shared, HnswInserter& inserter) {
    for (;;) {
        uint32 i = shared->claimed.fetch_add(1, std::memory_order_relaxed);
        if (i >= shared->count) return;
        CHECK_FOR_INTERRUPTS();
        SharedRest::Row* row = shared->row(i);
        inserter.insert(row->code(), row->added);
    }
}

HnswInserter* make_inserter(const HnswIndex& index, MemoryContext context) {
    return new (MemoryContextAlloc(context, sizeof(HnswInserter))) HnswInserter(index, context);
}

}  // namespace

RestOfBuild::RestOfBuild(const HnswIndex& index, MemoryContext context, int workers, bool concurrent)
    : index_(index), inserter_(make_inserter(index, context)) {
    size_t row_bytes = MAXALIGN(sizeof(SharedRest::Row) + index.layout.code_bytes);
    auto capacity = static_cast<uint32>(std::clamp<size_t>((size_t{1} << 20) / row_bytes, 16, 1024));
    size_t bytes = sizeof(SharedRest) + capacity * row_bytes;
    if (workers == 0 || !index::has_shared_memory(bytes)) return;
    void* memory;
    workers_ = index::prepare_workers("vext_hnsw_insert_worker", workers, bytes, &memory);
    shared_ = static_cast<SharedRest*>(memory);
    shared_->index = RelationGetRelid(index.rel);
    shared_->concurrent = concurrent;
    shared_->capacity = capacity;
    shared_->row_bytes = row_bytes;
    BarrierInit(&shared_->barrier, 0);
    BarrierAttach(&shared_->barrier);
    index::launch_workers(workers_);
}

void RestOfBuild::add(const uint8* code, const NewRow& added) {
    if (shared_ == nullptr) {
        inserter_->insert(code, added);
        return;
    }
    SharedRest::Row* row = shared_->row(shared_->count++);
    row->added = added;
    memcpy(row->code(), code, index_.code_size(code));
    if (shared_->count == shared_->capacity) flush();
}

void RestOfBuild::flush() {
    BarrierArriveAndWait(&shared_->barrier, PG_WAIT_EXTENSION);
    insert_claimed(shared_, *inserter_);
    BarrierArriveAndWait(&shared_->barrier, PG_WAIT_EXTENSION);
    shared_->count = 0;
    shared_->claimed.store(0, std::memory_order_relaxed);
}

void RestOfBuild::finish() {
    if (shared_ == nullptr) return;
    flush();
    shared_->finished = true;
    BarrierArriveAndDetach(&shared_->barrier);
    index::end_workers(workers_);
    shared_ = nullptr;
}

}  // namespace vext::hnsw

// What a parallel worker runs; the server finds it by name.
extern "C" {
PGDLLEXPORT void vext_hnsw_insert_worker(dsm_segment*, shm_toc* toc);

void vext_hnsw_insert_worker(dsm_segment*, shm_toc* toc) {
    using namespace vext;
    using namespace vext::hnsw;
    auto* shared = static_cast<SharedRest*>(index::begin_worker(toc));
    index::with_built_index(shared->index, shared->concurrent, [&](Relation rel) {
        pg::ScratchContext scratch{"hnsw insert worker"};
        auto* index = new (palloc(sizeof(HnswIndex))) HnswIndex(open_index(rel));
        index->logged = false;
        HnswInserter* inserter = make_inserter(*index, scratch.context());
        int phase = BarrierAttach(&shared->barrier);
        // In an even phase the leader gathers; there is nothing after the last.
        while (phase % 2 == 1 || !shared->finished) {
            if (phase % 2 == 1) insert_claimed(shared, *inserter);
            BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
            phase++;
            if (phase % 2 == 1 && shared->finished) break;
        }
        BarrierDetach(&shared->barrier);
    });
}
}
