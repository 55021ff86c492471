#include "codec/plain.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/bounds.h"
#include "simd/kernels.h"

namespace vext::codec {
namespace {

constexpr float kLast = std::numeric_limits<float>::infinity();

size_t padded(size_t bytes) { return (bytes + 3) / 4 * 4; }

// ---- floats and halves: the same functions over two sets of kernels -----------------------------------------

template <Element E>
struct Dense;

template <>
struct Dense<Element::f32> {
    using Value = float;
    static float l2_sq(const float* a, const float* b, uint32_t n) { return simd::active->l2_sq_f32(a, b, n); }
    static float dot(const float* a, const float* b, uint32_t n) { return simd::active->dot_f32(a, b, n); }
    static float l1(const float* a, const float* b, uint32_t n) { return simd::active->l1_f32(a, b, n); }
    static simd::CosineSums cosine(const float* a, const float* b, uint32_t n) {
        return simd::active->cosine_sums_f32(a, b, n);
    }
    static double norm_sq(const float* a, uint32_t n) { return simd::active->norm_sq_f32(a, n); }
};

template <>
struct Dense<Element::f16> {
    using Value = Half;
    static float l2_sq(const Half* a, const Half* b, uint32_t n) { return simd::active->l2_sq_f16(a, b, n); }
    static float dot(const Half* a, const Half* b, uint32_t n) { return simd::active->dot_f16(a, b, n); }
    static float l1(const Half* a, const Half* b, uint32_t n) { return simd::active->l1_f16(a, b, n); }
    static simd::CosineSums cosine(const Half* a, const Half* b, uint32_t n) {
        return simd::active->cosine_sums_f16(a, b, n);
    }
    static double norm_sq(const Half* a, uint32_t n) { return simd::active->norm_sq_f16(a, n); }
};

template <Element E>
using ValueOf = typename Dense<E>::Value;

template <Element E>
const ValueOf<E>* values_of(const void* code) {
    return static_cast<const ValueOf<E>*>(code);
}

template <Element E>
size_t dense_bytes(uint32_t dim) {
    return padded(sizeof(ValueOf<E>) * dim);
}

template <Element E, Metric M>
bool encode_dense(const void* values, uint32_t dim, float*, uint8_t* code) {
    if (M == Metric::cosine && !(Dense<E>::norm_sq(values_of<E>(values), dim) > 0)) return false;
    memset(code + dense_bytes<E>(dim) - 4, 0, 4);
    memcpy(code, values, sizeof(ValueOf<E>) * dim);
    return true;
}

void prepare(const uint8_t* code, uint32_t dim, Query* q) {
    *q = {};
    q->code = code;
    q->dim = dim;
}

template <Element E, Metric M>
void score_dense(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    const ValueOf<E>* a = values_of<E>(q.code);
    for (size_t i = 0; i < n; i++) {
        const ValueOf<E>* b = values_of<E>(codes[i]);
        if constexpr (M == Metric::l2) {
            keys[i] = Dense<E>::l2_sq(a, b, q.dim);
        } else if constexpr (M == Metric::inner_product) {
            keys[i] = -Dense<E>::dot(a, b, q.dim);
        } else if constexpr (M == Metric::l1) {
            keys[i] = Dense<E>::l1(a, b, q.dim);
        } else {
            simd::CosineSums s = Dense<E>::cosine(a, b, q.dim);
            double similarity = s.dot / std::sqrt(static_cast<double>(s.norm_a_sq) * s.norm_b_sq);
            keys[i] = static_cast<float>(1 - std::clamp(similarity, -1.0, 1.0));
        }
        // Sums that overflow (inf - inf): last, as the operator's NaN sorts.
        if (std::isnan(keys[i])) keys[i] = kLast;
    }
}

float no_slack(const Query&, const uint8_t*) { return 0; }

// The operator may run on another instruction set than the search (and then rounds differently); where float32 norms
// overflow or underflow it may answer anything.
template <Element E>
float cosine_slack(const Query& q, const uint8_t* code) {
    auto safe = [&](const uint8_t* c) {
        double norm_sq = Dense<E>::norm_sq(values_of<E>(c), q.dim);
        return norm_sq > 1e-25 && norm_sq < 1e37;
    };
    return safe(q.code) && safe(code) ? round_up(5 * sum_error(q.dim)) : kLast;
}

float bound_l2(const Query&, Key key, float) { return round_down(std::sqrt(static_cast<double>(key))); }
float bound_key(const Query&, Key key, float) { return key; }

// The key is the operator's double rounded to float.
float bound_rounded(const Query&, Key key, float slack) {
    return round_down(at_least_zero(static_cast<double>(key) * (1 - 0x1.0p-23) - 0x1.0p-50 - slack));
}

template <Element E>
constexpr Codec kL2 = {CodecId::none,
                       E,
                       Metric::l2,
                       true,
                       1.1025f,
                       dense_bytes<E>,
                       encode_dense<E, Metric::l2>,
                       prepare,
                       score_dense<E, Metric::l2>,
                       no_slack,
                       bound_l2};
template <Element E>
constexpr Codec kInnerProduct = {CodecId::none,
                                 E,
                                 Metric::inner_product,
                                 true,
                                 1,
                                 dense_bytes<E>,
                                 encode_dense<E, Metric::inner_product>,
                                 prepare,
                                 score_dense<E, Metric::inner_product>,
                                 no_slack,
                                 bound_key};
template <Element E>
constexpr Codec kCosine = {CodecId::none,
                           E,
                           Metric::cosine,
                           false,
                           1.1025f,
                           dense_bytes<E>,
                           encode_dense<E, Metric::cosine>,
                           prepare,
                           score_dense<E, Metric::cosine>,
                           cosine_slack<E>,
                           bound_rounded};
template <Element E>
constexpr Codec kL1 = {CodecId::none,
                       E,
                       Metric::l1,
                       true,
                       1.05f,
                       dense_bytes<E>,
                       encode_dense<E, Metric::l1>,
                       prepare,
                       score_dense<E, Metric::l1>,
                       no_slack,
                       bound_key};

// ---- bits ----------------------------------------------------------------------------------------------------

size_t bit_bytes(uint32_t bits) { return padded((static_cast<size_t>(bits) + 7) / 8); }

bool encode_bits(const void* values, uint32_t bits, float*, uint8_t* code) {
    memset(code + bit_bytes(bits) - 4, 0, 4);
    memcpy(code, values, (bits + 7) / 8);
    return true;
}

void score_hamming(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    size_t bytes = bit_bytes(q.dim);
    for (size_t i = 0; i < n; i++) keys[i] = static_cast<float>(simd::active->differing_bits(q.code, codes[i], bytes));
}

void score_jaccard(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    size_t bytes = bit_bytes(q.dim);
    for (size_t i = 0; i < n; i++) {
        simd::BitCounts c = simd::active->common_bits(q.code, codes[i], bytes);
        double shared = c.both == 0 ? 0 : static_cast<double>(c.both) / static_cast<double>(c.either);
        keys[i] = static_cast<float>(1 - shared);
    }
}

// A relaxed pruning was not measured for these.
constexpr Codec kHamming = {CodecId::none, Element::bit, Metric::hamming, true,     1,        bit_bytes,
                            encode_bits,   prepare,      score_hamming,   no_slack, bound_key};
constexpr Codec kJaccard = {CodecId::none, Element::bit,  Metric::jaccard, false,        1, bit_bytes, encode_bits,
                            prepare,       score_jaccard, no_slack,        bound_rounded};

constexpr Codec kCodecs[] = {kL2<Element::f32>,
                             kInnerProduct<Element::f32>,
                             kCosine<Element::f32>,
                             kL1<Element::f32>,
                             kL2<Element::f16>,
                             kInnerProduct<Element::f16>,
                             kCosine<Element::f16>,
                             kL1<Element::f16>,
                             kHamming,
                             kJaccard};

}  // namespace

std::span<const Codec> plain_codecs() { return kCodecs; }

}  // namespace vext::codec
