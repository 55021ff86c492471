// The build of a graph in memory: the same graph by any number of participants, reachable, and good.
#include "hnsw/hnsw_build_graph.h"

#include <algorithm>
#include <barrier>
#include <cmath>
#include <mutex>
#include <thread>
#include <vector>

#include "base/vec.h"
#include "hnsw/hnsw_order.h"
#include "simd/kernels.h"
#include "test_util.h"

using namespace vext;
using namespace vext::hnsw;
using vext::test::Random;

namespace {

// Nothing is freed, as in a memory context; what is allocated can be reached from here.
std::mutex allocations_lock;
std::vector<void*>& allocations = *new std::vector<void*>;  // not destroyed at exit

struct Malloc {
    void* resize(void* old, size_t bytes) const {
        std::lock_guard<std::mutex> hold{allocations_lock};
        allocations.push_back(realloc(old, bytes));
        return allocations.back();
    }
};
template <typename T>
using Vec = BasicVec<T, Malloc>;

struct Team {
    size_t part_count;
    size_t parts() const { return part_count; }
    void step(size_t) const {}
};
using Builder = GraphBuilder<Vec, Malloc, Team>;

constexpr uint32_t kDim = 24;

struct Built {
    std::vector<char> memory;
    MemoryGraph graph{};
};

// Vectors in clusters, some of which are tight.
std::vector<float> clustered(size_t n) {
    Random random{7};
    std::vector<float> centers(20 * kDim), x(n * kDim);
    for (float& v : centers) v = static_cast<float>(random.between(-3, 3));
    for (size_t i = 0; i < n; i++) {
        size_t c = random.next() % 20;
        for (size_t d = 0; d < kDim; d++) {
            x[i * kDim + d] = centers[c * kDim + d] + static_cast<float>(random.between(-1, 1) * (c < 5 ? 0.01 : 1));
        }
    }
    return x;
}

// `late`: in which phase the last thread comes in.
Built build(const std::vector<float>& x, const GraphParameters& p, size_t threads, uint32_t late = 0, bool with_bits = false) {
    size_t n = x.size() / kDim;
    Built b;
    std::vector<uint8_t> levels(n);
    for (size_t i = 0; i < n; i++) levels[i] = static_cast<uint8_t>(level_of_nth(i, p.m));
    b.graph.measure(p, levels.data(), n, n * p.codec->bytes(kDim), with_bits);
    b.memory.assign(b.graph.place(Placer{nullptr}, nullptr) + Placer::kAlignment, static_cast<char>(0xEE));
    b.graph.place(Placer::aligned(b.memory.data()), nullptr);
    std::copy(levels.begin(), levels.end(), b.graph.levels);
    std::vector<float> scratch(kDim);
    for (size_t i = 0; i < n; i++) {
        p.codec->encode(&x[i * kDim], kDim, scratch.data(), b.graph.codes + i * b.graph.stride);
    }
    b.graph.plan();
    std::barrier<> barrier(static_cast<ptrdiff_t>(threads));
    auto run = [&](size_t me) {
        Team team{threads == 1 ? 1 : 4 * threads};
        Builder builder{Malloc{}, b.graph, team};
        for (uint32_t phase = 0; phase < builder.phases(); phase++) {
            if (me == 0 || me + 1 < threads || phase >= late) builder.work(phase);
            barrier.arrive_and_wait();
        }
        if (me == 0) builder.connect(Malloc{});
    };
    std::vector<std::thread> others;
    for (size_t i = 1; i < threads; i++) others.emplace_back(run, i);
    run(0);
    for (std::thread& t : others) t.join();
    return b;
}

bool same(const MemoryGraph& a, const MemoryGraph& b) {
    if (a.n != b.n || a.entry() != b.entry()) return false;
    for (uint32_t node = 0; node < a.n; node++) {
        for (int level = 0; level <= a.levels[node]; level++) {
            const uint32_t *x = a.row(node, level), *y = b.row(node, level);
            if (!std::equal(x, x + 1 + MemoryGraph::count(x), y)) return false;
        }
    }
    return true;
}

// Breadth first from the entry point: every node is reached.
std::vector<uint32_t> breadth_first(const MemoryGraph& g) {
    std::vector<uint32_t> order{g.entry()};
    std::vector<uint8_t> reached(g.n);
    reached[g.entry()] = 1;
    for (size_t head = 0; head < order.size(); head++) {
        const uint32_t* row = g.row(order[head], 0);
        for (uint32_t i = 1; i <= MemoryGraph::count(row); i++) {
            if (!reached[row[i]]) reached[row[i]] = 1, order.push_back(row[i]);
        }
    }
    CHECK(order.size() == g.n);
    return order;
}

void check_rows(const MemoryGraph& g) {
    (void)breadth_first(g);
    for (uint32_t node = 0; node < g.n; node++) {
        for (int level = 0; level <= g.levels[node]; level++) {
            const uint32_t* row = g.row(node, level);
            uint32_t count = MemoryGraph::count(row);
            CHECK(count <= g.p.max_links(level) && MemoryGraph::settled(row) <= count);
            std::vector<uint32_t> sorted(row + 1, row + 1 + count);
            std::sort(sorted.begin(), sorted.end());
            CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
            for (uint32_t link : sorted) CHECK(link < g.n && link != node && g.levels[link] >= level);
        }
    }
}

// Neighbours that are said to be settled are what the heuristic would choose of them.
void check_settled(const MemoryGraph& g) {
    for (uint32_t node = 0; node < g.n; node += 7) {
        const uint32_t* row = g.row(node, 0);
        uint32_t settled = MemoryGraph::settled(row);
        std::vector<Neighbor> all(settled), chosen(settled);
        codec::Query query;
        g.p.codec->prepare(g.code(node), kDim, &query);
        for (uint32_t i = 0; i < settled; i++) {
            all[i] = {0, row[1 + i], g.code(row[1 + i])};
            g.p.codec->score(query, &all[i].code, 1, &all[i].key);
        }
        CHECK(std::is_sorted(all.begin(), all.end(), nearer));
        CHECK(select_neighbors(*g.p.codec, kDim, {all.data(), settled}, settled, settled, chosen.data()) == settled);
    }
}

double recall(const MemoryGraph& g, size_t ef) {
    Malloc source;
    MemoryGraph by_codes = g;
    by_codes.bits = 0;
    BitCoder<Vec> coder{source, by_codes};
    BuildSearch<Vec> search{source, by_codes, coder};
    size_t found = 0, wanted = 0;
    for (uint32_t node = 0; node < g.n; node += 37) {
        std::vector<codec::Key> keys(g.n);
        codec::Query query;
        g.p.codec->prepare(g.code(node), kDim, &query);
        for (uint32_t i = 0; i < g.n; i++) {
            const uint8_t* code = g.code(i);
            g.p.codec->score(query, &code, 1, &keys[i]);
        }
        std::nth_element(keys.begin(), keys.begin() + 9, keys.end());
        search.start(node, g.entry(), ef);
        for (;;) {
            while (search.turn()) {
            }
            if (search.level() == 0) break;
            search.step_down();
        }
        std::vector<uint32_t> nodes;
        for (size_t i = 0; i < search.found().size(); i++) nodes.push_back(search.found().node(i));
        for (size_t i = 0; i < 10; i++) found += search.found().key(i) <= keys[9];
        std::sort(nodes.begin(), nodes.end());
        CHECK(std::adjacent_find(nodes.begin(), nodes.end()) == nodes.end());
        wanted += 10;
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
}

// Pages in which the neighbours of a node are, in the mean, where pages are filled in this order.
double pages_of_rows(const MemoryGraph& g, const std::vector<uint32_t>& order, size_t per_page) {
    std::vector<size_t> page(g.n);
    for (size_t i = 0; i < g.n; i++) page[order[i]] = i / per_page;
    size_t pages = 0;
    for (uint32_t node = 0; node < g.n; node++) {
        const uint32_t* row = g.row(node, 0);
        std::vector<size_t> all;
        for (uint32_t i = 1; i <= MemoryGraph::count(row); i++) all.push_back(page[row[i]]);
        std::sort(all.begin(), all.end());
        pages += static_cast<size_t>(std::unique(all.begin(), all.end()) - all.begin());
    }
    return static_cast<double>(pages) / g.n;
}

// Each node once, those of upper levels first.
std::vector<uint32_t> check_order(const MemoryGraph& g, size_t per_page) {
    Vec<uint32_t> order{Malloc{}}, scores{Malloc{}}, candidates{Malloc{}};
    size_t steps = 0;
    page_order(g, per_page, order, scores, candidates, [&] { steps++; });
    CHECK(steps == g.n / per_page, "%zu steps", steps);
    std::vector<uint32_t> places(order.begin(), order.end()), nodes = places;
    auto higher = [&](uint32_t a, uint32_t b) { return g.levels[a] > g.levels[b]; };
    CHECK(std::is_sorted(nodes.begin(), nodes.end(), higher));
    std::sort(nodes.begin(), nodes.end());
    CHECK(nodes.size() == g.n);
    for (uint32_t i = 0; i < g.n; i++) CHECK(nodes[i] == i);
    return places;
}

void test_pool() {
    Malloc source;
    BuildPool<Vec> pool{source};
    Random random{3};
    for (int round = 0; round < 200; round++) {
        size_t ef = 1 + random.next() % 40, expands = 1 + random.next() % ef;
        pool.reset(ef, expands);
        std::vector<std::pair<float, uint32_t>> all;
        for (uint32_t node = 0; node < 100; node++) {
            // both signs, and equal keys
            all.push_back({static_cast<float>(static_cast<int>(random.next() % 50) - 25) / 4, node});
            pool.offer(all.back().first, node);
            if (node % 3 == 0) pool.offer(all.back().first, node);
            if (node % 5 == 0) pool.next();
        }
        std::sort(all.begin(), all.end());
        CHECK(pool.size() == ef);
        for (size_t i = 0; i < ef; i++) CHECK(pool.key(i) == all[i].first && pool.node(i) == all[i].second);
        // The nearest are expanded, those beyond them are not, until a nearer one comes.
        for (uint32_t node; (node = pool.next()) != kNoNode;) {
            size_t at = 0;
            while (pool.node(at) != node) at++;
            CHECK(at < expands);
        }
        pool.offer(-1000, 1000);
        CHECK(pool.next() == 1000 && pool.next() == kNoNode);
    }
}

// A horizon ends a search at that distance, not before it has expanded so many, and a beam of its own ends it anyway.
void test_horizon() {
    Malloc source;
    Pool<Vec> pool{source};
    auto expanded = [&](size_t ef, const Horizon& horizon, size_t n) {
        pool.reset(ef, 4);
        pool.set_horizon(horizon);
        for (uint32_t node = 0; node < n; node++) pool.insert({static_cast<float>(n - node), node});
        size_t count = 0;
        for (; pool.next() != nullptr; count++) CHECK(pool[count].expanded);
        return count;
    };
    CHECK(expanded(40, {}, 100) == 40);
    CHECK(expanded(40, {10, 2, 0, 0}, 100) == 20);
    CHECK(expanded(40, {10, 1, 5, 0}, 100) == 15);
    CHECK(expanded(40, {10, 1, 0, 0}, 100) == 10);
    CHECK(expanded(40, {10, 2, 0, 25}, 100) == 25);
    CHECK(expanded(40, {10, 100, 0, 0}, 100) == 40);
    CHECK(expanded(40, {10, 100, 0, 0, 3}, 100) == 43);
    CHECK(expanded(40, {10, 4.1F, 0, 0, 3}, 100) == 41);
    CHECK(expanded(40, {10, 1, 0, 0}, 8) == 8);
    CHECK(expanded(40, {1, 1, 0, 0}, 100) == 1);

    // What is found later brings the horizon nearer, and is expanded itself.
    pool.reset(40, 0);
    pool.set_horizon({2, 2, 0, 0});
    for (uint32_t node = 0; node < 10; node++) pool.insert({static_cast<float>(10 + node), node});
    CHECK(pool.next() == &pool[0] && pool.next() == &pool[1]);
    pool.insert({1, 11});
    pool.insert({2, 12});
    CHECK(pool.next()->node == 11 && pool.next()->node == 12 && pool.next() == nullptr);

    // Many at no distance at all: each is expanded.
    pool.reset(40, 0);
    pool.set_horizon({2, 1.5, 0, 0});
    for (uint32_t node = 0; node < 30; node++) pool.insert({node < 20 ? 0.0F : 1.0F, node});
    size_t count = 0;
    while (pool.next() != nullptr) count++;
    CHECK(count == 20);
}

// What is measured of distances of a known growth, and what follows from it.
void test_growth() {
    GrowthCounts none{};
    CHECK(none.mean() == 0);
    auto is_near = [](double a, double b) { return a > 0.94 * b && a < 1.06 * b; };
    for (double growth : {0.001, 0.05, 1.0, 20.0}) {
        GrowthCounts powers{}, products{}, twins{};
        for (int i = 1; i <= 99; i++) {
            auto far = static_cast<float>(i * std::pow(10, growth));
            powers.count(codec::Metric::l2, static_cast<float>(i), far, 1);
            auto less = static_cast<float>(growth * std::log(10) * i);
            products.count(codec::Metric::inner_product, static_cast<float>(-100 * i), -100.0F * static_cast<float>(i) + less, i);
        }
        for (int i = 0; i < 40; i++) twins.count(codec::Metric::l2, i % 2 == 0 ? 0.0F : 1e-30F, 1, 1);
        CHECK(is_near(powers.mean(), growth), "%g is %g", static_cast<double>(powers.mean()), growth);
        CHECK(is_near(products.mean(), growth), "%g is %g", static_cast<double>(products.mean()), growth);
        powers.add(twins);
        CHECK(powers.mean() > growth && powers.mean() < 1.5 * growth && powers.mean() < kMostGrowth);
    }
    Horizon h = horizon_of(codec::Metric::l2, 0.06, 1, 10, 40);
    CHECK(h.rank == 10 && h.least == 10 && h.wider == 40 && is_near(h.times, std::pow(4, 0.036)) && h.plus == 0);
    h = horizon_of(codec::Metric::inner_product, 0.05, 3, 10, 40);
    CHECK(h.rank == 10 && h.times == 1 && is_near(h.plus, 3 * 0.03 * std::log(4)));
    CHECK(horizon_of(codec::Metric::l2, 0, 1, 10, 40).rank == 0);
    CHECK(horizon_of(codec::Metric::l2, 0.06, 1, 0, 40).rank == 0);
    CHECK(horizon_of(codec::Metric::l2, 0.06, 1, 40, 40).rank == 0);
}

}  // namespace

int main() {
    test_pool();
    test_horizon();
    test_growth();
    simd::select(simd::Level::automatic);
    std::vector<float> x = clustered(3000);
    for (codec::Metric metric : {codec::Metric::l2, codec::Metric::inner_product}) {
        GraphParameters p{kDim, 8, 60, codec::find(codec::CodecId::sq8, codec::Element::f32, metric)};
        test::context("metric %d", static_cast<int>(metric));
        Built one = build(x, p, 1);
        check_rows(one.graph);
        for (size_t threads : {2, 3, 5}) CHECK(same(one.graph, build(x, p, threads).graph));
        CHECK(same(one.graph, build(x, p, 2, 40).graph));
        CHECK(same(one.graph, build(x, p, 3, 77).graph));
        if (metric == codec::Metric::l2) {
            check_settled(one.graph);
            double r = recall(one.graph, 60);
            CHECK(r > 0.98, "recall %.4f", r);
            double pages = pages_of_rows(one.graph, check_order(one.graph, 13), 13);
            double others = pages_of_rows(one.graph, breadth_first(one.graph), 13);
            CHECK(pages < 0.93 * others, "%.2f pages to a row, %.2f breadth first", pages, others);
        }
        for (size_t per_page : {1, 13, 5000}) check_order(one.graph, per_page);
    }
    // With one-bit codes, which dense vectors have.
    for (codec::Element element : {codec::Element::f32, codec::Element::f16, codec::Element::sparse}) {
        const codec::Codec* codec = codec::find(codec::CodecId::sq8, element, codec::Metric::l2);
        CHECK(codec != nullptr && may_have_bits(*codec) == (element != codec::Element::sparse));
    }
    for (codec::Metric metric : {codec::Metric::l2, codec::Metric::inner_product, codec::Metric::cosine, codec::Metric::l1}) {
        GraphParameters p{kDim, 8, 60, codec::find(codec::CodecId::sq8, codec::Element::f32, metric)};
        test::context("one-bit codes, metric %d", static_cast<int>(metric));
        Built one = build(x, p, 1, 0, true), without = build(x, p, 1);
        CHECK((one.graph.bits > 0) == (metric != codec::Metric::l1));
        check_rows(one.graph);
        CHECK(same(one.graph, without.graph) == (metric == codec::Metric::l1));
        for (size_t threads : {2, 5}) CHECK(same(one.graph, build(x, p, threads, 0, true).graph));
        CHECK(same(one.graph, build(x, p, 3, 77, true).graph));
        if (metric == codec::Metric::inner_product) continue;
        if (metric == codec::Metric::l2) check_settled(one.graph);
        double r = recall(one.graph, 60), others = recall(without.graph, 60);
        CHECK(r > 0.97 && r > others - 0.01, "recall %.4f, without %.4f", r, others);
    }
    // Hardly anything.
    GraphParameters p{kDim, 2, 4, codec::find(codec::CodecId::none, codec::Element::f32, codec::Metric::l2)};
    for (size_t n : {0, 1, 2, 3, 70}) {
        std::vector<float> few(x.begin(), x.begin() + static_cast<ptrdiff_t>(n * kDim));
        Built one = build(few, p, 1);
        if (n == 0) CHECK(one.graph.entry() == kNoNode);
        if (n > 0) check_rows(one.graph);
        CHECK(same(one.graph, build(few, p, 4).graph));
        check_order(one.graph, 13);
    }
    return test::finish("hnsw_build_test");
}
