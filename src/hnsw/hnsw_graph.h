// The algorithms of HNSW (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
// hierarchical navigable small world graphs", 2016) over a store: the in-memory graph of a build, or index pages.
// No Postgres here.
//
// A Store has
//   size_t links(node, level, uint32_t* out)   copies the neighbours of a node, at most kMaxLinks
//   void prefetch_links(node, level)           a hint
//   void score_into(nodes, n, pool)            scores nodes and offers them to the pool
//   void check_interrupts()
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "base/hash.h"
#include "codec/codec.h"
#include "hnsw/hnsw_pool.h"

namespace vext::hnsw {

inline constexpr int kMaxLevel = 31;
inline constexpr size_t kMaxM = 100;
inline constexpr size_t kMaxLinks = 2 * kMaxM;

// Level of a new node: geometric with ratio 1/m (section 4.1 of the paper, mL = 1/ln m).
inline int random_level(uint64_t bits, uint32_t m) {
    double level = -std::log(unit_interval(bits)) / std::log(static_cast<double>(m));
    return std::min(static_cast<int>(level), kMaxLevel);
}

// Makes a code the query of many comparisons. `table` is working memory.
template <typename Words>
void prepare_query(const codec::Codec& codec, const uint8_t* code, uint32_t dim, codec::Query* query, Words& table) {
    codec.prepare(code, dim, query);
    if (codec.tabulate == nullptr) return;
    table.resize_uninitialized(codec.table_bytes(*query) / sizeof(uint64_t));
    codec.tabulate(query, table.data());
}

// Scores the neighbours of a node that were not seen yet.
template <typename Store, typename Pool, typename Seen>
void expand(Store& store, uint32_t node, int level, Pool& pool, Seen& seen) {
    uint32_t links[kMaxLinks];
    size_t n = store.links(node, level, links);
    size_t fresh = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t neighbour = links[i];
        links[fresh] = neighbour;
        fresh += seen.insert(neighbour);
    }
    uint32_t upcoming = pool.peek();
    if (upcoming != kNoNode) store.prefetch_links(upcoming, level);
    store.score_into(links, fresh, pool);
    uint32_t nearer = pool.peek();
    if (nearer != upcoming && nearer != kNoNode) store.prefetch_links(nearer, level);
    store.check_interrupts();
}

// Algorithm 2, SEARCH-LAYER. The pool holds the entry points, each in `seen`; at the end it holds the nearest found.
template <typename Store, typename Pool, typename Seen>
void search_layer(Store& store, int level, Pool& pool, Seen& seen) {
    while (Candidate* best = pool.next()) expand(store, best->node, level, pool, seen);
}

// How many candidates a descent keeps on the upper levels. The paper says one. But where rows lie in tight clusters
// their edges lead to their own cluster, and a beam of one may end in a wrong one and never leave it. To a search that
// costs a few answers. A new node is linked where its search ended, and is not found from elsewhere later: linking is
// more careful than searching.
inline size_t search_beam(size_t ef) { return std::max<size_t>(ef / 32, 1); }
inline size_t link_beam(size_t ef) { return std::max<size_t>(ef / 32, 4); }

// Of the ef candidates for a new node's neighbours so many are expanded, not the farthest: what lies behind these is seldom
// chosen. docs/design.md has what that saves and what it costs.
inline size_t link_expands(size_t ef, size_t m) { return ef - std::min(3 * m / 4, 3 * ef / 16); }

// How many of the candidates a new node chooses as its neighbours, of 2m places that it has on level 0: m, as the paper says, and
// where ef_construction is wide a few more. Among many candidates these are worth their while (docs/design.md).
inline size_t most_chosen(size_t m, size_t ef_construction, int level) {
    constexpr size_t kWide = 8;
    return level == 0 && ef_construction >= kWide * m ? m + m / 4 : m;
}

// And of the nodes that a build estimates first, those are worth a look that may be among the nearest so many.
inline size_t link_worth(size_t ef) { return ef - ef / 2; }

// Lines 4 to 7 of algorithm 5: from the entry point down to `level` + 1 with a beam of `beam`. Leaves in the pool and
// in `seen` the start of a search of `level` with a beam of ef.
struct Descent {
    int from_level;
    int level;
    size_t beam;
    size_t ef;
    size_t spare;
};
template <typename Store, typename Pool, typename Seen>
void descend(Store& store, uint32_t entry, const Descent& d, Pool& pool, Seen& seen) {
    for (int l = d.from_level; l >= d.level; l--) {
        bool last = l == d.level;
        pool.reset(last ? d.ef : d.beam, last ? d.spare : 0);
        seen.reset(last ? d.ef * 16 : kMaxLinks);
        seen.insert(entry);
        store.score_into(&entry, 1, pool);
        if (last || pool.size() == 0) return;
        search_layer(store, l, pool, seen);
        entry = pool[0].node;
    }
}

// A search of level 0 from the top. It starts from the entry point too, wherever the descent ended: what is reachable
// at all is reachable from there.
template <typename Store, typename Pool, typename Seen>
void search_from_top(Store& store, uint32_t entry, int entry_level, size_t ef, size_t spare, Pool& pool,
                     Seen& seen, const Horizon& horizon = {}) {
    descend(store, entry, {entry_level, 0, search_beam(ef), ef, spare + horizon.wider}, pool, seen);
    pool.set_horizon(horizon);
    if (seen.insert(entry)) store.score_into(&entry, 1, pool);
    search_layer(store, 0, pool, seen);
}

struct Neighbor {
    codec::Key key;  // from the base node
    uint32_t node;
    const uint8_t* code;
    bool settled = false;  // the heuristic has kept it together with the other settled ones
};

inline bool nearer(const Neighbor& a, const Neighbor& b) {
    return a.key < b.key || (a.key == b.key && a.node < b.node);
}

// Algorithm 4, SELECT-NEIGHBORS-HEURISTIC: a candidate is kept when it is nearer to the base than to any
// neighbour kept before, or nearly so (the codec's prune_relax). `sorted` ascends by key; `out` may be its own
// storage. Gives the count, at most max.
//
// By inner product a long vector is nearest to everything, itself hardly included, and next to it the heuristic keeps
// nobody. Where it keeps few, the nearest of the others fill the row, up to `room`.
//
// Those that the heuristic kept come out as settled. Candidates that come in as settled (they were kept together
// before, next to the same base) are not compared with each other again.
inline size_t select_neighbors(const codec::Codec& codec, uint32_t dim, std::span<const Neighbor> sorted, size_t max,
                               size_t room, Neighbor* out) {
    constexpr size_t kFew = 4;  // a fourth of max
    bool fills = codec.metric == codec::Metric::inner_product;
    const uint8_t* kept[kMaxLinks];
    const uint8_t* kept_unsettled[kMaxLinks];
    Neighbor refused[kMaxLinks];
    size_t n = 0, unsettled = 0, n_refused = 0;
    for (Neighbor candidate : sorted) {
        if (n == max) break;
        const uint8_t* const* others = candidate.settled ? kept_unsettled : kept;
        size_t other_count = candidate.settled ? unsettled : n;
        codec::Query query;
        codec.prepare(candidate.code, dim, &query);
        bool keep = true;
        constexpr size_t kStep = 4;
        for (size_t i = 0; i < other_count && keep; i += kStep) {
            codec::Key keys[kStep];
            size_t count = std::min(kStep, other_count - i);
            codec.score(query, others + i, count, keys);
            for (size_t j = 0; j < count; j++) keep &= candidate.key <= keys[j] * codec.prune_relax;
        }
        if (keep) {
            kept[n] = candidate.code;
            if (!candidate.settled) kept_unsettled[unsettled++] = candidate.code;
            candidate.settled = true;
            out[n++] = candidate;
        } else if (fills && n_refused < room) {
            candidate.settled = false;
            refused[n_refused++] = candidate;
        }
    }
    if (fills && n < max / kFew) {
        for (size_t i = 0; i < n_refused && n < room; i++) out[n++] = refused[i];
    }
    return n;
}

}  // namespace vext::hnsw
