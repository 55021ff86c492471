// The search of level 0 under a filter: it passes through all nodes, collects those that have a row which passes, and
// ends when enough of these are nearer than anything left to look at. README.md, "Filters".
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"

namespace vext::hnsw {

class FilteredSearch {
public:
    // All must outlive the search; the filter is the store's.
    FilteredSearch(HnswStore& store, NodeSet<ArenaVec>& seen, MemoryContext context)
        : store_(store), seen_(seen), blocks_(RelationGetNumberOfBlocks(store.index().rel)), frontier_(context),
          later_(context), aside_(context), best_(context), found_(context), tested_(context) {}

    // Goes on until `beam` nodes that pass, and were not taken yet, are known to be the nearest; fewer where most
    // others fail too. At most `limit` nodes are scored, all searches together.
    void search(size_t beam, uint64 limit);
    // Hands over the nearest n of the nodes that were found: use(candidate). Those behind them: left(candidate).
    template <typename Use, typename Left>
    void take(size_t n, size_t look, Use use, Left left) {
        n = std::min(n, best_.size() + found_.size());
        gather(n + look);
        for (size_t i = 0; i < n; i++) use(best_[i]);
        for (size_t i = n; i < std::min(n + look, best_.size()); i++) left(best_[i]);
        std::copy(best_.begin() + n, best_.end(), best_.begin());
        best_.resize_uninitialized(best_.size() - n);
    }
    // How many of the beam to take, and whether there is nothing left to search.
    size_t wanted() const;
    bool exhausted() const { return exhausted_; }
    // Of nodes, in the index.
    uint64 places() const { return uint64{blocks_} * store_.index().layout.nodes.per_page; }
    size_t bytes() const {
        return frontier_.bytes() + later_.bytes() + aside_.bytes() + best_.bytes() + found_.bytes() + seen_.size() * 8;
    }

    // Scored elsewhere.
    void add(Candidate c) {
        c.passes = store_.may_pass(c.node);
        insert(c);
    }
    // What expand() needs of a pool. The store tests what it offers.
    static constexpr bool kTested = true;
    void insert(const Candidate& c);
    uint32_t peek() const { return frontier_.empty() ? kNoNode : frontier_[0].node; }

private:
    enum class Way { on, leap, sweep };

    size_t enough() const { return landed_ ? beam_ : wanted(); }
    void widen(size_t beam);
    void gather(size_t count);
    void keep(const Candidate& c);
    void push(const Candidate& c);
    double left_to_score(size_t enough) const;
    Way choose_way(uint64 limit);
    void sample();
    void leap();
    void part();
    void come_back(uint64 limit);
    void sweep(uint64 limit);
    template <typename Pool>
    void score_tested(Pool& pool);

    HnswStore& store_;
    NodeSet<ArenaVec>& seen_;
    BlockNumber blocks_;  // what comes behind them later is not visible to the scan
    ArenaVec<Candidate> frontier_;  // a heap: not expanded, nearest first
    ArenaVec<Candidate> later_;     // not expanded, and behind the beam when they were scored
    ArenaVec<Candidate> aside_;     // not expanded, and left where the search leapt away
    ArenaVec<Candidate> best_;      // ascending: the nearest that pass and were not taken, at least beam_ if there are so many
    ArenaVec<Candidate> found_;     // others that pass
    size_t asked_ = 1, beam_ = 1;   // the beam, and what is kept of it: more once the search has leapt
    double spent_ = 0;              // nodes scored when this search began
    size_t passed_ = 0;             // of all scored in the graph
    bool landed_ = false;           // the search has leapt
    bool leapt_ = false;            // and is there: only nodes that pass, and their neighbours, are expanded
    uint64 look_until_ = 0;         // back again, it ends when so many were scored
    bool near_passing_ = true;      // what is scored now is a neighbour of one that passes
    ArenaVec<SlotNumber> tested_;   // pass, and are to be scored
    double share_ = 1;              // of the last nodes scored, how many pass
    double share_of_all_ = -1;      // of all nodes, as far as a sample tells; negative: not looked at yet
    bool exhausted_ = false;
};

}  // namespace vext::hnsw
