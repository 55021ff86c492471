// The nearest nodes that a calibration finds by matrix products, beside scoring all: the same keys, bit for bit, of
// vectors of any size and place, on every instruction set.
#include "hnsw/hnsw_calibrate_nearest.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "test_heap.h"
#include "test_util.h"

using namespace vext;
using codec::Metric;
using test::Heap;
using test::Random;
using test::Vec;

namespace {

using Nearest = hnsw::NearestNodes<Vec, Heap>;

constexpr size_t kNodes = 3000, kSamples = 150;

// Vectors: values are `middle` and up to `spread` more or less. `strange`: a few are zero, or of another size by far.
struct Kind {
    const char* name;
    float middle, spread;
    bool clusters, strange;
    bool few_scored;  // products tell most of them apart
};
constexpr Kind kKinds[] = {
    {"plain", 0, 1, false, false, true},      {"clusters", 0.5f, 1, true, false, true},
    {"far away", 1000, 1, false, false, false}, {"tiny", 0, 1e-22f, false, false, false},
    {"small", 0, 1e-12f, false, false, false},  {"large", 0, 1e10f, false, false, true},
    {"huge", 0, 1e25f, false, false, false},    {"strange", 0, 1, false, true, false},
};

void fill(const Kind& kind, size_t node, std::vector<float>& x, Random& r) {
    Random centre{node % 40};
    for (float& v : x) {
        double at = kind.clusters ? centre.between(-1, 1) + 0.05 * r.between(-1, 1) : r.between(-1, 1);
        v = static_cast<float>(kind.middle + kind.spread * at);
    }
    if (!kind.strange || node % 50 != 7) return;
    const float sizes[] = {0, 1e-30f, 1e17f, 1e30f};
    for (float& v : x) v *= sizes[node / 50 % 4];
}

// Codes of n vectors; of fewer, where some cannot be coded.
std::vector<uint8_t> make_codes(const codec::Codec& c, const Kind& kind, uint32_t dim, size_t n, Random& r) {
    std::vector<float> x(dim), scratch(dim);
    std::vector<uint8_t> codes, code(c.bytes(dim));
    for (size_t i = 0; i < n; i++) {
        fill(kind, i, x, r);
        if (c.encode(x.data(), dim, scratch.data(), code.data())) codes.insert(codes.end(), code.begin(), code.end());
    }
    return codes;
}

void compare(const codec::Codec& c, const Kind& kind, uint32_t dim) {
    Random r{dim};
    size_t stride = c.bytes(dim);
    std::vector<uint8_t> codes = make_codes(c, kind, dim, kNodes, r), others = make_codes(c, kind, dim, 2 * kSamples, r);
    // Some samples are nodes, which they must not find.
    std::vector<hnsw::Sample> samples;
    for (uint32_t i = 0; i < kSamples; i++) {
        bool is_node = i % 3 == 0;
        const uint8_t* code = is_node ? &codes[i * 7 * stride] : &others[i * stride];
        samples.push_back({is_node ? i * 7 : hnsw::kNoNode, code, i % 2 == 0});
    }
    std::vector<hnsw::NearestKeys> found(kSamples), truth(kSamples);
    Nearest by_products{Heap{}, c, dim, samples, found.data()}, plain{Heap{}, c, dim, samples, truth.data()};
    for (uint32_t i = 0; i < codes.size() / stride; i++) {
        const uint8_t* code = &codes[i * stride];
        if (by_products.gathers()) {
            by_products.gather(code, i);
        } else {
            by_products.score(&code, &i, 1);
        }
        plain.score(&code, &i, 1);
        if (i % 1000 == 10) by_products.compare_gathered();
    }
    by_products.compare_gathered();
    for (size_t i = 0; i < kSamples / 2; i++) {
        CHECK(found[i].known == hnsw::NearestKeys::kMost && truth[i].known == found[i].known, "%s sample %zu", kind.name, i);
        CHECK(memcmp(found[i].keys, truth[i].keys, sizeof found[i].keys) == 0, "%s sample %zu: %g not %g", kind.name, i,
              double(found[i].farthest()), double(truth[i].farthest()));
    }
    if (kind.few_scored) {
        CHECK(by_products.gathers() && by_products.scored() < kNodes * kSamples / 2 / 10, "%s: %lu scored", kind.name,
              static_cast<unsigned long>(by_products.scored()));
    }
}

}  // namespace

int main() {
    for (int level = 1; level <= int(simd::Level::vnni); level++) {
        const simd::Kernels* table = simd::table_for(simd::Level(level));
        if (table == nullptr) continue;
        simd::active = table;
        for (Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
            const codec::Codec& c = *codec::find(codec::CodecId::sq8, codec::Element::f32, metric);
            for (const Kind& kind : kKinds) {
                for (uint32_t dim : {3u, 61u, 128u}) {
                    test::context("%s, %s, %u dimensions", table->name, codec::metric_name(metric), dim);
                    compare(c, kind, dim);
                }
            }
        }
    }
    return test::finish("hnsw_nearest_test");
}
