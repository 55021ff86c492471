// The two sets of a graph search: which nodes were seen, and the best found so far. No Postgres here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "codec/codec.h"
#include "hnsw/hnsw_horizon.h"

namespace vext::hnsw {

inline constexpr uint32_t kNoNode = 0xFFFFFFFFu;

// A scored node.
struct Candidate {
    codec::Key key;
    uint32_t node;
    bool expanded = false;
    bool passes = false;  // a filter; under one
};

// Node numbers seen by one search: open addressing, so that clearing costs what the search visited.
template <template <typename> class Vec>
class NodeSet {
public:
    template <typename Source>
    explicit NodeSet(Source source) : table_(source), other_(source) {}

    void reset(size_t expected) {
        size_t wanted = 64;
        while (wanted < expected * 4) wanted *= 2;
        table_.resize_uninitialized(wanted);
        memset(table_.data(), 0xFF, wanted * sizeof(uint32_t));
        used_ = 0;
    }

    // True when the node was not in the set yet. (Nobody can foretell which it is: no branches.)
    bool insert(uint32_t node) {
        if (used_ * 2 >= table_.size()) grow();
        uint32_t* slot = find(node);
        bool fresh = *slot != node;
        *slot = node;
        used_ += fresh;
        return fresh;
    }

    size_t size() const { return used_; }

private:
    uint32_t* find(uint32_t node) {
        size_t mask = table_.size() - 1;
        size_t i = (static_cast<uint64_t>(node) * 0x9E3779B97F4A7C15u >> 32) & mask;
        while (table_[i] != kNoNode && table_[i] != node) i = (i + 1) & mask;
        return &table_[i];
    }

    void grow() {
        size_t wanted = table_.size() * 2;
        std::swap(table_, other_);
        table_.clear();
        table_.resize(wanted, kNoNode);
        for (uint32_t node : other_) {
            if (node != kNoNode) *find(node) = node;
        }
    }

    Vec<uint32_t> table_;
    Vec<uint32_t> other_;  // the buffer that grow() moves out of
    size_t used_ = 0;
};

// The best candidates so far in ascending key order: one linear pool (as in NSG and DiskANN), whose first `ef`
// entries are the beam that gets expanded; entries after these were scored anyway and serve a caller that wants
// a few rows more than ef. What falls out goes to `spilled` when the caller keeps one (iterative scans).
template <template <typename> class Vec>
class Pool {
public:
    template <typename Source>
    explicit Pool(Source source) : entries_(source) {}

    // Collects what falls out, from the last reset() on.
    void keep_spilled(Vec<Candidate>* spilled) { spilled_ = spilled; }

    void reset(size_t ef, size_t spare) {
        entries_.resize_uninitialized(ef + spare);
        capacity_ = ef + spare;
        ef_ = ef;
        size_ = cursor_ = expanded_ = 0;
        horizon_ = {};
        if (spilled_ != nullptr) spilled_->clear();
    }

    // A wider beam goes on where the one before has ended.
    void widen(size_t ef) { ef_ = std::min(ef, capacity_); }

    // Besides, the search ends there. What its beam is wider has been reset() as spare.
    void set_horizon(const Horizon& horizon) {
        horizon_ = horizon;
        widen(ef_ + horizon.wider);
    }

    size_t size() const { return size_; }
    // How many lie within the horizon: behind them nearer ones may have been left out.
    size_t within() const {
        size_t n = 0;
        while (n < size_ && !is_beyond(entries_[n].key)) n++;
        return n;
    }
    const Candidate& operator[](size_t i) const { return entries_[i]; }
    bool admits(codec::Key key) const { return size_ < capacity_ || key < entries_[size_ - 1].key; }

    void insert(const Candidate& c) {
        if (!admits(c.key)) {
            if (spilled_ != nullptr) spilled_->push_back(c);
            return;
        }
        size_t at = size_;
        if (size_ == capacity_) {
            if (spilled_ != nullptr) spilled_->push_back(entries_[size_ - 1]);
            at = --size_;
        }
        Candidate* e = entries_.data();
        at = place_of(e, c.key);
        memmove(static_cast<void*>(e + at + 1), e + at, (size_ - at) * sizeof(Candidate));
        e[at] = c;
        size_++;
        cursor_ = std::min(cursor_, at);
    }

    // The nearest candidate of the beam that was not expanded yet; nullptr when the search is over.
    Candidate* next() {
        size_t beam = std::min(ef_, size_);
        while (cursor_ < beam && entries_[cursor_].expanded) cursor_++;
        if (cursor_ == beam || is_beyond(entries_[cursor_].key)) return nullptr;
        expanded_++;
        entries_[cursor_].expanded = true;
        return &entries_[cursor_++];
    }

    // What next() would give, for prefetching.
    uint32_t peek() const {
        size_t beam = std::min(ef_, size_);
        for (size_t i = cursor_; i < beam; i++) {
            if (!entries_[i].expanded) return entries_[i].node;
        }
        return kNoNode;
    }

private:
    bool is_beyond(codec::Key key) const {
        const auto& [rank, times, plus, least, wider] = horizon_;
        return rank > 0 && size_ >= rank && expanded_ >= least && key > entries_[rank - 1].key * times + plus;
    }

    // Behind all that are not farther. As std::upper_bound, without branches: each would be a guess.
    size_t place_of(const Candidate* e, codec::Key key) const {
        const Candidate* first = e;
        for (size_t n = size_; n > 0;) {
            size_t half = (n + 1) / 2;
            first += key < first[half - 1].key ? 0 : half;
            n -= half;
        }
        return first - e;
    }

    Vec<Candidate> entries_;
    Vec<Candidate>* spilled_ = nullptr;
    size_t capacity_ = 0, ef_ = 0, size_ = 0, cursor_ = 0, expanded_ = 0;
    Horizon horizon_;
};

}  // namespace vext::hnsw
