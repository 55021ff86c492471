// Every node must be reachable from the entry point on level 0; builds and vacuum make sure of it. No Postgres here.
#pragma once

#include <algorithm>
#include <cstdint>

#include "hnsw/hnsw_pool.h"

namespace vext::hnsw {

// A breadth-first search notes the edge by which each node was reached first. A node that was not reached gets an
// edge from the nearest reached node that has room or has an edge by which nobody was reached: taking that one away
// cuts nobody off. So does a node that none of its own neighbours leads back to: it may be reachable by some long way
// round, which no search takes. Only the farthest edges are taken; where too many nodes lie near to the same few, the
// others hang on those that were attached before.
//
// The search takes 8 bytes a node. Without (limit 0) only the second is seen to: that some neighbour leads back to each
// node, and an edge is taken away only from a node that another neighbour of its own leads back to.
//
// A Graph has
//   size_t links(node, out)            the neighbours of a node on level 0
//   size_t max_links()
//   void nearest(node, use)            calls use(other) for nodes near a node, nearest first, until use says true
//   bool set_links(node, seen, seen_count, links, count)   false: the links are not `seen` any more
//   void check_interrupts()
//   void sort_links(node, links, n)    by distance, where links() does not give them in this order
template <typename Numbers, typename Graph>
class Connector {
public:
    template <typename Source>
    Connector(Source source, Graph& graph, size_t limit)
        : graph_(graph), parent_(source), queue_(source), attached_(source), cut_(source) {
        parent_.resize(limit, kNoNode);
    }

    // Starts from the entry point.
    void start(uint32_t entry) {
        entry_ = entry;
        if (searched() && entry < parent_.size()) reach(entry, entry);
    }

    // Sees to it that a node is reachable. False: no edge could be found (the graph changed meanwhile).
    bool connect(uint32_t node) { return connect(node, true); }
    // `suspect` false: it is known that one of its neighbours leads back to it.
    bool connect(uint32_t node, bool suspect) {
        if (searched() && node >= parent_.size()) return true;
        bool reached = is_reached(node);
        if (reached && (!suspect || is_linked_back(node, kNoNode))) return true;
        uint32_t from = attach(node);
        if (from == kNoNode) return false;
        added_++;
        if (!reached) reach(node, from);
        bool all = true;
        while (!cut_.empty()) {
            uint32_t cut = cut_.back();
            cut_.pop_back();
            if (is_reached(cut)) continue;
            from = attach(cut);
            all &= from != kNoNode;
            if (from != kNoNode) reach(cut, from);
        }
        return all;
    }

    size_t added() const { return added_; }

private:
    bool searched() const { return !parent_.empty(); }
    bool is_reached(uint32_t node) const {
        return !searched() || (node < parent_.size() && parent_[node] != kNoNode);
    }

    // Whether taking the edge from -> to away cuts nobody off. It may be all that leads to a node that came after the
    // search.
    bool is_spare(uint32_t from, uint32_t to) {
        if (!searched()) return is_linked_back(to, from);
        return to < parent_.size() && parent_[to] != kNoNode && parent_[to] != from;
    }

    void reach(uint32_t node, uint32_t from) {
        uint32_t links[kMaxLinksOnLevel];
        parent_[node] = from;
        queue_.clear();
        queue_.push_back(node);
        for (size_t head = 0; head < queue_.size(); head++) {
            if ((head & 0xFF) == 0) graph_.check_interrupts();
            size_t n = graph_.links(queue_[head], links);
            for (size_t i = 0; i < n; i++) {
                // Nodes past the limit came after the search began; their inserters connect them.
                if (links[i] >= parent_.size() || parent_[links[i]] != kNoNode) continue;
                parent_[links[i]] = queue_[head];
                queue_.push_back(links[i]);
            }
        }
    }

    // Whether a neighbour other than `except` leads back to a node.
    bool is_linked_back(uint32_t node, uint32_t except) {
        if (node == entry_) return true;  // where searches start
        uint32_t own[kMaxLinksOnLevel];
        size_t n = graph_.links(node, own);
        return std::any_of(own, own + n, [&](uint32_t from) { return from != except && leads(from, node); });
    }

    bool leads(uint32_t from, uint32_t to) {
        uint32_t row[kMaxLinksOnLevel];
        size_t n = graph_.links(from, row);
        return std::find(row, row + n, to) != row + n;
    }

    uint32_t attach(uint32_t node) {
        uint32_t found = kNoNode;
        size_t shares = 4;
        auto use = [&](uint32_t from) {
            if (offer(from, node, shares)) found = from;
            return found != kNoNode;
        };
        graph_.nearest(node, use);
        // By inner product the long vectors are near to all, and soon have nothing left to give.
        while (found == kNoNode && next_host_ < attached_.size() && !use(attached_[next_host_])) next_host_++;
        if (found == kNoNode) {
            shares = 1;
            graph_.nearest(node, use);
        }
        if (found != kNoNode) attached_.push_back(node);
        return found;
    }

    // Gives a node the edge from -> node. Of a full row only the last of that many shares may be given away.
    bool offer(uint32_t from, uint32_t node, size_t shares) {
        if (!is_reached(from) || from == node) return false;
        uint32_t seen[kMaxLinksOnLevel], links[kMaxLinksOnLevel + 1];
        size_t n = graph_.links(from, seen);
        bool there = std::find(seen, seen + n, node) != seen + n;
        std::copy(seen, seen + n, links);
        size_t at = n;
        if (!there && n == graph_.max_links()) {
            // The last is the one to miss least, where links ascend by distance: those of a build nearly do.
            if constexpr (requires { graph_.sort_links(from, links, n); }) graph_.sort_links(from, links, n);
            size_t first = n - n / shares;
            while (at > first && !is_spare(from, links[at - 1])) at--;
            if (at == first) return false;
            at--;
        }
        if (!is_reached(node) && !still_reached(from)) return false;
        if (there) return true;
        uint32_t lost = at == n ? kNoNode : links[at];
        links[at] = node;
        if (!graph_.set_links(from, seen, n, links, at == n ? n + 1 : n)) return false;
        if (lost != kNoNode && searched()) still_reached(lost);
        return true;
    }

    // Whether the way by which a node was reached is still there: an insert may have dropped an edge of it, for the sake of
    // one that was taken away here. Then the node behind that is cut off.
    bool still_reached(uint32_t node) {
        for (uint32_t from; node != entry_; node = from) {
            from = parent_[node];
            if (from == kNoNode) return false;
            if (leads(from, node)) continue;
            parent_[node] = kNoNode;
            cut_.push_back(node);
            return false;
        }
        return true;
    }

    static constexpr size_t kMaxLinksOnLevel = 200;

    Graph& graph_;
    uint32_t entry_ = kNoNode;
    Numbers parent_;
    Numbers queue_;
    Numbers attached_;  // nodes that got an edge here
    Numbers cut_;       // nodes that lost their edge meanwhile
    size_t next_host_ = 0;
    size_t added_ = 0;
};

}  // namespace vext::hnsw
