// The codecs' promise: a lower bound never exceeds what an SQL operator computes, on whatever instruction set the
// index was built, searched and the operator run. Ten million pairs, ordinary and adversarial.
#include "codec/codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "simd/kernels.h"
#include "test_util.h"

using namespace vext;
using codec::Metric;
using test::Random;

namespace {

// By the values that are the query's code, where the codec can do that.
float close_bound(const codec::Codec& c, const codec::Query& query, const void* values, const uint8_t* query_code, const uint8_t* code) {
    codec::Key key;
    float slack;
    std::vector<float> coded(codec::scratch_floats(c, query.dim)), scratch(query.dim);
    std::vector<uint8_t> again(c.bytes(query.dim));
    if (c.score_closely == nullptr || !std::isfinite(query.residual)) return -HUGE_VALF;
    CHECK(c.encode(values, query.dim, coded.data(), again.data()));
    CHECK(memcmp(again.data() + 20, query_code + 20, query.dim) == 0);
    const float* of_query = codec::coded_values(c, values, coded.data());
    if (!c.score_closely(query, of_query, code, scratch.data(), &key, &slack)) return -HUGE_VALF;
    return c.lower_bound(query, key, slack);
}

struct Operator {
    Metric metric;
    const char* name;
    double (*distance)(const simd::Kernels&, const float*, const float*, size_t);
};

// As src/type/vector_distance.cpp has them.
const Operator kOperators[] = {
    {Metric::l2, "l2",
     [](const simd::Kernels& k, const float* a, const float* b, size_t n) {
         return std::sqrt(static_cast<double>(k.l2_sq_f32(a, b, n)));
     }},
    {Metric::inner_product, "ip",
     [](const simd::Kernels& k, const float* a, const float* b, size_t n) {
         return -static_cast<double>(k.dot_f32(a, b, n));
     }},
    {Metric::cosine, "cosine",
     [](const simd::Kernels& k, const float* a, const float* b, size_t n) {
         simd::CosineSums s = k.cosine_sums_f32(a, b, n);
         double x = s.dot / std::sqrt(static_cast<double>(s.norm_a_sq) * static_cast<double>(s.norm_b_sq));
         return 1 - std::clamp(x, -1.0, 1.0);
     }},
    {Metric::l1, "l1",
     [](const simd::Kernels& k, const float* a, const float* b, size_t n) {
         return static_cast<double>(k.l1_f32(a, b, n));
     }},
};

// One vector of a kind; every kind meets every other within a set.
void fill(Random& r, int kind, float* x, size_t dim, const float* other) {
    double scale = std::pow(10.0, std::floor(r.between(-3, 4)));
    for (size_t i = 0; i < dim; i++) {
        double v = r.between(-1, 1);
        switch (kind) {
            case 0: break;                                               // uniform
            case 1: v *= scale; break;                                   // of another size
            case 2: v = v * 1e-3 + 100; break;                           // far from the origin, close together
            case 3: v = std::floor(v * 4); break;                        // small integers
            case 4: v *= 1e-42; break;                                   // subnormal
            case 5: v *= 1e30; break;                                    // squares overflow
            case 6: v *= 3e38; break;                                    // sums overflow
            case 7: v *= 1e-22; break;                                   // squares underflow
            case 8: v = r.uniform() < 0.1 ? v * 1000 : v * 1e-4; break;  // few large ones
            case 9: v = i == 0 ? 1 : -0.0; break;
            case 10: v = scale; break;                                   // constant
            case 11: v = r.uniform() < 0.5 ? 1 : -1; break;              // two values
            case 12: v = other[i] * (1 + v * 1e-6); break;               // nearly the one before
            default: v = i % 7 == 0 ? v * 1e-40 : v; break;
        }
        x[i] = static_cast<float>(v);
    }
}
constexpr int kKinds = 14;

std::vector<const simd::Kernels*> tables() {
    std::vector<const simd::Kernels*> all;
    for (auto level : {simd::Level::scalar, simd::Level::baseline, simd::Level::avx2, simd::Level::avx512,
                       simd::Level::vnni}) {
        if (const simd::Kernels* t = simd::table_for(level)) all.push_back(t);
    }
    return all;
}

// Bounds of all pairs of one set of vectors under one codec; the three parties use tables of their own.
long check_set(const codec::Codec& c, const Operator& op, const std::vector<float>& set, size_t n, size_t dim,
               const std::vector<const simd::Kernels*>& all, Random& r) {
    auto any = [&] { return all[r.next() % all.size()]; };
    size_t stride = c.bytes(static_cast<uint32_t>(dim));
    std::vector<uint32_t> storage((n * stride + 3) / 4);
    auto* codes = reinterpret_cast<uint8_t*>(storage.data());
    std::vector<float> scratch(dim);
    std::vector<uint8_t> coded(n);
    for (size_t i = 0; i < n; i++) {
        simd::active = any();
        coded[i] = c.encode(&set[i * dim], static_cast<uint32_t>(dim), scratch.data(), codes + i * stride);
    }
    const simd::Kernels& truth = *any();
    simd::active = any();
    long violations = 0, pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!coded[i]) continue;
        codec::Query query;
        c.prepare(codes + i * stride, static_cast<uint32_t>(dim), &query);
        for (size_t j = 0; j < n; j++) {
            if (!coded[j]) continue;
            const uint8_t* code = codes + j * stride;
            codec::Key key;
            c.score(query, &code, 1, &key);
            float bound = c.lower_bound(query, key, c.slack(query, code));
            float close = close_bound(c, query, &set[i * dim], codes + i * stride, code);
            double d = op.distance(truth, &set[i * dim], &set[j * dim], dim);
            // The server sorts NaN behind all numbers.
            bool ok = !std::isnan(bound) && !std::isnan(close) && (std::isnan(d) || (bound <= d && close <= d));
            pairs++;
            if (!ok && violations++ < 3) {
                CHECK(ok, "%s %s dim %zu pair %zu %zu key %g bounds %.9g %.9g distance %.17g", codec::codec_name(c.id),
                      op.name, dim, i, j, static_cast<double>(key), static_cast<double>(bound), static_cast<double>(close), d);
            }
        }
    }
    return pairs;
}

void bounds() {
    auto all = tables();
    Random r{1};
    const size_t dims[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 128, 257, 384};
    const size_t n = 4 * kKinds;
    long pairs = 0;
    while (pairs < 10'000'000) {
        size_t dim = dims[r.next() % std::size(dims)];
        std::vector<float> set(n * dim);
        for (size_t i = 0; i < n; i++) {
            const float* other = &set[(i == 0 ? 0 : r.next() % i) * dim];
            fill(r, static_cast<int>(i) % kKinds, &set[i * dim], dim, other);
        }
        for (const Operator& op : kOperators) {
            // Codec none is in here for the one whose rows are rechecked; an exact codec's order needs no bound.
            for (auto id : {codec::CodecId::sq8, codec::CodecId::none}) {
                const codec::Codec* c = codec::find(id, codec::Element::f32, op.metric);
                if (c == nullptr || c->exact) continue;
                pairs += check_set(*c, op, set, n, dim, all, r);
            }
        }
    }
    CHECK(pairs >= 10'000'000);
    printf("codec_test: %ld pairs\n", pairs);
}

// The same of halves: they are coded as the floats that they are exactly, and their operators widen them.
void half_bounds() {
    auto all = tables();
    Random r{4};
    const size_t n = 4 * kKinds;
    long pairs = 0, violations = 0;
    for (int round = 0; round < 60; round++) {
        size_t dim = 1 + r.next() % 100;
        std::vector<float> wide(n * dim), scratch(dim);
        std::vector<Half> set(n * dim);
        for (size_t i = 0; i < n; i++) {
            fill(r, static_cast<int>(i) % kKinds, &wide[i * dim], dim, &wide[(i == 0 ? 0 : r.next() % i) * dim]);
        }
        for (size_t i = 0; i < n * dim; i++) set[i] = float_to_half(std::clamp(wide[i], -kMaxHalf, kMaxHalf));
        for (const Operator& op : kOperators) {
            const codec::Codec& c = *codec::find(codec::CodecId::sq8, codec::Element::f16, op.metric);
            size_t stride = c.bytes(static_cast<uint32_t>(dim));
            std::vector<uint32_t> storage(n * stride / 4 + 1);
            auto* codes = reinterpret_cast<uint8_t*>(storage.data());
            std::vector<uint8_t> coded(n);
            for (size_t i = 0; i < n; i++) {
                simd::active = all[r.next() % all.size()];
                coded[i] = c.encode(&set[i * dim], static_cast<uint32_t>(dim), scratch.data(), codes + i * stride);
            }
            const simd::Kernels& k = *all[r.next() % all.size()];
            for (size_t i = 0; i < n; i++) {
                codec::Query query;
                if (coded[i]) c.prepare(codes + i * stride, static_cast<uint32_t>(dim), &query);
                for (size_t j = 0; coded[i] && j < n; j++) {
                    if (!coded[j]) continue;
                    const uint8_t* code = codes + j * stride;
                    codec::Key key;
                    c.score(query, &code, 1, &key);
                    float bound = c.lower_bound(query, key, c.slack(query, code));
                    float close = close_bound(c, query, &set[i * dim], codes + i * stride, code);
                    const Half *a = &set[i * dim], *b = &set[j * dim];
                    simd::CosineSums s = k.cosine_sums_f16(a, b, dim);
                    double cosine = s.dot / std::sqrt(static_cast<double>(s.norm_a_sq) * s.norm_b_sq);
                    double d = op.metric == Metric::l2              ? std::sqrt(double{k.l2_sq_f16(a, b, dim)})
                               : op.metric == Metric::inner_product ? -double{k.dot_f16(a, b, dim)}
                               : op.metric == Metric::cosine        ? 1 - std::clamp(cosine, -1.0, 1.0)
                                                                    : double{k.l1_f16(a, b, dim)};
                    pairs++;
                    violations += std::isnan(bound) || std::isnan(close) || !(std::isnan(d) || (bound <= d && close <= d));
                }
            }
        }
    }
    CHECK(violations == 0, "%ld of %ld pairs of halves", violations, pairs);
    CHECK(pairs > 100'000);
}

// A bound that is always 0 would pass the test above: on ordinary vectors it must be within the two residuals.
void tightness() {
    simd::active = simd::table_for(simd::Level::automatic);
    Random r{2};
    const size_t dim = 384;
    std::vector<float> a(dim), b(dim), scratch(dim);
    for (const Operator& op : kOperators) {
        const codec::Codec& c = *codec::find(codec::CodecId::sq8, codec::Element::f32, op.metric);
        std::vector<uint32_t> code_a(c.bytes(dim) / 4 + 1), code_b(c.bytes(dim) / 4 + 1);
        auto* pa = reinterpret_cast<uint8_t*>(code_a.data());
        auto* pb = reinterpret_cast<uint8_t*>(code_b.data());
        for (int round = 0; round < 100; round++) {
            for (size_t i = 0; i < dim; i++) {
                a[i] = static_cast<float>(r.between(-1, 1));
                b[i] = static_cast<float>(r.between(-1, 1));
            }
            c.encode(a.data(), dim, scratch.data(), pa);
            c.encode(b.data(), dim, scratch.data(), pb);
            codec::Query q;
            c.prepare(pa, dim, &q);
            codec::Key key;
            const uint8_t* code = pb;
            c.score(q, &code, 1, &key);
            double bound = c.lower_bound(q, key, c.slack(q, code));
            double close = close_bound(c, q, a.data(), pa, pb);
            double d = op.distance(*simd::active, a.data(), b.data(), dim);
            double size = op.metric == Metric::inner_product ? 128 : d;
            CHECK(d - bound < 0.025 * size, "%s bound %g distance %g", op.name, bound, d);
            if (c.score_closely != nullptr) CHECK(d - close < 0.013 * size, "%s close bound %g distance %g", op.name, close, d);
        }
    }
}

// The estimates of an uncertain codec: unbiased, of the promised deviation, and its bounds hold for nearly all pairs.
// Queries are coded as a build does it, and as a scan does.
void estimates() {
    auto all = tables();
    Random r{5};
    const size_t dim = 200, n = 60;
    std::vector<float> set(n * dim), scratch(dim);
    for (const Operator& op : kOperators) {
        const codec::Codec& c = *codec::find(codec::CodecId::sq4, codec::Element::f32, op.metric);
        for (const codec::Codec* of_query : {&c, &codec::query_codec(c)}) {
            double error = 0, size = 0;
            long pairs = 0, above = 0;
            for (int round = 0; round < 20; round++) {
                simd::active = all[r.next() % all.size()];
                for (float& v : set) v = static_cast<float>(r.between(-1, 1) + r.between(-1, 1) + r.between(-1, 1));
                std::vector<std::vector<uint32_t>> codes(n), queries(n);
                auto coded = [&](const codec::Codec& by, size_t i, std::vector<uint32_t>& into) {
                    into.resize(by.bytes(dim) / 4 + 1);
                    auto* code = reinterpret_cast<uint8_t*>(into.data());
                    CHECK(by.encode(&set[i * dim], dim, scratch.data(), code));
                    return code;
                };
                for (size_t i = 0; i < n; i++) coded(c, i, codes[i]);
                for (size_t i = 0; i < n; i++) {
                    codec::Query q;
                    of_query->prepare(coded(*of_query, i, queries[i]), dim, &q);
                    for (size_t j = 0; j < n; j++) {
                        if (i == j) continue;
                        auto* code = reinterpret_cast<const uint8_t*>(codes[j].data());
                        codec::Key key;
                        c.score(q, &code, 1, &key);
                        double bound = c.lower_bound(q, key, c.slack(q, code));
                        double estimate = c.lower_bound(q, key, 0);
                        double d = op.distance(*simd::active, &set[i * dim], &set[j * dim], dim);
                        error += estimate - d;
                        size += std::fabs(estimate - d);
                        above += bound > d;
                        pairs++;
                        CHECK(bound <= estimate);
                    }
                }
            }
            error /= static_cast<double>(pairs);
            size /= static_cast<double>(pairs);
            // Under l1 what two codes lost does not cancel.
            double bias = (op.metric == Metric::l1 ? 1 : 0.1) * size;
            CHECK(std::fabs(error) <= bias, "%s bias %g of %g", op.name, error, size);
            CHECK(above < pairs / (of_query == &c ? 25 : 200), "%s %ld of %ld bounds", op.name, above, pairs);
        }
    }
}

// Whatever the values are, keys and bounds are numbers: a NaN would have no place in an order.
void estimates_of_extremes() {
    auto all = tables();
    Random r{6};
    const size_t n = kKinds;
    for (uint32_t dim : {1u, 2u, 3u, 64u, 129u}) {
        for (const Operator& op : kOperators) {
            const codec::Codec& c = *codec::find(codec::CodecId::sq4, codec::Element::f32, op.metric);
            const codec::Codec& of_query = codec::query_codec(c);
            std::vector<float> x(dim), y(dim), scratch(dim);
            std::vector<uint32_t> code(c.bytes(dim) / 4 + 1), query(of_query.bytes(dim) / 4 + 1);
            for (size_t pair = 0; pair < n * n * 10; pair++) {
                simd::active = all[r.next() % all.size()];
                fill(r, static_cast<int>(pair % n), x.data(), dim, y.data());
                fill(r, static_cast<int>(pair / n % n), y.data(), dim, x.data());
                auto* a = reinterpret_cast<uint8_t*>(query.data());
                auto* b = reinterpret_cast<uint8_t*>(code.data());
                if (!of_query.encode(x.data(), dim, scratch.data(), a)) continue;
                if (!c.encode(y.data(), dim, scratch.data(), b)) continue;
                codec::Query q;
                of_query.prepare(a, dim, &q);
                codec::Key key;
                const uint8_t* one = b;
                c.score(q, &one, 1, &key);
                float bound = c.lower_bound(q, key, c.slack(q, b));
                CHECK(!std::isnan(key) && !std::isnan(bound), "%s kinds %zu %zu", op.name, pair % n, pair / n % n);
            }
        }
    }
}

// Codes and keys are the same on every instruction set, where they are integers: graphs do not depend on the machine.
void same_codes() {
    auto all = tables();
    Random r{3};
    const codec::Codec& c = *codec::find(codec::CodecId::sq8, codec::Element::f32, Metric::l2);
    for (size_t dim : {1u, 5u, 16u, 63u, 384u, 1000u}) {
        std::vector<float> x(dim), scratch(dim);
        for (float& v : x) v = static_cast<float>(r.between(-2, 5));
        std::vector<uint8_t> first(c.bytes(static_cast<uint32_t>(dim))), other(first.size());
        simd::active = all[0];
        c.encode(x.data(), static_cast<uint32_t>(dim), scratch.data(), first.data());
        for (const simd::Kernels* t : all) {
            simd::active = t;
            c.encode(x.data(), static_cast<uint32_t>(dim), scratch.data(), other.data());
            // The residual (a sum of doubles) may differ in its last digit.
            CHECK(memcmp(first.data(), other.data(), 16) == 0, "%s dim %zu factors", t->name, dim);
            CHECK(memcmp(first.data() + 20, other.data() + 20, first.size() - 20) == 0, "%s dim %zu", t->name, dim);
        }
    }
}

}  // namespace

int main() {
    bounds();
    half_bounds();
    tightness();
    estimates();
    estimates_of_extremes();
    same_codes();
    return test::finish("codec_test");
}
