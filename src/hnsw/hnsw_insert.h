// Inserting into index pages, row by row; also what a build uses once its graph no longer fits into memory.
#pragma once

#include "pg/postgres.h"

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
        SlotNumber nodes[kMaxM];
    };

    void search(const uint8* code, EntryPoint entry, int level);
    void choose_links(const uint8* code, SlotNumber self, int level);
    SlotNumber find_equal(const uint8* code);
    bool add_row(SlotNumber number, const uint8* code, ItemPointer tid);
    bool add_posting(SlotNumber number, const uint8* code, ItemPointer tid, SlotNumber head);
    SlotNumber write_node(const uint8* code, ItemPointer tid, int level);
    void write_upper_rows(SlotNumber node, int level);
    void write_base_row(SlotNumber node);
    bool become_entry(SlotNumber node, int level, bool only_if_empty);
    void link_back(SlotNumber node, const uint8* code, int level);

    const HnswIndex& index_;
    MemoryContext context_;
    HnswStore store_;
    Pool<ArenaVec> pool_;
    NodeSet<ArenaVec> seen_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
    ArenaVec<LevelLinks> levels_;
};

// Edges between nodes on pages, for whoever changes the graph.
class HnswLinker {
public:
    HnswLinker(HnswStore& store, MemoryContext context) : store_(store), codes_(context), neighbors_(context) {}

    enum class Outcome { gone, refused, added };

    // Adds the edge from -> to; where the row of `from` is full the heuristic chooses whom to keep, and `force` keeps
    // `to` in any case. gone: `from` is no live node any more.
    Outcome add_edge(SlotNumber from, int level, SlotNumber to, const uint8* to_code, bool force);

    // Replaces a row; false when it is no longer `seen` (or gone).
    bool replace_row(const LinkRow& row, const SlotNumber* seen, size_t seen_count, const SlotNumber* links,
                     size_t count);

    // Sorts nodes by their distance to the query of the store and lets the heuristic choose at most `max`, in place.
    // Nodes that are not live are dropped.
    size_t choose(const uint8* base_code, SlotNumber* nodes, size_t n, size_t max);

private:
    HnswStore& store_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
};

}  // namespace vext::hnsw
