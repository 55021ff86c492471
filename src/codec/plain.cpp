#include "codec/plain.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/bounds.h"
#include "simd/kernels.h"

namespace vext::codec {
namespace {

size_t plain_bytes(uint32_t dim) { return sizeof(float) * dim; }

bool encode(const void* values, uint32_t dim, float*, uint8_t* code) {
    memcpy(code, values, plain_bytes(dim));
    return true;
}

bool encode_nonzero(const void* values, uint32_t dim, float* scratch, uint8_t* code) {
    if (!(simd::active->norm_sq_f32(static_cast<const float*>(values), dim) > 0)) return false;
    return encode(values, dim, scratch, code);
}

void prepare(const uint8_t* code, uint32_t dim, Query* q) {
    *q = {};
    q->code = code;
    q->dim = dim;
}

const float* values_of(const uint8_t* code) { return reinterpret_cast<const float*>(code); }

template <Metric M>
void score(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    const simd::Kernels& k = *simd::active;
    const float* a = values_of(q.code);
    for (size_t i = 0; i < n; i++) {
        const float* b = values_of(codes[i]);
        if constexpr (M == Metric::l2) {
            keys[i] = k.l2_sq_f32(a, b, q.dim);
        } else if constexpr (M == Metric::inner_product) {
            keys[i] = -k.dot_f32(a, b, q.dim);
        } else if constexpr (M == Metric::l1) {
            keys[i] = k.l1_f32(a, b, q.dim);
        } else {
            simd::CosineSums s = k.cosine_sums_f32(a, b, q.dim);
            double similarity = s.dot / std::sqrt(static_cast<double>(s.norm_a_sq) * s.norm_b_sq);
            keys[i] = static_cast<float>(1 - std::clamp(similarity, -1.0, 1.0));
        }
        // Sums that overflow (inf - inf): last, as the operator's NaN sorts.
        if (std::isnan(keys[i])) keys[i] = std::numeric_limits<float>::infinity();
    }
}

float no_slack(const Query&, const uint8_t*) { return 0; }

// The operator may run on another instruction set than the search (and then rounds differently); where float32 norms
// overflow or underflow it may answer anything.
float cosine_slack(const Query& q, const uint8_t* code) {
    auto safe = [&](const uint8_t* c) {
        double norm_sq = simd::active->norm_sq_f32(values_of(c), q.dim);
        return norm_sq > 1e-25 && norm_sq < 1e37;
    };
    if (!safe(q.code) || !safe(code)) return std::numeric_limits<float>::infinity();
    return round_up(5 * sum_error(q.dim));
}

float bound_l2(const Query&, Key key, float) { return round_down(std::sqrt(static_cast<double>(key))); }
float bound_key(const Query&, Key key, float) { return key; }

// The key is the operator's double rounded to float.
float bound_cosine(const Query&, Key key, float slack) {
    return round_down(at_least_zero(static_cast<double>(key) * (1 - 0x1.0p-23) - 0x1.0p-50 - slack));
}

}  // namespace

const Codec kPlainL2 = {CodecId::none, Element::f32, Metric::l2, true, 1.1025f, plain_bytes, encode, prepare,
                        score<Metric::l2>, no_slack, bound_l2};
const Codec kPlainInnerProduct = {CodecId::none, Element::f32, Metric::inner_product, true, 1, plain_bytes, encode,
                                  prepare, score<Metric::inner_product>, no_slack, bound_key};
const Codec kPlainCosine = {CodecId::none, Element::f32, Metric::cosine, false, 1.1025f, plain_bytes, encode_nonzero,
                            prepare, score<Metric::cosine>, cosine_slack, bound_cosine};
const Codec kPlainL1 = {CodecId::none, Element::f32, Metric::l1, true, 1.05f, plain_bytes, encode, prepare,
                        score<Metric::l1>, no_slack, bound_key};

}  // namespace vext::codec
