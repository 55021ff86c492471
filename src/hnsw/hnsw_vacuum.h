// What the passes of a vacuum share. hnsw_vacuum.cpp says what they do.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_linker.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

// A set of slot numbers, a bit each.
class SlotSet {
public:
    explicit SlotSet(MemoryContext context) : words_(context) {}

    bool contains(SlotNumber n) const { return n / 64 < words_.size() && words_[n / 64] >> n % 64 & 1; }
    void insert(SlotNumber n) {
        if (n / 64 >= words_.size()) words_.resize(std::max<size_t>(n / 64 + 1, words_.size() * 2), 0);
        words_[n / 64] |= uint64{1} << n % 64;
    }

private:
    ArenaVec<uint64> words_;
};

struct Vacuum {
    Vacuum(const HnswIndex& opened, IndexVacuumInfo* vacuum_info, IndexBulkDeleteResult* results,
           IndexBulkDeleteCallback callback, void* callback_state, MemoryContext memory)
        : info(vacuum_info),
          stats(results),
          row_is_dead(callback),
          state(callback_state),
          context(memory),
          index(opened),
          store(index, memory),
          linker(store, memory),
          dead(memory),
          chained(memory),
          candidates(memory),
          seen(memory),
          lists(memory) {}

    bool is_dead(SlotNumber node) const { return dead.contains(node); }
    void set_dead(SlotNumber node) {
        dead.insert(node);
        dead_count++;
    }

    IndexVacuumInfo* info;
    IndexBulkDeleteResult* stats;
    IndexBulkDeleteCallback row_is_dead;
    void* state;
    MemoryContext context;
    HnswIndex index;
    HnswStore store;
    HnswLinker linker;
    SlotSet dead;     // nodes
    SlotSet chained;  // chunks of postings that pass 1 has left in the chains of their nodes
    uint64 dead_count = 0;
    ArenaVec<SlotNumber> candidates;
    NodeSet<ArenaVec> seen;
    ArenaVec<SlotNumber> lists;  // working memory
};

// A page in vacuum's hands: pinned, with a ring buffer where the vacuum has one. InvalidBuffer when it is not of the
// kind.
Buffer read_vacuum_page(Vacuum& v, BlockNumber block, format::PageKind kind);

template <typename Use>
void for_each_page(Vacuum& v, format::PageKind kind, Use use) {
    // The relation may grow meanwhile: what inserts add has to be seen too.
    for (BlockNumber block = 1; block < RelationGetNumberOfBlocks(v.index.rel); block++) {
        Buffer buffer = read_vacuum_page(v, block, kind);
        if (buffer == InvalidBuffer) continue;
        use(block, buffer);
        ReleaseBuffer(buffer);
    }
}

// Pass 4: dead nodes become free, and slots that no node refers to. hnsw_vacuum_slots.cpp.
void free_slots(Vacuum& v);

// Pass 1: dead rows leave nodes and postings, and nodes without rows are marked dead. hnsw_vacuum_rows.cpp.
void remove_rows(Vacuum& v);

}  // namespace vext::hnsw
