// The graph of a build, in memory, and the batch-synchronous build over it (prefix doubling: Dobson et al.,
// "ParlayANN: Scalable and deterministic parallel graph-based ANN search algorithms", 2024, section 3): points enter
// in batches; each point of a batch searches the graph of the earlier batches, which nobody changes meanwhile;
// then the reverse edges are grouped by target and applied. The result does not depend on who did what first.
// No Postgres here.
#pragma once

#include <cstdint>
#include <cstring>

#include "hnsw/hnsw_connect.h"
#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {

struct GraphParameters {
    uint32_t dim;
    uint32_t m;
    uint32_t ef_construction;
    const codec::Codec* codec;

    size_t max_links(int level) const { return level == 0 ? 2 * m : m; }
};

template <template <typename> class V>
struct MemoryGraph {
    template <typename Source>
    MemoryGraph(Source source, const GraphParameters& parameters)
        : p(parameters),
          stride(p.codec->bytes(p.dim)),
          codes(source),
          starts(source),
          levels(source),
          upper(source),
          upper_links(source),
          links0(source) {}

    // Room for one more code; the caller writes it and may take it back with drop_last() before add_links().
    uint8_t* add_node() {
        auto node = static_cast<uint32_t>(levels.size());
        levels.push_back(static_cast<uint8_t>(random_level(mix64(0x76656374u + static_cast<uint64_t>(node)), p.m)));
        size_t used = codes.size();
        if (p.codec->size != nullptr) starts.push_back(used);
        if (used + stride > codes.capacity()) codes.reserve(codes.capacity() + codes.capacity() / 2 + 64 * stride);
        codes.resize_uninitialized(used + stride);
        return codes.data() + used;
    }
    void drop_last() {
        codes.resize_uninitialized(static_cast<size_t>(code(static_cast<uint32_t>(size() - 1)) - codes.data()));
        levels.pop_back();
        if (p.codec->size != nullptr) starts.pop_back();
    }
    // Where codes differ in size: gives back what the last one does not take.
    void trim_last() {
        if (p.codec->size != nullptr) codes.resize_uninitialized(starts.back() + p.codec->size(&codes[starts.back()]));
    }

    void add_links() {
        links0.resize(size() * row_width(0), 0);
        upper.resize(size(), kNoNode);
        size_t total = 0;
        for (size_t i = 0; i < size(); i++) {
            if (levels[i] > 0) upper[i] = static_cast<uint32_t>(total);
            total += levels[i] * row_width(1);
        }
        upper_links.resize(total, 0);
    }

    size_t size() const { return levels.size(); }
    size_t bytes() const {
        return codes.bytes() + starts.bytes() + levels.bytes() + upper.bytes() + upper_links.bytes() + links0.bytes();
    }
    // What a node takes when the links are there, for planning against a memory limit.
    size_t node_bytes() const {
        return mean_code_bytes() + (row_width(0) + row_width(1) / (p.m - 1) + 1) * sizeof(uint32_t) + 1;
    }
    size_t mean_code_bytes() const { return size() == 0 ? stride : codes.size() / size(); }
    size_t row_width(int level) const { return 1 + p.max_links(level); }
    const uint8_t* code(uint32_t node) const {
        return codes.data() + (starts.empty() ? node * stride : starts[node]);
    }
    size_t code_bytes(uint32_t node) const { return p.codec->size == nullptr ? stride : p.codec->size(code(node)); }

    // A row of links: [0] is the count, then the neighbours.
    uint32_t* row(uint32_t node, int level) {
        return level == 0 ? links0.data() + node * row_width(0)
                          : upper_links.data() + upper[node] + (level - 1) * row_width(1);
    }

    const GraphParameters p;
    const size_t stride;
    V<uint8_t> codes;
    V<size_t> starts;  // of the codes, where they differ in size
    V<uint8_t> levels;
    V<uint32_t> upper;  // where the upper rows of a node start
    V<uint32_t> upper_links;
    V<uint32_t> links0;
    uint32_t entry = kNoNode;
};

// The store of one searcher over a MemoryGraph. `Interrupts` is called between expansions.
template <template <typename> class V, typename Interrupts>
class MemoryStore {
public:
    template <typename Source>
    MemoryStore(Source source, MemoryGraph<V>& graph, Interrupts interrupts)
        : graph_(graph), interrupts_(interrupts), table_(source) {}

    void set_query(const uint8_t* code) { prepare_query(*graph_.p.codec, code, graph_.p.dim, &query_, table_); }

    size_t links(uint32_t node, int level, uint32_t* out) {
        const uint32_t* row = graph_.row(node, level);
        memcpy(out, row + 1, row[0] * sizeof(uint32_t));
        return row[0];
    }

    void prefetch_links(uint32_t node, int level) {
        const uint32_t* row = graph_.row(node, level);
        __builtin_prefetch(row);
        __builtin_prefetch(row + 16);
        __builtin_prefetch(row + 32);
    }

    template <typename Pool>
    void score_into(const uint32_t* nodes, size_t n, Pool& pool) {
        const uint8_t* codes[kMaxLinks];
        codec::Key keys[kMaxLinks];
        for (size_t i = 0; i < n; i++) {
            codes[i] = graph_.code(nodes[i]);
            for (size_t at = 0; at < prefetched_; at += 64) __builtin_prefetch(codes[i] + at);
        }
        graph_.p.codec->score(query_, codes, n, keys);
        for (size_t i = 0; i < n; i++) pool.insert({keys[i], nodes[i]});
    }

    void check_interrupts() { interrupts_(); }

private:
    MemoryGraph<V>& graph_;
    Interrupts interrupts_;
    codec::Query query_{};
    V<uint64_t> table_;  // of the query
    const size_t prefetched_ = graph_.mean_code_bytes();
};

// Builds the links of all nodes of a graph. `step(done)` is called after each node of the search phase: progress
// and interrupts.
template <template <typename> class V, typename Source, typename Step>
class GraphBuilder {
public:
    GraphBuilder(Source source, MemoryGraph<V>& graph, Step step)
        : source_(source),
          graph_(graph),
          p_(graph.p),
          step_(step),
          store_(source, graph, NoInterrupts{}),
          pool_(source),
          seen_(source),
          order_(source),
          reverse_(source),
          merged_(source) {}

    void build() {
        graph_.add_links();
        size_t n = graph_.size();
        if (n == 0) return;
        shuffle(n);
        graph_.entry = order_[0];
        for (size_t done = 1; done < n;) {
            // Two per cent, so that few of a point's true neighbours are in its own batch.
            size_t batch = std::min(n - done, std::max<size_t>(1, done / 50));
            reverse_.clear();
            for (size_t i = done; i < done + batch; i++) {
                link(order_[i]);
                step_(i);
            }
            apply_reverse();
            for (size_t i = done; i < done + batch; i++) {
                if (graph_.levels[order_[i]] > graph_.levels[graph_.entry]) graph_.entry = order_[i];
            }
            done += batch;
        }
        connect();
    }

private:
    struct Edge {
        uint32_t target, source;
        uint32_t level;
    };

    void shuffle(size_t n) {
        order_.resize_uninitialized(n);
        for (size_t i = 0; i < n; i++) order_[i] = static_cast<uint32_t>(i);
        for (size_t i = n - 1; i > 0; i--) std::swap(order_[i], order_[mix64(i ^ 0x68E31DA4u) % (i + 1)]);
    }

    // Algorithm 1 of the HNSW paper up to the reverse edges, which are noted for later.
    void link(uint32_t node) {
        store_.set_query(graph_.code(node));
        int level = std::min<int>(graph_.levels[node], graph_.levels[graph_.entry]);
        uint32_t entry = graph_.entry;
        for (int from = graph_.levels[graph_.entry]; level >= 0; from = --level) {
            descend(store_, entry, {from, level, link_beam(p_.ef_construction), p_.ef_construction, 0}, pool_, seen_);
            search_layer(store_, level, pool_, seen_);
            entry = pool_[0].node;

            merged_.clear();
            for (size_t i = 0; i < pool_.size(); i++) {
                merged_.push_back({pool_[i].key, pool_[i].node, graph_.code(pool_[i].node)});
            }
            size_t n = select_neighbors(*p_.codec, p_.dim, merged_.span(), p_.m, p_.max_links(level), merged_.data());
            uint32_t* row = graph_.row(node, level);
            row[0] = static_cast<uint32_t>(n);
            for (size_t i = 0; i < n; i++) {
                row[1 + i] = merged_[i].node;
                reverse_.push_back({merged_[i].node, node, static_cast<uint32_t>(level)});
            }
        }
    }

    void apply_reverse() {
        std::sort(reverse_.begin(), reverse_.end(), [](const Edge& a, const Edge& b) {
            if (a.level != b.level) return a.level < b.level;
            return a.target != b.target ? a.target < b.target : a.source < b.source;
        });
        for (size_t i = 0; i < reverse_.size();) {
            size_t end = i;
            while (end < reverse_.size() && reverse_[end].target == reverse_[i].target &&
                   reverse_[end].level == reverse_[i].level) {
                end++;
            }
            add_edges(reverse_[i].target, static_cast<int>(reverse_[i].level), i, end);
            i = end;
        }
    }

    // Adds edges reverse_[begin, end) to one target; where they do not fit, the heuristic chooses among all.
    void add_edges(uint32_t target, int level, size_t begin, size_t end) {
        uint32_t* row = graph_.row(target, level);
        size_t max = p_.max_links(level);
        if (row[0] + (end - begin) <= max) {
            for (size_t i = begin; i < end; i++) row[1 + row[0]++] = reverse_[i].source;
            return;
        }
        merged_.clear();
        for (size_t i = 0; i < row[0]; i++) merged_.push_back({0, row[1 + i], graph_.code(row[1 + i])});
        for (size_t i = begin; i < end; i++) {
            merged_.push_back({0, reverse_[i].source, graph_.code(reverse_[i].source)});
        }
        codec::Query query;
        p_.codec->prepare(graph_.code(target), p_.dim, &query);
        for (Neighbor& x : merged_.span()) p_.codec->score(query, &x.code, 1, &x.key);
        std::sort(merged_.begin(), merged_.end(), nearer);
        size_t n = select_neighbors(*p_.codec, p_.dim, merged_.span(), max, max, merged_.data());
        row[0] = static_cast<uint32_t>(n);
        for (size_t i = 0; i < n; i++) row[1 + i] = merged_[i].node;
    }

    // What a Connector needs.
    struct Links {
        GraphBuilder& builder;

        size_t links(uint32_t node, uint32_t* out) { return builder.store_.links(node, 0, out); }
        size_t max_links() const { return builder.p_.max_links(0); }
        void check_interrupts() { builder.step_(builder.graph_.size()); }
        template <typename Use>
        void nearest(uint32_t node, Use use) {
            GraphBuilder& b = builder;
            b.store_.set_query(b.graph_.code(node));
            search_from_top(b.store_, b.graph_.entry, b.graph_.levels[b.graph_.entry],
                            std::max<size_t>(b.p_.ef_construction, 200), 0, b.pool_, b.seen_);
            for (size_t i = 0; i < b.pool_.size(); i++) {
                if (use(b.pool_[i].node)) return;
            }
        }
        bool set_links(uint32_t node, const uint32_t*, size_t, const uint32_t* links, size_t count) {
            uint32_t* row = builder.graph_.row(node, 0);
            row[0] = static_cast<uint32_t>(count);
            std::copy(links, links + count, row + 1);
            return true;
        }
    };

    void connect() {
        Links links{*this};
        Connector<V<uint32_t>, Links> connector{source_, links, graph_.size()};
        connector.start(graph_.entry);
        for (uint32_t node = 0; node < graph_.size(); node++) {
            connector.connect(node);
            if ((node & 0xFF) == 0) step_(graph_.size());
        }
    }

    Source source_;
    MemoryGraph<V>& graph_;
    const GraphParameters& p_;
    Step step_;
    struct NoInterrupts {
        void operator()() const {}
    };
    MemoryStore<V, NoInterrupts> store_;
    Pool<V> pool_;
    NodeSet<V> seen_;
    V<uint32_t> order_;
    V<Edge> reverse_;
    V<Neighbor> merged_;
};

}  // namespace vext::hnsw
