// The store of a search over index pages: see hnsw_graph.h for what it must do. Also where everybody reads nodes and
// links from. Locks: README.md beside this file.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_index.h"
#include "page/page_reader.h"
#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::hnsw {

// Where the links of a node on a level are.
struct LinkRow {
    const SlotShape* shape;
    BlockNumber block;
    uint32 slot;
    SlotNumber node;
    int level;
};

// The links of a row on its page; nullptrs when the row no longer belongs to the node.
struct LinkView {
    uint16* count;
    SlotNumber* links;
};

class HnswStore {
public:
    explicit HnswStore(const HnswIndex& index)
        : index_(index), reader_(index.rel), lock_codes_(RecoveryInProgress()), table_(CurrentMemoryContext) {}

    const HnswIndex& index() const { return index_; }
    page::PageReader& reader() { return reader_; }

    // `code` must outlive the searches. `bounds`: lower_bound() will be asked of the candidates.
    void set_query(const uint8* code, bool bounds) {
        prepare_query(*index_.codec, code, index_.dim(), &query_, table_);
        bounds_ = bounds;
    }

    size_t links(SlotNumber node, int level, uint32* out);
    void prefetch_links(SlotNumber node, int level);
    void check_interrupts() { CHECK_FOR_INTERRUPTS(); }
    float slack(const uint8* code) const { return bounds_ ? index_.codec->slack(query_, code) : 0; }
    float lower_bound(const Candidate& c) const { return index_.codec->lower_bound(query_, c.key, c.slack); }

    // Asks memory for the lines of nodes, where the hints say they are, some nodes ahead of the one that is scored.
    template <typename Emit>
    void score(const SlotNumber* nodes, size_t n, Emit emit) {
        constexpr size_t kAhead = 6;
        for (size_t i = 0; i < std::min(n, kAhead); i++) prefetch_code(nodes[i]);
        for (size_t i = 0; i < n; i++) {
            if (i + kAhead < n) prefetch_code(nodes[i + kAhead]);
            read_code(nodes[i], [&](const format::HnswNode* node, const uint8* code) {
                codec::Key key;
                index_.codec->score(query_, &code, 1, &key);
                emit(key, nodes[i], node->generation, code);
            });
        }
        scored_ += n;
    }

    // Calls use(node header, code) with the page pinned. A code does not change while a search that may have seen
    // its number runs (README.md, "Reuse of slots"), so no lock is needed; replay on a standby knows no such rule.
    // There is no call for the number of a freed node whose place is part of another now.
    template <typename Use>
    void read_code(SlotNumber number, Use use) {
        const SlotShape& nodes = index_.layout.nodes;
        pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
        format::HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
        if (!lock_codes_) {
            if (is_whole(pin.page(), node, nodes.slot(number))) use(node, code_at(index_, node));
        } else {
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            if (is_whole(pin.page(), node, nodes.slot(number))) use(node, code_at(index_, node));
        }
    }

    // Finds the row without holding locks; false when the node has none on that level (any more).
    bool find_row(SlotNumber node, int level, LinkRow* row);
    // The links of a row on its locked page. {} when the row changed hands. ERROR: an impossible count.
    LinkView view_row(Page page, const LinkRow& row);

    uint64 scored() const { return scored_; }

private:
    void prefetch_code(SlotNumber number);
    bool is_whole(Page page, format::HnswNode* node, uint32 slot) const {
        const HnswLayout& layout = index_.layout;
        return !layout.nodes.runs || (has_node(index_, page, slot) &&
                                      slot + index_.node_slots(code_at(index_, node)) <= layout.nodes.per_page);
    }

    const HnswIndex& index_;
    page::PageReader reader_;
    bool lock_codes_;
    bool bounds_ = false;
    codec::Query query_{};
    ArenaVec<uint64> table_;  // of the query
    uint64 scored_ = 0;
};

}  // namespace vext::hnsw
