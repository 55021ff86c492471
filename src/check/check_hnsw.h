// The check of an hnsw index: the invariants of hnsw/README.md.
//
// Inserts go on meanwhile, vacuum does not. So a node or slot in use stays what it is, and what a page refers to was
// there before the page was: a reference is followed after the page was copied, and judged by what is there then. What an
// insert writes in several steps is looked at again some moments later before it is reported.
#pragma once

#include "pg/postgres.h"

#include "check/check_pages.h"
#include "check/check_rows.h"
#include "hnsw/hnsw_index.h"

namespace vext::check {

class HnswCheck final : public RowSource {
public:
    HnswCheck(const hnsw::HnswIndex& index, Pages& pages, MemoryContext context);

    // All but the table.
    void run();

    uint64 rows() const override { return rows_; }
    void each_row(RowCheck& to) override;
    bool code_row(const index::VectorValue& value) override;
    bool compare(const IndexedRow& row, index::RowAttributes* attributes) override;
    BlockNumber block_of(const IndexedRow& row) const override { return nodes().block(row.at); }
    int64 slot_of(const IndexedRow& row) const override { return nodes().slot(row.at); }

private:
    // What a node slot is: one of these, or live + its level.
    enum State : uint8 { none = 0, was_freed = 1, dead = 2, live = 4 };
    static bool is_live(uint8 state) { return state >= live; }

    // Something that an insert may be about to complete.
    struct Suspect {
        enum Kind : uint8 { no_base_row, no_upper_rows, unowned, unlisted, low_entry } kind;
        PageKind page;
        SlotNumber number, owner;
    };

    struct Row {  // of links
        SlotNumber owner;
        int level;
        uint32 count;
        const SlotNumber* links;
        BlockNumber block;
        uint32 slot;
    };

    const SlotShape& nodes() const { return index_.layout.nodes; }
    void error(PageKind kind, SlotNumber number, const char* what) { add(Severity::error, kind, number, what); }
    void warning(PageKind kind, SlotNumber number, const char* what) { add(Severity::warning, kind, number, what); }
    void add(Severity severity, PageKind kind, SlotNumber number, const char* what);

    // ---- check_hnsw.cpp: pages, nodes, lists of free slots
    bool read_attributes(const IndexedRow& row, const format::HnswNode* node, index::RowAttributes* attributes);
    void check_meta();
    void check_slots();
    void check_run_map(BlockNumber block, Page page);
    void check_sketches(BlockNumber block, Page page);
    void check_node_page(BlockNumber block, Page page);
    uint8 check_node(Page page, uint32 slot, SlotNumber number);
    void check_code(Page page, uint32 slot, SlotNumber number);
    void check_link_slot(PageKind kind, const char* slot, SlotNumber number);
    void check_posting_slot(const char* slot, SlotNumber number);
    void check_free_lists();
    bool lacks_list(PageKind kind, Page page);
    void settle();
    // Inserts take moments; what they left half done is there for longer. still(): looks again whether anything is wrong.
    template <typename Still>
    static void look_again(Still still) {
        for (long microseconds : {0, 5'000, 50'000, 500'000}) {
            if (microseconds > 0) pg_usleep(microseconds);
            if (!still()) return;
        }
    }
    bool is_still(const Suspect& s);
    void report(const Suspect& s);

    // ---- check_hnsw_links.cpp: what refers to what
    uint8 state_of(SlotNumber number) const { return number < states_.size() ? states_[number] : uint8{none}; }
    bool state_now(SlotNumber number, uint8* state);
    bool read_node(SlotNumber number, format::HnswNode* node, SlotNumber* base = nullptr);
    void check_references();
    void check_chains(SlotNumber number, const format::HnswNode& node, SlotNumber base);
    void check_upper_chain(SlotNumber number, const format::HnswNode& node);
    void check_postings(SlotNumber number, SlotNumber head);
    void check_row(const Row& row);
    void check_target(const Row& row, SlotNumber target);
    template <typename Use>
    bool each_chunk(SlotNumber node, SlotNumber head, const char** problem, SlotNumber* at, Use use);
    bool refers(PageKind kind, SlotNumber owner, SlotNumber number);
    BitSet& referred(PageKind kind) { return referred_[static_cast<int>(kind) - 1]; }

    // ---- check_hnsw_reach.cpp
    void check_entry();
    void check_reach();
    uint32 links_of(SlotNumber node, SlotNumber* out);
    void follow(SlotNumber node);
    void sweep();

    const hnsw::HnswIndex& index_;
    Pages& pages_;
    Findings& findings_;
    MemoryContext context_;
    uint64 next_xid_;
    ArenaVec<uint8> states_;  // by node number
    BitSet referred_[format::kSlotKinds];  // slots that their owners refer to, by kind
    ArenaVec<Suspect> suspects_;
    uint64 live_ = 0, rows_ = 0, dead_ = 0;
    int top_ = -1;  // the highest level
    SlotNumber highest_ = format::kNoSlot;
    BitSet reached_;
    ArenaVec<SlotNumber> queue_;
    uint64 unreached_ = 0;
    bool searched_ = false;
    ArenaVec<float> scratch_;
    uint8* code_;
};

}  // namespace vext::check
