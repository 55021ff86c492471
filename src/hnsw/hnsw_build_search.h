// The searches of a build: several at a time in one thread, each a part of a step in turn, so that the memory which one of
// them waits for arrives while the others compute. No Postgres here.
#pragma once

#include <bit>

#include "base/prefetch.h"
#include "hnsw/hnsw_build_bits.h"

namespace vext::hnsw {

// The nearest candidates of a search in ascending order. An entry is one word: the key, made to compare as an integer,
// the node, and whether it was expanded.
template <template <typename> class V>
class BuildPool {
public:
    template <typename Source>
    explicit BuildPool(Source source) : entries_(source) {}

    // Keeps ef of them, the first `expands` of which are expanded.
    void reset(size_t ef, size_t expands) {
        entries_.resize_uninitialized(ef);
        ef_ = ef;
        expands_ = expands;
        size_ = cursor_ = 0;
    }

    size_t size() const { return size_; }
    bool is_full() const { return size_ == ef_; }
    uint32_t node(size_t i) const { return static_cast<uint32_t>(entries_[i] & 0xFFFFFFFF) >> 1; }
    codec::Key key(size_t i) const { return key_of(entries_[i]); }

    // Keys are no NaN (codecs see to that). A node that is in the pool already is not taken twice; one that has fallen
    // out is not admitted again.
    void offer(codec::Key key, uint32_t node) {
        uint64_t entry = entry_of(key, node);
        uint64_t* e = entries_.data();
        if (size_ == ef_ && entry >= e[size_ - 1]) return;
        size_t at = 0;
        for (size_t left = size_; left > 0;) {
            size_t half = (left + 1) / 2;
            at += e[at + half - 1] < entry ? half : 0;
            left -= half;
        }
        if (at < size_ && (e[at] | 1) == (entry | 1)) return;
        if (size_ == ef_) size_--;
        memmove(e + at + 1, e + at, (size_ - at) * sizeof(uint64_t));
        e[at] = entry;
        size_++;
        cursor_ = std::min(cursor_, at);
    }

    // The nearest that was not expanded yet, or kNoNode.
    uint32_t next() {
        size_t end = std::min(size_, expands_);
        while (cursor_ < end && (entries_[cursor_] & 1)) cursor_++;
        if (cursor_ >= end) return kNoNode;
        entries_[cursor_] |= 1;
        return node(cursor_);
    }

private:
    static uint64_t entry_of(codec::Key key, uint32_t node) {
        uint32_t bits = std::bit_cast<uint32_t>(key);
        bits ^= bits >> 31 ? 0xFFFFFFFFu : 0x80000000u;
        return static_cast<uint64_t>(bits) << 32 | node << 1;
    }
    static codec::Key key_of(uint64_t entry) {
        auto bits = static_cast<uint32_t>(entry >> 32);
        return std::bit_cast<codec::Key>(bits ^ (bits >> 31 ? 0x80000000u : 0xFFFFFFFFu));
    }

    V<uint64_t> entries_;
    size_t ef_ = 0, expands_ = 0, size_ = 0, cursor_ = 0;
};
static_assert(kMaxMemoryNodes <= size_t{1} << 31);  // what an entry has room for

// Nodes that a search has seen, in a table in which the later drives out the earlier: a node may be taken for a new
// one, and is then scored once more (the pool knows it), but never for a seen one. No branch depends on the answer.
template <template <typename> class V>
class SeenTable {
public:
    template <typename Source>
    explicit SeenTable(Source source) : table_(source) {}

    void reset(size_t ef) {
        size_t wanted = std::bit_ceil(ef * kPerCandidate);
        table_.resize_uninitialized(wanted);
        memset(table_.data(), 0xFF, wanted * sizeof(uint32_t));
        shift_ = 32 - std::countr_zero(wanted);
    }

    void add(uint32_t node) { take_new(&node, 1, &node); }

    // Adds nodes and leaves in `fresh`, which may be `nodes`, those that are new. Gives how many.
    size_t take_new(const uint32_t* nodes, size_t n, uint32_t* fresh) {
        uint32_t* table = table_.data();
        size_t count = 0;
        for (size_t i = 0, shift = shift_; i < n; i++) {
            uint32_t node = nodes[i], *slot = table + ((node * 0x9E3779B9u) >> shift);
            fresh[count] = node;
            count += *slot != node;
            *slot = node;
        }
        return count;
    }

private:
    static constexpr size_t kPerCandidate = 64;

    V<uint32_t> table_;
    int shift_ = 0;
};

// Brings a code or a row of links near, which may begin anywhere in a cache line.
inline void prefetch_piece(const void* from, size_t bytes) {
    // Behind these the processor sees by itself what is coming.
    bytes = std::min<size_t>(bytes, 512);
    prefetch(from, bytes);
    prefetch(static_cast<const char*>(from) + bytes - 1);
}

// One search of a build: from the entry point down to the node's level, then through its levels.
template <template <typename> class V>
class BuildSearch {
public:
    template <typename Source>
    BuildSearch(Source source, const MemoryGraph& graph, BitCoder<V>& coder)
        : graph_(graph), coder_(coder), table_(source), bytes_(source), pool_(source), seen_(source) {}

    // Begins for a node, on the level of the entry point, to find ef candidates on the node's own levels.
    void start(uint32_t node, uint32_t entry, size_t ef) {
        node_ = node;
        ef_ = ef;
        prepare_query(*graph_.p.codec, graph_.code(node), graph_.p.dim, &query_, table_);
        if (graph_.bits > 0) {
            bytes_.resize_uninitialized(graph_.bits);
            terms_ = coder_.prepare(node, bytes_.data());
            estimated_ = dropped_ = 0;
        }
        level_ = graph_.levels[entry];
        begin_level(entry);
    }

    // A part of a step, after which memory is waited for. False: the level is done.
    bool turn() {
        switch (part_) {
        case Part::score:
            score();
            return choose_next();
        case Part::look_up:
            look_up();
            break;
        case Part::estimate:
            drop_far_ones();
            ask_for_codes();
            break;
        }
        return true;
    }

    // Goes on one level below, from the nearest found.
    void step_down() {
        uint32_t entry = pool_.node(0);
        level_--;
        begin_level(entry);
    }

    uint32_t node() const { return node_; }
    int level() const { return level_; }
    const BuildPool<V>& found() const { return pool_; }

private:
    enum class Part { look_up, estimate, score };

    void begin_level(uint32_t entry) {
        bool above = level_ > graph_.levels[node_];
        size_t ef = above ? link_beam(ef_) : ef_;
        pool_.reset(ef, above ? ef : link_expands(ef, graph_.p.m));
        worth_ = above ? ef : link_worth(ef);
        seen_.reset(ef);
        seen_.add(entry);
        links_[0] = entry;
        fresh_ = 1;
        ask_for_codes();
    }

    bool choose_next() {
        uint32_t next = pool_.next();
        if (next == kNoNode) return false;
        row_ = graph_.row(next, level_);
        prefetch_piece(row_, graph_.p.row_width(level_) * sizeof(uint32_t));
        part_ = Part::look_up;
        return true;
    }

    void look_up() {
        fresh_ = seen_.take_new(row_ + 1, MemoryGraph::count(row_), links_);
        if (graph_.bits == 0 || !pool_.is_full() || in_vain()) {
            ask_for_codes();
            return;
        }
        for (size_t i = 0; i < fresh_; i++) prefetch(graph_.bit_code(links_[i]), graph_.bit_stride);
        part_ = Part::estimate;
    }

    void drop_far_ones() {
        const uint8_t* rows[kMaxLinks];
        float estimates[kMaxLinks];
        for (size_t i = 0; i < fresh_; i++) rows[i] = graph_.bit_code(links_[i]);
        codec::estimate_rows(terms_, rows, fresh_, graph_.bits, estimates);
        float limit = coder_.limit(pool_.key(worth_ - 1));
        size_t kept = 0;
        for (size_t i = 0; i < fresh_; i++) {
            links_[kept] = links_[i];
            kept += !(estimates[i] > limit);
        }
        estimated_ += fresh_;
        dropped_ += fresh_ - kept;
        fresh_ = kept;
    }

    // Where nodes lie in clusters that are small beside what lies between these, estimates tell little.
    bool in_vain() const { return estimated_ > 128 && dropped_ < estimated_ / 3; }

    void ask_for_codes() {
        for (size_t i = 0; i < fresh_; i++) prefetch_piece(graph_.code(links_[i]), graph_.stride);
        part_ = Part::score;
    }

    void score() {
        const uint8_t* codes[kMaxLinks];
        codec::Key keys[kMaxLinks];
        for (size_t i = 0; i < fresh_; i++) codes[i] = graph_.code(links_[i]);
        graph_.p.codec->score(query_, codes, fresh_, keys);
        for (size_t i = 0; i < fresh_; i++) pool_.offer(keys[i], links_[i]);
    }

    const MemoryGraph& graph_;
    BitCoder<V>& coder_;
    codec::Query query_{};
    V<uint64_t> table_;  // of the query
    simd::RowTerms terms_{};  // of estimates
    V<uint8_t> bytes_;        // of these
    size_t estimated_ = 0, dropped_ = 0;
    BuildPool<V> pool_;
    SeenTable<V> seen_;
    uint32_t node_ = kNoNode;
    size_t ef_ = 0;
    int level_ = 0;
    size_t worth_ = 0;  // what is farther than so many candidates, by its estimate, is not looked at
    Part part_ = Part::score;
    const uint32_t* row_ = nullptr;  // of the node that is expanded
    size_t fresh_ = 0;
    uint32_t links_[kMaxLinks];  // of these, the new ones that may be near
};

}  // namespace vext::hnsw
