// The batch-synchronous build of a graph in memory by any number of participants (prefix doubling: Dobson et al.,
// "ParlayANN: Scalable and deterministic parallel graph-based ANN search algorithms", 2024, section 3): points enter in
// batches; each point of a batch searches the graph of the earlier batches, which nobody changes meanwhile; then the
// reverse edges are grouped by target and applied. The result does not depend on who did what, or when. No Postgres
// here.
#pragma once

#include "hnsw/hnsw_build_search.h"
#include "hnsw/hnsw_connect.h"

namespace vext::hnsw {

// What a participant does. A Team says where the others are:
//   size_t parts()            into how many parts the targets of a batch are divided: any number
//   void step(done)           called often, for interrupts; done is how many points are in, or kNoNode
template <template <typename> class V, typename Source, typename Team>
class GraphBuilder {
public:
    // So many points enter before there is work for more than one participant.
    static constexpr uint32_t kAlone = 1024;

    GraphBuilder(Source source, const MemoryGraph& graph, Team& team)
        : graph_(graph),
          p_(graph.p),
          team_(team),
          candidates_(source),
          edges_(source),
          coder_(source, graph),
          searches_(source) {
        while (first_shared_ < graph.batch_count && graph.batches[first_shared_].begin < kAlone) first_shared_++;
        for (size_t i = 0; i < kSearches; i++) searches_.push_back(nullptr);
        for (BuildSearch<V>*& s : searches_.span()) {
            s = new (source.resize(nullptr, sizeof(BuildSearch<V>))) BuildSearch<V>(source, graph, coder_);
        }
    }

    // The build is a sequence of phases; all participants have to be through with one before the next begins. Who comes
    // late begins where the others are, and who has nothing to do in a phase does nothing. The first two are for one-bit
    // codes. The first batches are so small that one participant does them all, in the third phase; then each has two;
    // the last is for connect().
    uint32_t phases() const { return 2 * (graph_.batch_count - first_shared_) + 4; }
    void work(uint32_t phase) {
        constexpr uint32_t kAhead = 3;
        uint32_t batch = phase < kAhead ? 0 : first_shared_ + (phase - kAhead) / 2;
        if (phase == 0) {
            if (graph_.bits > 0 && is_first(graph_.claims[graph_.batch_count + 1].applied)) coder_.find_center();
        } else if (phase == 1) {
            make_bit_codes();
        } else if (phase == 2) {
            link_alone();
        } else if (phase + 1 == phases()) {
            find_suspects();
        } else if ((phase - kAhead) % 2 == 0) {
            link_batch(batch);
        } else {
            apply_batch(batch);
        }
    }

    // What is left for one participant when all phases are through: every node must be reachable.
    void connect(Source source) {
        if (graph_.n == 0) return;
        Links links{*this};
        Connector<V<uint32_t>, Links> connector{source, links, graph_.n};
        connector.start(graph_.entry());
        for (uint32_t node = 0; node < graph_.n; node++) {
            connector.connect(node, graph_.suspects[node] != 0);
            if ((node & 0xFF) == 0) team_.step(graph_.n);
        }
    }

private:
    static constexpr size_t kSearches = 3;

    // Calls use(begin, end) for one piece after another of all nodes, of which others claim some, too.
    template <typename Use>
    void claim_nodes(std::atomic<uint32_t>& claimed, Use use) {
        constexpr uint64_t kPiece = 1024;
        for (;;) {
            uint64_t begin = kPiece * claimed.fetch_add(1, std::memory_order_relaxed);
            if (begin >= graph_.n) return;
            team_.step(kNoNode);
            use(static_cast<uint32_t>(begin), static_cast<uint32_t>(std::min<uint64_t>(begin + kPiece, graph_.n)));
        }
    }

    static bool is_first(std::atomic<uint32_t>& claimed) { return claimed.fetch_add(1, std::memory_order_relaxed) == 0; }

    void make_bit_codes() {
        if (graph_.bits == 0) return;
        claim_nodes(graph_.claims[graph_.batch_count + 1].linked, [&](uint32_t begin, uint32_t end) {
            for (uint32_t node = begin; node < end; node++) coder_.encode(node);
        });
    }

    void link_alone() {
        if (!is_first(graph_.claims[graph_.batch_count].applied)) return;
        for (uint32_t batch = 0; batch < first_shared_; batch++) {
            link_batch(batch);
            apply_batch(batch);
        }
    }

    // ---- first phase of a batch: link its points to the earlier ones

    void link_batch(uint32_t batch) {
        const Batch& b = graph_.batches[batch];
        uint32_t end = graph_.batches[batch + 1].begin;
        if (batch == 0) {
            clear_rows(graph_.order[0]);
            return;
        }
        BuildSearch<V>* active[kSearches];
        size_t n = 0;
        auto start_next = [&](BuildSearch<V>* search) {
            uint32_t i = graph_.claims[batch].linked.fetch_add(1, std::memory_order_relaxed);
            if (i >= end - b.begin) return false;
            team_.step(i % 16 == 0 ? b.begin + i : kNoNode);
            clear_rows(graph_.order[b.begin + i]);
            search->start(graph_.order[b.begin + i], b.entry, p_.ef_construction);
            return true;
        };
        while (n < kSearches && start_next(searches_[n])) {
            active[n] = searches_[n];
            n++;
        }
        while (n > 0) {
            for (size_t i = 0; i < n;) {
                if (active[i]->turn() || finish_level(*active[i]) || start_next(active[i])) {
                    i++;
                } else {
                    active[i] = active[--n];
                }
            }
        }
    }

    void clear_rows(uint32_t node) {
        for (int level = 0; level <= graph_.levels[node]; level++) {
            MemoryGraph::set_counts(graph_.row(node, level), 0, 0);
        }
    }

    // Chooses the neighbours on a level that was searched. False: it was the last level.
    bool finish_level(BuildSearch<V>& search) {
        if (search.level() <= graph_.levels[search.node()]) {
            const BuildPool<V>& found = search.found();
            candidates_.clear();
            for (size_t i = 0; i < found.size(); i++) {
                candidates_.push_back({found.key(i), found.node(i), graph_.code(found.node(i)), false});
            }
            write_row(search.node(), search.level(), most_chosen(p_.m, p_.ef_construction, search.level()));
        }
        if (search.level() == 0) return false;
        search.step_down();
        return true;
    }

    // The heuristic's choice of the candidates, which ascend, becomes a node's row.
    void write_row(uint32_t node, int level, size_t max) {
        size_t n = select_neighbors(*p_.codec, p_.dim, candidates_.span(), max, p_.max_links(level),
                                    candidates_.data());
        size_t settled = 0;
        uint32_t* row = graph_.row(node, level);
        for (size_t i = 0; i < n; i++) {
            row[1 + i] = candidates_[i].node;
            settled += candidates_[i].settled;
        }
        MemoryGraph::set_counts(row, n, settled);
    }

    // ---- second phase: edges back from the chosen neighbours

    struct Edge {
        uint32_t target, source;
        bool operator<(const Edge& other) const {
            return target != other.target ? target < other.target : source < other.source;
        }
    };

    void apply_batch(uint32_t batch) {
        uint32_t begin = graph_.batches[batch].begin, end = graph_.batches[batch + 1].begin;
        uint32_t parts = batch < first_shared_ ? 1 : static_cast<uint32_t>(team_.parts());
        for (;;) {
            uint32_t part = graph_.claims[batch].applied.fetch_add(1, std::memory_order_relaxed);
            if (part >= parts) return;
            for (int level = 0, top = 0; level <= top; level++) {
                edges_.clear();
                for (uint32_t i = begin; i < end; i++) {
                    uint32_t node = graph_.order[i];
                    top = std::max<int>(top, graph_.levels[node]);
                    if (graph_.levels[node] < level) continue;
                    const uint32_t* row = graph_.row(node, level);
                    for (uint32_t k = 1; k <= MemoryGraph::count(row); k++) {
                        if (part_of(row[k], parts) == part) edges_.push_back({row[k], node});
                    }
                }
                apply_edges(level);
            }
        }
    }

    static uint32_t part_of(uint32_t node, uint32_t parts) {
        return static_cast<uint32_t>(uint64_t{node * 0x9E3779B9u} * parts >> 32);
    }

    void apply_edges(int level) {
        std::sort(edges_.begin(), edges_.end());
        size_t groups = 0;
        for (size_t i = 0; i < edges_.size();) {
            size_t end = i;
            while (end < edges_.size() && edges_[end].target == edges_[i].target) end++;
            if (end < edges_.size()) prefetch(graph_.row(edges_[end].target, level));
            add_edges(edges_[i].target, level, i, end);
            if ((++groups & 0x3F) == 0) team_.step(kNoNode);
            i = end;
        }
    }

    // Adds edges [begin, end) to one target; where they do not fit, the heuristic chooses among all.
    void add_edges(uint32_t target, int level, size_t begin, size_t end) {
        uint32_t* row = graph_.row(target, level);
        size_t max = p_.max_links(level), count = MemoryGraph::count(row), settled = MemoryGraph::settled(row);
        if (count + (end - begin) <= max) {
            for (size_t i = begin; i < end; i++) row[1 + count++] = edges_[i].source;
            MemoryGraph::set_counts(row, count, settled);
            return;
        }
        candidates_.clear();
        for (size_t i = 0; i < count; i++) add_candidate(row[1 + i], i < settled);
        for (size_t i = begin; i < end; i++) add_candidate(edges_[i].source, false);
        codec::Query query;
        p_.codec->prepare(graph_.code(target), p_.dim, &query);
        score_candidates(query);
        write_row(target, level, max);
    }

    void add_candidate(uint32_t node, bool settled) {
        prefetch_piece(graph_.code(node), graph_.stride);
        candidates_.push_back({0, node, graph_.code(node), settled});
    }

    // By their codes; nearest first.
    void score_candidates(const codec::Query& query) {
        constexpr size_t kStep = 64;
        for (size_t at = 0; at < candidates_.size(); at += kStep) {
            const uint8_t* codes[kStep];
            codec::Key keys[kStep];
            size_t n = std::min(kStep, candidates_.size() - at);
            for (size_t i = 0; i < n; i++) codes[i] = candidates_[at + i].code;
            p_.codec->score(query, codes, n, keys);
            for (size_t i = 0; i < n; i++) candidates_[at + i].key = keys[i];
        }
        std::sort(candidates_.begin(), candidates_.end(), nearer);
    }

    // ---- the end: reachability

    void find_suspects() {
        claim_nodes(graph_.claims[graph_.batch_count].linked, [&](uint32_t begin, uint32_t end) {
            for (uint32_t node = begin; node < end; node++) graph_.suspects[node] = !is_linked_back(node);
        });
    }

    bool is_linked_back(uint32_t node) const {
        const uint32_t* own = graph_.row(node, 0);
        for (uint32_t i = 1; i <= MemoryGraph::count(own); i++) {
            const uint32_t* row = graph_.row(own[i], 0) + 1;
            const uint32_t* end = row + MemoryGraph::count(row - 1);
            if (std::find(row, end, node) != end) return true;
        }
        return false;
    }

    // What a Connector needs.
    struct Links {
        GraphBuilder& builder;

        size_t links(uint32_t node, uint32_t* out) {
            const uint32_t* row = builder.graph_.row(node, 0);
            std::copy(row + 1, row + 1 + MemoryGraph::count(row), out);
            return MemoryGraph::count(row);
        }
        size_t max_links() const { return builder.p_.max_links(0); }
        void check_interrupts() { builder.team_.step(builder.graph_.n); }
        template <typename Use>
        void nearest(uint32_t node, Use use) {
            BuildSearch<V>& search = *builder.searches_[0];
            search.start(node, builder.graph_.entry(), std::max<size_t>(builder.p_.ef_construction, 200));
            do {
                while (search.turn()) {
                }
                if (search.level() == 0) break;
                search.step_down();
            } while (true);
            for (size_t i = 0; i < search.found().size(); i++) {
                if (use(search.found().node(i))) return;
            }
        }
        bool set_links(uint32_t node, const uint32_t* seen, size_t seen_count, const uint32_t* links, size_t count) {
            for (size_t i = 0; i < seen_count; i++) {
                if (std::find(links, links + count, seen[i]) == links + count) builder.graph_.suspects[seen[i]] = 1;
            }
            uint32_t* row = builder.graph_.row(node, 0);
            std::copy(links, links + count, row + 1);
            MemoryGraph::set_counts(row, count, 0);
            return true;
        }
    };

    const MemoryGraph& graph_;
    const GraphParameters& p_;
    Team& team_;
    V<Neighbor> candidates_;
    V<Edge> edges_;
    BitCoder<V> coder_;
    V<BuildSearch<V>*> searches_;
    uint32_t first_shared_ = 0;  // batch
};

}  // namespace vext::hnsw
