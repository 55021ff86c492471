// The order in which a finished graph is laid out on pages, so that a search comes by few of them. No Postgres here.
#pragma once

#include "hnsw/hnsw_memory.h"

namespace vext::hnsw {

// How much nodes that have no place yet would have to do with those of the page that is being filled. A search scores
// all neighbours of a node that it expands: so of two nodes in one row, as of the two ends of a link, one is seldom
// scored without the other. Which rows hold a node would take lists of links in the other direction; the rows of its
// nearest neighbours, which mostly link back, do as well. `Numbers` is an array of uint32_t.
template <typename Numbers>
class PageAffinity {
public:
    PageAffinity(const MemoryGraph& graph, Numbers& scores, Numbers& candidates)
        : graph_(graph), scores_(scores), candidates_(candidates) {
        scores_.clear();
        scores_.resize(graph.n, 0);
        candidates_.clear();
    }

    bool placed(uint32_t node) const { return scores_[node] == kPlaced; }

    // The node gets a place on this page.
    void place(uint32_t node, int level) {
        scores_[node] = kPlaced;
        const uint32_t* row = graph_.row(node, level);
        add(row, kLink);
        size_t near = std::min<size_t>(MemoryGraph::count(row), kNear);
        for (size_t i = 1; i <= near; i++) add(graph_.row(row[i], level), kShared);
    }

    // The node that has most to do with the page; kNoNode: none has.
    uint32_t best() {
        uint32_t best = kNoNode, best_score = 0;
        size_t kept = 0;
        for (uint32_t node : candidates_) {
            uint32_t score = scores_[node];
            if (score == kPlaced) continue;
            candidates_[kept++] = node;
            if (score > best_score) {
                best = node;
                best_score = score;
            }
        }
        candidates_.resize_uninitialized(kept);
        return best;
    }

    // The page is full.
    void forget() {
        for (uint32_t node : candidates_) {
            if (!placed(node)) scores_[node] = 0;
        }
        candidates_.clear();
    }

private:
    static constexpr uint32_t kPlaced = 0xFFFFFFFF;
    // Simulated (docs/design.md): more rows gain little, and their cost is in proportion.
    static constexpr size_t kNear = 4;
    static constexpr uint32_t kLink = 2, kShared = 1;

    void add(const uint32_t* row, uint32_t weight) {
        for (size_t i = 1; i <= MemoryGraph::count(row); i++) {
            uint32_t& score = scores_[row[i]];
            if (score == kPlaced) continue;
            if (score == 0) candidates_.push_back(row[i]);
            score += weight;
        }
    }

    const MemoryGraph& graph_;
    Numbers& scores_;
    Numbers& candidates_;
};

// order[i] is the node at place i. Nodes of upper levels come first, by the links of their level: all searches pass
// through some of these, so their pages stay in memory. A page is filled with what has most to do with it, and the
// next begins with what had most to do with the last; where nothing has, with the next in the order of rows. `scores`
// and `candidates` are working memory; `step()` is called page by page.
template <typename Numbers, typename Step>
void page_order(const MemoryGraph& graph, size_t per_page, Numbers& order, Numbers& scores, Numbers& candidates,
                Step step) {
    PageAffinity<Numbers> page{graph, scores, candidates};
    order.clear();
    order.reserve(graph.n);
    size_t page_end = per_page;
    for (int level = graph.n == 0 ? -1 : graph.levels[graph.entry()]; level >= 0; level--) {
        for (uint32_t unplaced = 0;;) {
            uint32_t node = page.best();
            if (order.size() >= page_end) {
                page.forget();
                page_end += per_page;
                step();
            }
            if (node == kNoNode) {
                while (unplaced < graph.n && (page.placed(unplaced) || graph.levels[unplaced] < level)) unplaced++;
                if (unplaced == graph.n) break;
                node = unplaced;
            }
            page.place(node, level);
            order.push_back(node);
        }
    }
}

}  // namespace vext::hnsw
