// Inserting into index pages, row by row; also what a build uses once its graph no longer fits into memory.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_linker.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

// A pool whose search ends as soon as a live node with the query's own code was scored.
class WatchfulPool : public Pool<ArenaVec> {
public:
    WatchfulPool(HnswStore& store, MemoryContext context) : Pool(context), store_(store) {}

    // From now on; nullptr: there is nothing to be watched for.
    void watch(const uint8* code);
    SlotNumber found() const { return found_; }

    void insert(const Candidate& c) {
        if (c.key == key_) look(c.node);
        Pool::insert(c);
    }
    Candidate* next() { return found_ == format::kNoSlot ? Pool::next() : nullptr; }

private:
    void look(SlotNumber node);

    HnswStore& store_;
    const uint8* code_ = nullptr;
    codec::Key key_ = 0;  // that of an equal code
    SlotNumber found_ = format::kNoSlot;
};

class HnswInserter {
public:
    // `index` must outlive the inserter; working memory comes from `context`.
    HnswInserter(const HnswIndex& index, MemoryContext context);

    // Adds a row by the code of its vector. likely_equal: there is probably a node of this code. Locks: README.md,
    // "Insert".
    void insert(const uint8* code, const NewRow& row, bool likely_equal = false);

private:
    struct LevelLinks {
        size_t count;
        SlotNumber nodes[kMaxLinks];
    };

    SlotNumber find_equal(EntryPoint entry, const uint8* code);
    SlotNumber search(EntryPoint entry, const uint8* code, int level, SlotNumber self);
    void choose_links(SlotNumber self, int level);
    bool add_row(SlotNumber number, const uint8* code, const NewRow& row);
    bool add_posting(SlotNumber number, const uint8* code, const NewRow& row, SlotNumber head);
    bool still_owns(SlotNumber node, format::PageKind kind, SlotNumber number, int level = 0);
    SlotNumber write_node(const uint8* code, const NewRow& row, int level);
    void write_upper_rows(SlotNumber node, int level);
    void write_base_row(SlotNumber node);
    bool become_entry(SlotNumber node, int level, bool only_if_empty);
    void link_back(SlotNumber node, int level);

    const HnswIndex& index_;
    HnswStore store_;
    HnswLinker linker_;
    WatchfulPool pool_;
    NodeSet<ArenaVec> seen_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
    ArenaVec<LevelLinks> levels_;
};

}  // namespace vext::hnsw
