#include "codec/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/affine.h"
#include "codec/sq8_sparse.h"

namespace vext::codec {
namespace {

// Of numbers that are rounded sums.
constexpr float kAlike = 1e-3f;

bool all_zero(const uint8_t* from, const uint8_t* to) {
    return std::all_of(from, to, [](uint8_t byte) { return byte == 0; });
}

bool is_factor(float x) { return std::isfinite(x) && x >= 0; }
bool is_residual(float x) { return x >= 0; }  // infinity: no bound

// The i-th dimension of an sq8 or sq4 code.
uint32_t value_at(const Codec& codec, const uint8_t* code, uint32_t i, uint32_t dim) {
    const uint8_t* bytes = codes_of(code);
    if (codec.id != CodecId::sq4) return bytes[i];
    uint32_t half = (dim + 1) / 2;
    return i < half ? bytes[i] & 15 : bytes[i - half] >> 4;
}

const char* affine_problem(const Codec& codec, const uint8_t* code, uint32_t dim) {
    AffineFactors f = factors_of(code);
    if (!std::isfinite(f.lo) || !is_factor(f.step) || !is_residual(f.residual)) return "its factors are no numbers";
    const uint8_t* bytes = codes_of(code);
    bool packed = codec.id == CodecId::sq4;
    size_t used = packed ? (dim + 1u) / 2u : dim;
    uint32_t sum = 0, sum_sq = 0;
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t value = value_at(codec, code, i, dim);
        sum += value;
        sum_sq += value * value;
    }
    if (sum != f.sum || sum_sq != f.sum_sq) return "its sums are not those of its bytes";
    if (packed && dim % 2 == 1 && bytes[used - 1] >> 4 != 0) return "a nibble behind its end is not zero";
    if (!all_zero(bytes + used, code + codec.bytes(dim))) return "bytes behind its end are not zero";
    return nullptr;
}

const char* sparse_problem(const Codec& codec, const uint8_t* code, uint32_t dim) {
    SparseFactors f;
    memcpy(&f, code, sizeof f);
    if (f.width < 1 || f.width > 3 || f.reserved != 0) return "its header is not valid";
    size_t elements = f.count, end = sizeof f + elements * (f.width + 1u);
    if ((end + 3) / 4 * 4 > kMaxSparseCode) return "it has too many elements";
    if (f.nnz > kMaxSparseElements) return "it has too many elements";
    if (!is_factor(f.step) || !is_residual(f.residual)) return "its factors are no numbers";
    const uint8_t *gaps = code + sizeof f, *bytes = gaps + elements * f.width;
    uint64_t next = 0;
    uint32_t size = 0;
    for (size_t i = 0; i < elements; i++) {
        uint32_t gap = 0;
        for (uint32_t j = 0; j < f.width; j++) gap |= static_cast<uint32_t>(gaps[i * f.width + j]) << (8 * j);
        next += gap + 1u;
        auto m = static_cast<uint32_t>(std::abs(bytes[i] - f.zero));
        size += codec.metric == Metric::l1 ? m : m * m;
    }
    if (next > dim) return "an index is beyond its dimensions";
    if (size != f.size) return "its sum is not that of its bytes";
    if (!all_zero(code + end, code + (end + 3) / 4 * 4)) return "bytes behind its end are not zero";
    return nullptr;
}

const char* plain_problem(const Codec& codec, const uint8_t* code, uint32_t dim) {
    size_t used = dim * sizeof(float);
    if (codec.element == Element::f16) used = dim * sizeof(Half);
    if (codec.element == Element::bit) used = (dim + 7) / 8;
    if (!all_zero(code + used, code + codec.bytes(dim))) return "bytes behind its end are not zero";
    if (codec.element == Element::f32) {
        for (uint32_t i = 0; i < dim; i++) {
            float x;
            memcpy(&x, code + i * sizeof x, sizeof x);
            if (!std::isfinite(x)) return "an element is no number";
        }
    }
    if (codec.element == Element::bit && dim % 8 != 0 && (code[used - 1] & (0xFF >> dim % 8)) != 0) {
        return "bits behind its end are not zero";
    }
    return nullptr;
}

// The residual stands at one place in all codes that have one.
float residual_of(const uint8_t* code) {
    static_assert(offsetof(AffineFactors, residual) == offsetof(SparseFactors, residual));
    float residual;
    memcpy(&residual, code + offsetof(AffineFactors, residual), sizeof residual);
    return residual;
}

// Of what two codes stand for: Euclidean, or l1.
double affine_distance(const Codec& codec, const uint8_t* a, const uint8_t* b, uint32_t dim) {
    AffineFactors fa = factors_of(a), fb = factors_of(b);
    double sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        double d = fa.lo + static_cast<double>(fa.step) * value_at(codec, a, i, dim) - fb.lo -
                   static_cast<double>(fb.step) * value_at(codec, b, i, dim);
        sum += codec.metric == Metric::l1 ? std::fabs(d) : d * d;
    }
    return codec.metric == Metric::l1 ? sum : std::sqrt(sum);
}

double largest_value(const Codec& codec, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    return magnitude_of(f.lo, f.step, codec.id == CodecId::sq4 ? 15 : 255);
}

// Codes under inner product and cosine are those of l2, whose keys are distances.
float sparse_lower_bound(const Codec& codec, const uint8_t* stored, const uint8_t* fresh, uint32_t dim) {
    const Codec& l2 = codec.metric == Metric::l1 ? codec : *find(codec.id, codec.element, Metric::l2);
    Query query;
    l2.prepare(fresh, dim, &query);
    Key key;
    l2.score(query, &stored, 1, &key);
    return l2.lower_bound(query, key, l2.slack(query, stored));
}

}  // namespace

const char* code_problem(const Codec& codec, const uint8_t* code, uint32_t dim) {
    if (codec.id == CodecId::none) return plain_problem(codec, code, dim);
    return codec.element == Element::sparse ? sparse_problem(codec, code, dim) : affine_problem(codec, code, dim);
}

bool may_be_of_one_vector(const Codec& codec, const uint8_t* stored, const uint8_t* fresh, uint32_t dim) {
    size_t bytes = codec.size != nullptr ? codec.size(fresh) : codec.bytes(dim);
    if ((codec.size == nullptr || codec.size(stored) == bytes) && memcmp(stored, fresh, bytes) == 0) return true;
    if (codec.id == CodecId::none) return false;
    float a = residual_of(stored), b = residual_of(fresh);
    if (std::isinf(a) != std::isinf(b) || (std::isfinite(b) && std::fabs(a - b) > kAlike * b)) return false;
    if (std::isinf(a)) return true;
    if (codec.element == Element::sparse) return sparse_lower_bound(codec, stored, fresh, dim) <= 0;
    double scale = std::max(largest_value(codec, stored), largest_value(codec, fresh));
    return affine_distance(codec, stored, fresh, dim) <= (a + b) * (1 + kAlike) + 1e-6 * dim * scale;
}

}  // namespace vext::codec
