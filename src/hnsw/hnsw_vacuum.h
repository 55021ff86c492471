// What the passes of a vacuum share. hnsw_vacuum.cpp says what they do.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_linker.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"
#include "pg/block_stream.h"

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

// Whether the next page of a pass, which is pinned, is of the kind. ERROR: the index is corrupted.
bool is_wanted(Vacuum& v, Buffer buffer, format::PageKind kind);

template <typename Use>
void for_each_page(Vacuum& v, format::PageKind kind, Use use) {
    // With a ring buffer where the vacuum has one. What inserts add meanwhile has to be seen too.
    pg::BlockPass pass{v.index.rel, format::kHnswMetaBlock + 1, v.info->strategy};
    for (Buffer buffer; (buffer = pass.next()) != InvalidBuffer; ReleaseBuffer(buffer)) {
        pg::vacuum_delay();
        if (is_wanted(v, buffer, kind)) use(BufferGetBlockNumber(buffer), buffer);
    }
    pass.end();
}

// Pass 2: dead nodes leave the rows of links of the others. hnsw_vacuum_links.cpp.
void repair_links(Vacuum& v);

// Pass 4: dead nodes become free, and slots that no node refers to. hnsw_vacuum_slots.cpp.
void free_slots(Vacuum& v);

// Pass 1: dead rows leave nodes and postings, and nodes without rows are marked dead. hnsw_vacuum_rows.cpp.
void remove_rows(Vacuum& v);

}  // namespace vext::hnsw
