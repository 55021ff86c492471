// Codec sq8 of sparse vectors: its codes say what was coded, its keys are the distances of what they say, and its lower
// bound never exceeds what an SQL operator computes, ordinary and adversarial values alike.
#include "codec/sq8_sparse.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/sparse.h"
#include "simd/kernels.h"
#include "test_util.h"

using namespace vext;
using codec::Metric;
using test::Random;

namespace {

struct Sparse {
    std::vector<int32_t> index;
    std::vector<float> value;

    SparseView view() const { return {index.data(), value.data(), static_cast<int>(index.size())}; }
};

constexpr uint32_t kWidest = 1000000000;
const Metric kMetrics[] = {Metric::l2, Metric::inner_product, Metric::cosine, Metric::l1};

const codec::Codec& codec_of(Metric metric) {
    return *codec::find(codec::CodecId::sq8, codec::Element::sparse, metric);
}

// As src/type/sparsevec_ops.cpp has them.
double operator_distance(Metric metric, const Sparse& a, const Sparse& b, const simd::Kernels& k) {
    if (metric == Metric::l2) return std::sqrt(double{sparse_l2_sq(a.view(), b.view())});
    const double dot = sparse_dot(a.view(), b.view());
    if (metric == Metric::inner_product) return -dot;
    if (metric == Metric::l1) return sparse_l1(a.view(), b.view());
    const double na = k.dot_f32(a.value.data(), a.value.data(), a.value.size());
    const double nb = k.dot_f32(b.value.data(), b.value.data(), b.value.size());
    return 1 - std::clamp(dot / std::sqrt(na * nb), -1.0, 1.0);
}

struct Code {
    std::vector<uint32_t> words;
    bool coded = false;

    Code(const codec::Codec& c, const Sparse& x, uint32_t dim) : words(codec::kMaxSparseCode / 4) {
        std::vector<float> scratch(codec::scratch_floats(c, dim));
        SparseView view = x.view();
        coded = c.encode(&view, dim, scratch.data(), data());
    }
    uint8_t* data() { return reinterpret_cast<uint8_t*>(words.data()); }
    const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(words.data()); }
    codec::SparseFactors factors() const {
        codec::SparseFactors f;
        memcpy(&f, data(), sizeof f);
        return f;
    }
    // The vector that the code stands for, elements of 0 left out.
    Sparse decoded() const {
        const codec::SparseFactors f = factors();
        const uint8_t *gaps = data() + sizeof f, *bytes = gaps + f.count * f.width;
        Sparse x;
        uint32_t next = 0;
        for (int i = 0; i < f.count; i++) {
            uint32_t gap = 0;
            for (int j = 0; j < f.width; j++) gap |= uint32_t{gaps[i * f.width + j]} << (8 * j);
            next += gap + 1;
            if (bytes[i] == f.zero) continue;
            x.index.push_back(static_cast<int32_t>(next - 1));
            x.value.push_back(f.step * static_cast<float>(bytes[i] - f.zero));
        }
        return x;
    }
};

codec::Key key_of(const codec::Codec& c, const Code& a, const Code& b, uint32_t dim, bool table, float* bound) {
    codec::Query q;
    c.prepare(a.data(), dim, &q);
    std::vector<uint64_t> memory(c.table_bytes(q) / 8);
    if (table) c.tabulate(&q, memory.data());
    const uint8_t* code = b.data();
    codec::Key key;
    c.score(q, &code, 1, &key);
    *bound = c.lower_bound(q, key, c.slack(q, code));
    return key;
}

// `n` different indices below dim, ascending; many of them shared by all vectors.
std::vector<int32_t> indices(Random& r, uint32_t dim, size_t n) {
    std::vector<int32_t> all;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = r.next();
        all.push_back(static_cast<int32_t>(i % 2 ? x % dim : x % std::min<uint64_t>(dim, 50) * (dim / 50 + 1) % dim));
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

constexpr int kKinds = 13;
Sparse make(Random& r, int kind, uint32_t dim, size_t n) {
    Sparse x{indices(r, dim, n), {}};
    if (kind == 12) x.index.clear();
    const double scale = std::pow(10.0, std::floor(r.between(-3, 4)));
    for (size_t i = 0; i < x.index.size(); i++) {
        double v = r.between(-1, 1);
        switch (kind) {
            case 0: break;
            case 1: v = std::fabs(v); break;                             // one sign, as of term weights
            case 2: v *= scale; break;                                   // of another size
            case 3: v = std::floor(v * 4) + 0.5; break;                  // few values
            case 4: v *= 1e-42; break;                                   // subnormal
            case 5: v *= 1e30; break;                                    // squares overflow
            case 6: v *= 3e38; break;                                    // sums overflow
            case 7: v *= 1e-22; break;                                   // squares underflow
            case 8: v = r.uniform() < 0.1 ? v * 1000 : v * 1e-4; break;  // few large ones: most become 0
            case 9: v = -scale; break;                                   // constant
            case 10: v = -std::fabs(v) - 100; break;                     // far from 0
            default: v = i % 7 == 0 ? v * 1e-40 : v; break;
        }
        x.value.push_back(static_cast<float>(v == 0 ? 1 : v));
    }
    return x;
}

void bounds() {
    std::vector<const simd::Kernels*> all;
    for (auto level : {simd::Level::scalar, simd::Level::baseline, simd::Level::avx2, simd::Level::avx512}) {
        if (const simd::Kernels* t = simd::table_for(level)) all.push_back(t);
    }
    Random r{1};
    const uint32_t dims[] = {1, 3, 50, 1000, 30000, 70000, 5000000, kWidest};
    const size_t sizes[] = {1, 2, 7, 20, 60, 200, 1000, 3000, 16000};
    long pairs = 0;
    for (int round = 0; round < 260; round++) {
        const uint32_t dim = dims[r.next() % std::size(dims)];
        std::vector<Sparse> set;
        for (int i = 0; i < 2 * kKinds; i++) {
            size_t n = sizes[r.next() % (round % 20 == 0 ? 9 : 6)];
            set.push_back(make(r, i % kKinds, dim, std::min<size_t>(n, dim)));
        }
        // One nearly the same as another.
        Sparse close = set[0];
        for (float& v : close.value) v *= static_cast<float>(1 + r.between(-1, 1) * 1e-6);
        set.push_back(close);
        for (Metric metric : kMetrics) {
            const codec::Codec& c = codec_of(metric);
            std::vector<Code> codes;
            for (const Sparse& x : set) codes.emplace_back(c, x, dim);
            for (size_t i = 0; i < set.size(); i++) {
                for (size_t j = 0; j < set.size(); j++) {
                    if (!codes[i].coded || !codes[j].coded) continue;
                    float bound;
                    const float key = key_of(c, codes[i], codes[j], dim, j % 2 == 0, &bound);
                    const double d = operator_distance(metric, set[i], set[j], *all[r.next() % all.size()]);
                    pairs++;
                    CHECK(!std::isnan(bound) && !std::isnan(key) && (std::isnan(d) || bound <= d),
                          "%s dim %u kinds %zu %zu key %g bound %.9g distance %.17g", codec::metric_name(metric), dim,
                          i % kKinds, j % kKinds, double{key}, double{bound}, d);
                    if (i == j && metric != Metric::inner_product) CHECK(key == 0, "equal codes, key %g", double{key});
                }
            }
        }
    }
    printf("sparse_codec_test: %ld pairs\n", pairs);
    CHECK(pairs > 500'000);
}

// Keys are those of the decoded vectors, and the bound of ordinary vectors is near the distance.
void keys() {
    Random r{2};
    for (uint32_t dim : {300u, 30000u, kWidest}) {
        for (int round = 0; round < 200; round++) {
            const Sparse a = make(r, round % 2, dim, 60), b = make(r, round % 2, dim, 5 + r.next() % 150);
            for (Metric metric : kMetrics) {
                const codec::Codec& c = codec_of(metric);
                const Code ca{c, a, dim}, cb{c, b, dim};
                float bound, other;
                const double key = key_of(c, ca, cb, dim, true, &bound);
                CHECK(key == double{key_of(c, ca, cb, dim, false, &other)} && bound == other);
                const Metric as = metric == Metric::cosine ? Metric::l2 : metric;
                const double d = operator_distance(as, ca.decoded(), cb.decoded(), *simd::active);
                CHECK(std::fabs(key - d) <= 1e-4 * std::fabs(d) + 1e-4, "%s key %g, decoded %g",
                      codec::metric_name(metric), key, d);
                const double truth = operator_distance(metric, a, b, *simd::active);
                const double size = metric == Metric::inner_product ? 100 : truth;
                CHECK(truth - bound < 0.03 * size, "%s bound %g of %g", codec::metric_name(metric), double{bound},
                      truth);
                CHECK(c.size(ca.data()) <= 20 + 60 * 4 + 4 + 60 * 4);
            }
        }
    }
}

// The elements of one vector are where they were, whatever the gaps; those beyond a code's room are the smallest.
void elements() {
    const codec::Codec& c = codec_of(Metric::l2);
    auto check = [&](uint32_t dim, const std::vector<int32_t>& index, size_t expected) {
        Sparse x{index, {}};
        // 255 sizes, none of which becomes 0
        for (size_t i = 0; i < index.size(); i++) x.value.push_back(static_cast<float>(255 - (i * 7) % 255));
        const Code code{c, x, dim};
        const Sparse y = code.decoded();
        CHECK(y.index.size() >= expected, "dim %u: %zu of %zu", dim, y.index.size(), index.size());
        CHECK(c.size(code.data()) <= codec::kMaxSparseCode);
        float least_kept = 255, most_dropped = 0;
        double lost = 0;
        size_t at = 0;
        for (size_t i = 0; i < index.size(); i++) {
            if (at < y.index.size() && y.index[at] == index[i]) {
                least_kept = std::min(least_kept, x.value[i]);
                CHECK(y.value[at] == x.value[i]);
                at++;
            } else {
                most_dropped = std::max(most_dropped, x.value[i]);
                lost += double{x.value[i]} * x.value[i];
            }
        }
        CHECK(at == y.index.size() && most_dropped <= least_kept);
        CHECK(code.factors().residual >= std::sqrt(lost) && code.factors().residual <= std::sqrt(lost) * 1.001);
    };
    std::vector<int32_t> far = {0, 255, 256, 511, 512, 1024, 66000, 131536, 131537, 20000000, 999999998, 999999999};
    check(kWidest, far, far.size());
    check(kWidest, {}, 0);
    auto spread = [](uint32_t dim, int n) {
        std::vector<int32_t> index;
        for (int i = 0; i < n; i++) index.push_back(static_cast<int32_t>(uint64_t{dim} * i / n));
        return index;
    };
    check(2500, spread(2500, 2500), 2500);
    check(30000, spread(30000, 2500), 2500);
    check(300000, spread(300000, 2500), 2500);
    check(1000000, spread(1000000, 2400), 2400);
    check(kWidest, spread(kWidest, 1000), 1000);
    check(kWidest, spread(kWidest, 2500), 1700);
    check(16000, spread(16000, 16000), 3500);
    check(kWidest, spread(kWidest, 16000), 1700);
}

// Whatever a damaged page holds, nothing outside the most that a code may take is read.
void garbage() {
    Random r{3};
    test::Guarded memory{codec::kMaxSparseCode};
    uint8_t* end = memory.last<uint8_t>(codec::kMaxSparseCode);
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < codec::kMaxSparseCode; i++) end[i] = static_cast<uint8_t>(r.next());
        const codec::Codec& c = codec_of(kMetrics[round % 4]);
        CHECK(c.size(end) <= codec::kMaxSparseCode);
        codec::Query q;
        c.prepare(end, 1000, &q);
        const uint8_t* code = end;
        codec::Key key;
        c.score(q, &code, 1, &key);
    }
}

}  // namespace

int main() {
    bounds();
    keys();
    elements();
    garbage();
    return test::finish("sparse_codec_test");
}
