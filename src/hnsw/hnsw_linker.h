// Changing edges between nodes on pages: rows of links, by compare and replace.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

// What a row of links was when it was read, and what it shall be.
struct RowChange {
    LinkRow row;
    size_t seen_count, count;
    SlotNumber seen[kMaxLinks], links[kMaxLinks];
};

class HnswLinker {
public:
    HnswLinker(HnswStore& store, MemoryContext context)
        : store_(store), base_code_(context), codes_(context), neighbors_(context), changes_(context), ahead_(context),
          drops_(context), doubts_(context) {}

    enum class Outcome : uint8 { gone, refused, added };

    // Adds the edge from -> to. Where the row of `from` is full the heuristic chooses whom to keep; `always` keeps `to`
    // in any case, even_if_dead does so too and takes a node that vacuum has marked dead but not freed. gone: `from` is
    // no such node any more.
    enum class Mode { if_chosen, always, even_if_dead };
    Outcome add_edge(SlotNumber from, int level, SlotNumber to, Mode mode);

    // Adds the edges from[i] -> to, at most kMaxLinks, by as few WAL records as possible, and gives what became of each.
    void add_edges(const SlotNumber* from, size_t n, int level, SlotNumber to, Mode mode, Outcome* outcomes);

    // Takes edges off a row.
    void drop_links(SlotNumber from, int level, const SlotNumber* nodes, size_t n);

    bool is_live_now(SlotNumber node);

    // Replaces a row. changed: it is no longer what was seen; gone: it no longer belongs to the node.
    enum class Replaced : uint8 { done, changed, gone };
    Replaced replace_row(const RowChange& change);

    struct Planned {
        RowChange change;
        size_t edge;  // which of the edges that are added together
        bool tried;   // false before
        Replaced replaced;
    };
    // Replaces rows on several pages by as few WAL records as possible, and notes what became of each.
    void replace_rows(Planned** changes, size_t n);

    // Sorts nodes by their distance to `base_code` and lets the heuristic choose at most `max`, in place. Nodes that
    // are not live are dropped.
    size_t choose(const uint8* base_code, SlotNumber* nodes, size_t n, size_t max);

    // Sorts nodes by their distance to `base_code`, unless some are dead.
    void sort_links(const uint8* base_code, SlotNumber* nodes, size_t n);

private:
    // An edge that a row loses because another node leads to its end.
    struct Drop {
        SlotNumber from, to, through;
    };

    void sort_by_distance(const uint8* base_code, const SlotNumber* nodes, size_t n);
    Replaced compare(Page page, const RowChange& change);
    void apply(Page page, const RowChange& change);
    size_t planned_links(SlotNumber node, SlotNumber* out);
    bool plan_edge(SlotNumber from, int level, SlotNumber to, Mode mode, RowChange* change, Outcome* outcome);
    void plan_edges(const SlotNumber* from, const size_t* todo, size_t n, int level, SlotNumber to, Mode mode,
                    Outcome* outcomes);
    void look_ahead(const SlotNumber* nodes, size_t n);
    SlotNumber leads_to(SlotNumber node) const;
    size_t keep_reachable(const RowChange& change, SlotNumber* links, size_t count);
    SlotNumber force(const RowChange& change, SlotNumber to, SlotNumber* links);
    bool adopt(SlotNumber from, SlotNumber lost);
    bool publish_own();
    void change_edges(const SlotNumber* from, size_t n, int level, SlotNumber to, Mode mode, Outcome* outcomes);
    bool leads(SlotNumber from, SlotNumber to);
    void doubt();

    HnswStore& store_;
    ArenaVec<uint8> base_code_;
    ArenaVec<uint8> codes_;
    ArenaVec<Neighbor> neighbors_;
    ArenaVec<Planned> changes_;  // of which planned_; the first is of the row of the edges' end, if own_planned_
    size_t planned_ = 0;
    bool own_planned_ = false;
    ArenaVec<uint64> ahead_;  // pairs of a node and who leads to it, sorted
    ArenaVec<Drop> drops_;    // of what is planned, on level 0
    ArenaVec<Drop> doubts_;
};

}  // namespace vext::hnsw
