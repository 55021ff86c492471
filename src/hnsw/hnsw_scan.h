// What the two halves of an index scan share: its state, and the step between them, the batch. hnsw_scan_batches.cpp
// searches, one batch of results after another; hnsw_scan.cpp makes rows of them.
#pragma once

#include <cmath>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_filtered.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"
#include "index/attribute_filter.h"
#include "index/heap_ahead.h"
#include "index/order_scan.h"
#include "index/rerank.h"

namespace vext::hnsw {

// A node. Most results of a beam are never asked for: they are sorted by what was seen of their codes in passing, and
// read, under pin and lock, when they are about to be handed out.
struct Result {
    float bound = HUGE_VALF;
    SlotNumber node = format::kNoSlot;
    bool certain = false;  // the bound
    bool read = false;     // else what follows is not known
    uint32 generation = 0;
    ItemPointerData tid{};  // invalid when only postings are left, or none
    SlotNumber posting = format::kNoSlot;
    Buffer heap_buffer = InvalidBuffer;  // known once it was announced
};

// A row whose distance was looked up; the nearest comes first out of a heap.
struct RankedRow {
    double distance;
    ItemPointerData tid;
};

// The rest of a node with many rows, put off until nothing nearer is left: rows of one vector and its distance.
struct Run {
    double distance;
    Result node;
    SlotNumber chunk;
    uint32 fingerprint;
};

struct Scan {
    Scan(const HnswIndex& opened, IndexScanDesc scan, MemoryContext memory)
        : desc(scan), context(memory), index(opened), store(index, memory), pool(memory), seen(memory), spilled(memory),
          left(memory), unexpanded(memory), results(memory), rows(memory), runs(memory), ahead(scan->heapRelation),
          ranked(memory), filter(memory) {}

    IndexScanDesc desc;
    MemoryContext context;
    HnswIndex index;
    HnswStore store;
    uint8* code = nullptr;  // of the query
    Pool<ArenaVec> pool;
    NodeSet<ArenaVec> seen;
    ArenaVec<Candidate> spilled;      // scored, not in the pool: where an iterative scan goes on
    ArenaVec<Candidate> left;         // the last batch's spilled
    ArenaVec<SlotNumber> unexpanded;  // given out as results before the search passed through them
    ArenaVec<Result> results;         // of the current batch, by bound
    size_t next_result = 0, announced = 0, touched = 0;
    ArenaVec<ItemPointerData> rows;  // of the current node
    size_t next_row = 0;
    SlotNumber next_posting = format::kNoSlot;
    page::ChainGuard chain;  // of postings
    Result current{};
    Run run{};                    // of the current node; fingerprint 0: none yet
    bool distance_known = false;  // of the rows at hand: that of the run
    ArenaVec<Run> runs;           // a heap: put off
    index::HeapAhead ahead;
    index::Rerank* rerank = nullptr;  // of an uncertain codec
    ArenaVec<RankedRow> ranked;       // a heap: looked up, not handed out
    index::AttributeFilter filter;
    FilteredSearch* filtered = nullptr;  // in place of pool, spilled and what goes with them
    size_t ef = 0;
    size_t quota = 0;  // with a recall target: so many results for each first_ef of a beam
    size_t first_ef = 0;
    index::OrderKeeper order;
    float beyond = HUGE_VALF;    // the least bound that the batch left to the next one
    size_t taken = 0;            // how many of the pool were handed out
    float ceiling = -HUGE_VALF;  // the largest upper bound of these
    size_t left_over = 0;        // how many of the pool were not: the last that were spilled, nearest first
    size_t spares = 0;           // how many of what was spilled may be handed out before the next batch
    bool drained = false;        // no further batch
    index::OrderBy by{};         // every_row: block by block

    // Gives back what is not memory alone.
    void release() {
        if (rerank != nullptr) rerank->end();
    }
    BlockNumber next_block = 0;
};

inline index::WatchedScan* frame_of(const Scan& s) { return index::frame_of<Scan>(s.desc); }

inline bool strict() { return settings.iterative_scan == static_cast<int>(IterativeScan::strict_order); }

// ---- hnsw_scan_batches.cpp: each replaces the results, and drains the scan where there are no more
void first_batch(Scan& s);
void next_batch(Scan& s);
void take_spares(Scan& s);
// False for a node that is gone, and leaves it without rows.
bool read_result(Scan& s, Result& r);

}  // namespace vext::hnsw
