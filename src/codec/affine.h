// What codecs sq8 and sq4 share: a coded vector is exactly x' = lo + step * code, with integer codes (locally adaptive
// quantization, LVQ: Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices", 2023,
// section 3). So distances between coded vectors follow from one integer dot product and are exact up to double
// rounding.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "codec/bounds.h"
#include "codec/codec.h"
#include "simd/kernels.h"

namespace vext::codec {

// The head of a code.
struct AffineFactors {
    float lo;
    float step;
    uint32_t sum;     // of the codes
    uint32_t sum_sq;  // of their squares
    float residual;   // |x - x'| rounded up, in l1 norm for l1, else Euclidean; inf: nothing can be said of it
};
static_assert(sizeof(AffineFactors) == 20);

inline AffineFactors factors_of(const uint8_t* code) {
    AffineFactors f;
    memcpy(&f, code, sizeof f);
    return f;
}

// What follows the factors: bytes, or nibbles two to a byte.
inline const uint8_t* codes_of(const uint8_t* code) { return code + sizeof(AffineFactors); }

inline double magnitude_of(double lo, double step, double top) {
    return std::max(std::fabs(lo), std::fabs(lo + top * step));
}

// Codes are 0 to `top`.
inline void prepare_affine(const uint8_t* code, uint32_t dim, double top, Query* q) {
    AffineFactors f = factors_of(code);
    q->code = code;
    q->dim = dim;
    q->top = top;
    q->lo = f.lo;
    q->step = f.step;
    q->step_sum = q->step * f.sum;
    q->sq = q->step * q->step * f.sum_sq;
    q->residual = f.residual;
    q->magnitude = magnitude_of(f.lo, f.step, top);
}

inline double root_dim(const Query& q) { return std::sqrt(static_cast<double>(q.dim)); }
// An upper bound of the norm of the coded vector.
inline double norm_of(const Query& q) {
    double sq = q.dim * q.lo * q.lo + 2 * q.lo * q.step_sum + q.sq;
    return std::sqrt(at_least_zero(sq) + 1e-14 * q.dim * q.magnitude * q.magnitude) * (1 + 1e-9);
}

// Squared Euclidean distance of two coded vectors.
inline double l2_sq(const Query& q, const AffineFactors& f, uint32_t dot) {
    double step = f.step;
    double shift = f.lo - q.lo;
    double e = q.dim * shift * shift + 2 * shift * (step * f.sum - q.step_sum) + step * step * f.sum_sq + q.sq -
               2 * step * q.step * dot;
    return at_least_zero(e);
}

inline double inner_product(const Query& q, const AffineFactors& f, uint32_t dot) {
    double step = f.step;
    return q.dim * q.lo * f.lo + q.lo * step * f.sum + f.lo * q.step_sum + q.step * step * dot;
}

// Scores codes by l2, which also is cosine's, or inner product. dots(rows, n, out) gives the products of the query's codes
// with those of rows; more(residual): what a squared distance lacks.
template <Metric M, typename Dots, typename More>
void score_affine(const Query& q, const uint8_t* const* codes, size_t n, Key* keys, Dots dots, More more) {
    constexpr size_t kBatch = 64;
    const double q_more = more(q.residual);
    for (size_t start = 0; start < n; start += kBatch) {
        const uint8_t* rows[kBatch];
        uint32_t products[kBatch];
        size_t count = std::min(kBatch, n - start);
        for (size_t i = 0; i < count; i++) rows[i] = codes_of(codes[start + i]);
        dots(rows, count, products);
        for (size_t i = 0; i < count; i++) {
            AffineFactors f = factors_of(codes[start + i]);
            Key& key = keys[start + i];
            if constexpr (M == Metric::inner_product) {
                key = static_cast<float>(-inner_product(q, f, products[i]));
            } else {
                // The root keeps huge vectors (1e30) apart in a float.
                key = static_cast<float>(std::sqrt(l2_sq(q, f, products[i]) + more(f.residual) + q_more));
            }
        }
    }
}

// The elements as floats, which halves are exactly.
template <Element E>
const float* as_floats(const void* values, uint32_t dim, float* scratch) {
    if constexpr (E == Element::f32) return static_cast<const float*>(values);
    simd::active->f16_to_f32(static_cast<const Half*>(values), dim, scratch);
    return scratch;
}

// What a vector may lose, in its norm, when it is brought to length one in floats.
inline constexpr double kNormalizationError = 0x1.0p-23;

// Element and metric of the values to be coded; Write codes floats: write(x, dim, l1, lost, code), where `lost` is an
// error that x already carries (from normalising), in the norm of the residual.
template <Element E, Metric M, auto write>
bool encode_affine(const void* values, uint32_t dim, float* scratch, uint8_t* code) {
    const float* x = as_floats<E>(values, dim, scratch);
    if constexpr (M != Metric::cosine) {
        write(x, dim, M == Metric::l1, 0, code);
        return true;
    }
    double norm_sq = simd::active->norm_sq_f32(x, dim);
    if (!(norm_sq > 0)) return false;
    double norm = std::sqrt(norm_sq);
    // The operator sums squares in float32: out of this range it may overflow or underflow, and answer anything.
    bool promised = norm_sq > 1e-25 && norm_sq < 1e37;
    if (promised) {
        simd::active->scale_f32(x, static_cast<float>(1 / norm), nullptr, 2, dim, scratch);
    } else {
        for (uint32_t i = 0; i < dim; i++) scratch[i] = static_cast<float>(x[i] / norm);
    }
    write(scratch, dim, false, promised ? kNormalizationError : kInfinity, code);
    return true;
}

// 1.05 in distances; keys of the inner product are none.
template <Metric M>
constexpr float relaxed() {
    return M == Metric::inner_product ? 1 : 1.05f;
}

// The rows of a codec: each element type under each metric. row.template operator()<E, M>() makes one.
template <typename Row>
constexpr std::array<Codec, 8> affine_rows(Row row) {
    using enum Element;
    using enum Metric;
    return {row.template operator()<f32, l2>(),     row.template operator()<f32, inner_product>(),
            row.template operator()<f32, cosine>(), row.template operator()<f32, l1>(),
            row.template operator()<f16, l2>(),     row.template operator()<f16, inner_product>(),
            row.template operator()<f16, cosine>(), row.template operator()<f16, l1>()};
}

}  // namespace vext::codec
