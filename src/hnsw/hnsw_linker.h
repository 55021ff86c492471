// Changing edges between nodes on pages: one row at a time, compare and replace.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

class HnswLinker {
public:
    HnswLinker(HnswStore& store, MemoryContext context) : store_(store), codes_(context), neighbors_(context) {}

    enum class Outcome { gone, refused, added };

    // Adds the edge from -> to. Where the row of `from` is full the heuristic chooses whom to keep; `always` keeps `to`
    // in any case, even_if_dead does so too and takes a node that vacuum has marked dead but not freed. gone: `from` is
    // no such node any more.
    enum class Mode { if_chosen, always, even_if_dead };
    Outcome add_edge(SlotNumber from, int level, SlotNumber to, Mode mode);

    // Replaces a row. changed: it is no longer `seen`; gone: it no longer belongs to the node.
    enum class Replaced { done, changed, gone };
    Replaced replace_row(const LinkRow& row, const SlotNumber* seen, size_t seen_count, const SlotNumber* links,
                         size_t count);

    // Sorts nodes by their distance to the query of the store and lets the heuristic choose at most `max`, in place.
    // Nodes that are not live are dropped.
    size_t choose(const uint8* base_code, SlotNumber* nodes, size_t n, size_t max);

private:
    bool is_linked_back(SlotNumber node, SlotNumber except);
    bool is_needed(SlotNumber node, SlotNumber from);
    size_t keep_reachable(SlotNumber from, SlotNumber to, const SlotNumber* seen, size_t n, SlotNumber* links,
                          size_t count);
    void force(SlotNumber from, SlotNumber to, SlotNumber* links, size_t n);

    HnswStore& store_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
};

}  // namespace vext::hnsw
