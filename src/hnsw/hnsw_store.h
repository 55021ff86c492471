// The store of a search over index pages: see hnsw_graph.h for what it must do. Also where everybody reads nodes and
// links from. Locks: README.md beside this file.
#pragma once

#include <algorithm>
#include <cmath>

#include "pg/postgres.h"

#include "hnsw/hnsw_index.h"
#include "hnsw/hnsw_pool.h"
#include "index/attribute_filter.h"
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
    // Working memory comes from `context`.
    HnswStore(const HnswIndex& index, MemoryContext context)
        : index_(index), reader_(index.rel), lock_codes_(RecoveryInProgress()), prefetched_(usual_bytes(index)),
          decoded_(context), table_(context) {}

    const HnswIndex& index() const { return index_; }
    page::PageReader& reader() { return reader_; }

    // `code`, of codec `by`, must outlive the searches.
    void set_query(const uint8* code, const codec::Codec& by) {
        prepare_query(by, code, index_.dim(), &query_, table_);
    }

    // What that query is the code of, for closer bounds; nullptr: not known. Must outlive them.
    void set_values(const float* values) {
        bool helps = index_.codec->score_closely != nullptr && std::isfinite(query_.residual);
        values_ = helps ? values : nullptr;
        if (values_ != nullptr) decoded_.resize_uninitialized(index_.dim());
    }

    // Rows that read_result() and passes() let through; it must outlive the searches. nullptr: all.
    void set_filter(const index::AttributeFilter* filter) { filter_ = filter; }
    // A node's row or an entry of a chunk.
    template <typename Holder>
    bool passes(const Holder* holder) const {
        return filter_ == nullptr || filter_->passes(holder + 1, holder->null_attributes);
    }

    // Whether a node has a row that passes, as far as that can be told in passing. In a chain of many chunks the first
    // ones are looked at.
    bool may_pass(SlotNumber number) { return may_pass(number, guess_node(number)); }
    // The same of a node whose page is locked, or seen by a hint (then what is read may be wrong).
    bool node_passes(const format::HnswNode* node, SlotNumber number) {
        if (ItemPointerIsValid(&node->tid) && passes(node)) return true;
        return node->posting != format::kNoSlot && chain_passes(node->posting, number);
    }

    // Asks for what test_block() reads, of a block that will be tested soon.
    void prefetch_tests(BlockNumber block);
    // Appends the nodes of a block that may have a row that passes: those of all such rows that a snapshot taken before
    // may see, and where there are sketches others too. Gives of how many.
    size_t test_block(BlockNumber block, ArenaVec<uint32>* passing);
    // Leaves of what test_block() gave those that may_pass().
    void keep_passing(ArenaVec<uint32>* nodes);

    codec::Key key_of(const uint8* code) const {
        codec::Key key;
        index_.codec->score(query_, &code, 1, &key);
        return key;
    }

    // The length of the query, which set_query() was given, under inner product.
    double query_length(const uint8* code, const codec::Codec& by) const {
        codec::Key key;
        by.score(query_, &code, 1, &key);
        return std::sqrt(std::max<double>(-key, 0));
    }

    // For searches: where it can be seen without a pin, as somebody who changes it may leave it for a moment.
    size_t links(SlotNumber node, int level, uint32* out) {
        followed_++;
        size_t n;
        return glimpse_links(node, level, out, &n) ? n : read_links(node, level, out);
    }
    size_t read_links(SlotNumber node, int level, uint32* out);
    void prefetch_links(SlotNumber node, int level);
    void check_interrupts() { CHECK_FOR_INTERRUPTS(); }

    // Codes are scored without a pin, whose bookkeeping costs as much as the distance: where the hint says that their
    // page is. `mark` tells a stale hint; the page may also leave the buffer while it is looked at, and then the score
    // is wrong. So keys lead a search, and what it finds is read again (read_result) before anything is said of it.
    template <typename Pool>
    void score_into(const SlotNumber* nodes, size_t n, Pool& pool) {
        scored_ += n;
        for (size_t done = 0; done < n; done += kTogether) {
            score_some(nodes + done, std::min(kTogether, n - done), pool);
        }
    }

    // What bound a scored node probably has, without a pin; `certain`: has, since its page was there all the while. False:
    // that cannot be seen so.
    bool glimpse_bound(const Candidate& c, float* bound, bool* certain);
    // What a code of this key would be bounded by that lost nothing.
    float estimate(codec::Key key) const { return index_.codec->lower_bound(query_, key, 0); }

    // A node as the result of a search: its bound, if it is asked for, its rows. The one in the node is given if it passes the
    // filter.
    struct Found {
        float bound;
        uint32 generation;
        ItemPointerData tid;
        SlotNumber posting;
    };
    // False: the node is not live (any more), or has no row that may pass.
    bool read_result(SlotNumber number, bool bounded, Found* found);
    bool in_recovery() const { return lock_codes_; }

    // Calls use(node header, code) with the page pinned. A code does not change while a search that may have seen
    // its number runs (README.md, "Reuse of slots"), so no lock is needed; replay on a standby knows no such rule.
    // There is no call for the number of a freed node whose place is part of another now.
    template <typename Use>
    void read_code(SlotNumber number, Use use) {
        const SlotShape& nodes = index_.layout.nodes;
        pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
        format::HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
        auto look = [&] {
            if (has_whole_node(index_, pin.page(), nodes.slot(number))) use(node, code_at(index_, node));
        };
        if (!lock_codes_) {
            look();
        } else {
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            look();
        }
    }

    // Finds the row without holding locks; false when the node has none on that level (any more).
    bool find_row(SlotNumber node, int level, LinkRow* row);
    // The links of a row on its locked page. {} when the row changed hands. ERROR: an impossible count.
    LinkView view_row(Page page, const LinkRow& row);

    uint64 scored() const { return scored_; }
    uint64 followed() const { return followed_; }

private:
    // Of a node that probably is where `guessed` says.
    bool may_pass(SlotNumber number, const format::HnswNode* guessed) {
        if (!lock_codes_ && glimpse(guessed, number) != nullptr) {
            if (node_passes(guessed, number)) return true;
            // Wrongly to say yes does no harm, rows are tested again; to say no loses them.
            pg_read_barrier();
            if (reader_.moves() ? surely_fails(guessed, number) : glimpse(guessed, number) != nullptr) return false;
        }
        return may_pass_locked(number);
    }
    bool may_pass_locked(SlotNumber number);
    bool may_glimpse_links();
    bool glimpse_links(SlotNumber number, int level, uint32* out, size_t* n);
    bool chain_passes(SlotNumber chunk, SlotNumber node);
    bool surely_fails(const format::HnswNode* guessed, SlotNumber number);
    size_t test_page(const char* page, BlockNumber block, ArenaVec<uint32>* passing);
    bool has_mark(const char* page, BlockNumber block);
    bool copy_sketches(const char* page, BlockNumber block, char* copy);
    void test_sketches(const char* page, BlockNumber block, const char* sketches, ArenaVec<uint32>* passing);

    static uint32 usual_bytes(const HnswIndex& index) {
        constexpr uint32 kUsualSparseCode = 256;  // 60 to 80 elements
        return index.layout.nodes.runs ? index.layout.code_offset + kUsualSparseCode : index.layout.links_offset;
    }

    // Where a node probably is in memory, or nullptr.
    const format::HnswNode* guess_node(SlotNumber number) {
        const SlotShape& nodes = index_.layout.nodes;
        const char* page = reader_.guess(nodes.block(number));
        if (page == nullptr) return nullptr;
        return reinterpret_cast<const format::HnswNode*>(page + nodes.begin() + nodes.slot(number) * nodes.slot_bytes);
    }

    // Whether a code that says itself how long it is ends on the page of its node.
    bool fits_page(const uint8* code, SlotNumber number) const {
        const SlotShape& nodes = index_.layout.nodes;
        return !nodes.runs || nodes.slot(number) + index_.node_slots(code) <= nodes.per_page;
    }

    // A code that says itself how long it is may say another length the next moment, when its page has left the buffer:
    // what is scored is a copy. False: it does not fit its page.
    bool score_one(const uint8* code, SlotNumber number, codec::Key* key) const;

    // key_of_code(): the key by the code of the query.
    template <typename KeyOf>
    float bound_of(const uint8_t* code, KeyOf key_of_code) {
        const codec::Codec& c = *index_.codec;
        codec::Key key;
        float slack;
        if (values_ == nullptr || !c.score_closely(query_, values_, code, decoded_.data(), &key, &slack)) {
            key = key_of_code();
            slack = c.slack(query_, code);
        }
        return c.lower_bound(query_, key, slack);
    }

    // False: there is no such node any more.
    bool read_key(SlotNumber number, codec::Key* key) {
        bool found = false;
        read_code(number, [&](const format::HnswNode*, const uint8* code) { found = score_one(code, number, key); });
        return found;
    }

    // The code of a node where a hint says that it is, or nullptr.
    const uint8* glimpse(const format::HnswNode* node, SlotNumber number) const {
        if (node == nullptr) return nullptr;
        page::unpinned_again(node, index_.layout.code_offset + codec::kMinSparseCode);
        if (node->mark != mark_of(index_, number)) return nullptr;
        const uint8* code = reinterpret_cast<const uint8*>(node) + index_.layout.code_offset;
        return fits_page(code, number) ? code : nullptr;
    }

    // All are asked for before the first is looked at: their cache misses overlap.
    static constexpr size_t kTogether = 32;
    template <typename Pool>
    void score_some(const SlotNumber* nodes, size_t n, Pool& pool) {
        const format::HnswNode* guessed[kTogether];
        for (size_t i = 0; i < n; i++) {
            guessed[i] = guess_node(nodes[i]);
            prefetch_code(guessed[i]);
            if (filter_ != nullptr && reader_.moves()) reader_.prefetch_pin(index_.layout.nodes.block(nodes[i]));
        }
        const uint8* codes[kTogether] = {};
        codec::Key keys[kTogether];
        size_t place[kTogether];
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            codes[count] = glimpse(guessed[i], nodes[i]);
            place[count] = i;
            if (codes[count] == nullptr) continue;
            count += !index_.layout.nodes.runs || score_one(codes[count], nodes[i], &keys[count]);
        }
        if (!index_.layout.nodes.runs) index_.codec->score(query_, codes, count, keys);
        if (count < n) bring_missing(nodes, n, place, count);
        auto offer = [&](codec::Key key, size_t i) {
            Candidate c{key, nodes[i]};
            if constexpr (requires { Pool::kTested; }) c.passes = may_pass(nodes[i], guessed[i]);
            pool.insert(c);
        };
        // In their order, whatever was in memory: a search gives the same answers twice.
        for (size_t i = 0, known = 0; i < n; i++) {
            if (known < count && place[known] == i) {
                offer(keys[known++], i);
            } else if (codec::Key key; read_key(nodes[i], &key)) {
                offer(key, i);
            }
        }
    }

    // The pages of nodes that were not found where the hints say, known[0] to known[count - 1] being those that were.
    void bring_missing(const SlotNumber* nodes, size_t n, const size_t* known, size_t count);

    void prefetch_code(const format::HnswNode* node) const {
        if (node == nullptr) return;
        prefetch(node, prefetched_);
    }

    const HnswIndex& index_;
    page::PageReader reader_;
    bool lock_codes_;
    const index::AttributeFilter* filter_ = nullptr;
    uint32 prefetched_;  // bytes of a slot up to where most codes end
    codec::Query query_{};
    const float* values_ = nullptr;  // of the query
    ArenaVec<float> decoded_;        // as many
    ArenaVec<uint64> table_;         // of the query
    uint64 scored_ = 0, followed_ = 0;
};

}  // namespace vext::hnsw
