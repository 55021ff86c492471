// Inserting into index pages, row by row; also what a build uses once its graph no longer fits into memory.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_linker.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

class HnswInserter {
public:
    // `index` must outlive the inserter; working memory comes from `context`.
    HnswInserter(const HnswIndex& index, MemoryContext context);

    // Adds a row by the code of its vector. Locks: README.md, "Insert".
    void insert(const uint8* code, ItemPointer tid);

private:
    struct LevelLinks {
        size_t count;
        SlotNumber nodes[kMaxLinks];
    };

    void choose_links(SlotNumber self, int level);
    SlotNumber find_equal(const uint8* code);
    bool add_row(SlotNumber number, const uint8* code, ItemPointer tid);
    bool add_posting(SlotNumber number, const uint8* code, ItemPointer tid, SlotNumber head);
    SlotNumber write_node(const uint8* code, ItemPointer tid, int level);
    void write_upper_rows(SlotNumber node, int level);
    void write_base_row(SlotNumber node);
    bool become_entry(SlotNumber node, int level, bool only_if_empty);
    void link_back(SlotNumber node, int level);
    void drop_links(SlotNumber node, int level, const SlotNumber* kept, size_t kept_count);

    const HnswIndex& index_;
    HnswStore store_;
    HnswLinker linker_;
    Pool<ArenaVec> pool_;
    NodeSet<ArenaVec> seen_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
    ArenaVec<LevelLinks> levels_;
};

}  // namespace vext::hnsw
