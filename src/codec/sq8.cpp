#include "codec/sq8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/bounds.h"
#include "simd/kernels.h"

namespace vext::codec {
namespace {

size_t sq8_bytes(uint32_t dim) { return sizeof(Sq8Factors) + (dim + 3u) / 4u * 4u; }

Sq8Factors factors_of(const uint8_t* code) {
    Sq8Factors f;
    memcpy(&f, code, sizeof f);
    return f;
}

const uint8_t* bytes_of(const uint8_t* code) { return code + sizeof(Sq8Factors); }

double magnitude_of(double lo, double step) { return std::max(std::fabs(lo), std::fabs(lo + 255 * step)); }

// `lost` is an error that x already carries (from normalising), in the same norm as the residual.
void encode_values(const float* x, uint32_t dim, bool l1, double lost, uint8_t* code) {
    const simd::Kernels& k = *simd::active;
    simd::MinMax range = k.min_max_f32(x, dim);
    double width = static_cast<double>(range.max) - range.min;
    Sq8Factors f{};
    f.lo = range.min;
    // A width near the subnormals has no usable reciprocal: one value for all, the residual says what is lost.
    bool flat = !(width > 0x1.0p-100);
    f.step = flat ? 0 : static_cast<float>(width / 255);
    memset(code, 0, sq8_bytes(dim));
    auto* bytes = code + sizeof(Sq8Factors);
    simd::CodeSums sums = k.quantize_u8(x, dim, f.lo, flat ? 0 : static_cast<float>(255 / width), bytes);
    f.sum = sums.sum;
    f.sum_sq = sums.sum_sq;
    double residual = l1 ? k.residual_abs_u8(x, bytes, dim, f.lo, f.step)
                         : std::sqrt(k.residual_sq_u8(x, bytes, dim, f.lo, f.step));
    // Room for the rounding of this sum itself.
    double rounding = 0x1.0p-50 * magnitude_of(f.lo, f.step) * (l1 ? dim : std::sqrt(static_cast<double>(dim)));
    f.residual = round_up((residual + lost) * (1 + 1e-7) + rounding);
    memcpy(code, &f, sizeof f);
}

// The elements as floats, which halves are exactly.
template <Element E>
const float* as_floats(const void* values, uint32_t dim, float* scratch) {
    if constexpr (E == Element::f32) return static_cast<const float*>(values);
    simd::active->f16_to_f32(static_cast<const Half*>(values), dim, scratch);
    return scratch;
}

template <Element E, bool L1>
bool encode_plain(const void* values, uint32_t dim, float* scratch, uint8_t* code) {
    encode_values(as_floats<E>(values, dim, scratch), dim, L1, 0, code);
    return true;
}

template <Element E>
bool encode_cosine(const void* values, uint32_t dim, float* scratch, uint8_t* code) {
    const float* x = as_floats<E>(values, dim, scratch);
    double norm_sq = simd::active->norm_sq_f32(x, dim);
    if (!(norm_sq > 0)) return false;
    double norm = std::sqrt(norm_sq);
    for (uint32_t i = 0; i < dim; i++) scratch[i] = static_cast<float>(x[i] / norm);
    // The operator sums squares in float32: out of this range it may overflow or underflow, and answer anything.
    bool promised = norm_sq > 1e-25 && norm_sq < 1e37;
    encode_values(scratch, dim, false, promised ? 0x1.0p-23 : kInfinity, code);
    return true;
}

void sq8_prepare(const uint8_t* code, uint32_t dim, Query* q) {
    Sq8Factors f = factors_of(code);
    q->code = code;
    q->dim = dim;
    q->root_dim = std::sqrt(static_cast<double>(dim));
    q->lo = f.lo;
    q->step = f.step;
    q->step_sum = q->step * f.sum;
    q->sq = q->step * q->step * f.sum_sq;
    q->residual = f.residual;
    q->magnitude = magnitude_of(f.lo, f.step);
    double norm_sq = dim * q->lo * q->lo + 2 * q->lo * q->step_sum + q->sq;
    q->norm = std::sqrt(at_least_zero(norm_sq) + 1e-14 * dim * q->magnitude * q->magnitude) * (1 + 1e-9);
}

// Squared Euclidean distance of two coded vectors.
double l2_sq(const Query& q, const Sq8Factors& f, uint32_t dot) {
    double step = f.step;
    double shift = f.lo - q.lo;
    double e = q.dim * shift * shift + 2 * shift * (step * f.sum - q.step_sum) + step * step * f.sum_sq + q.sq -
               2 * step * q.step * dot;
    return at_least_zero(e);
}

double inner_product(const Query& q, const Sq8Factors& f, uint32_t dot) {
    double step = f.step;
    return q.dim * q.lo * f.lo + q.lo * step * f.sum + f.lo * q.step_sum + q.step * step * dot;
}

constexpr size_t kBatch = 64;

template <Metric M>
void sq8_score(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    const simd::Kernels& k = *simd::active;
    const uint8_t* bytes[kBatch];
    uint32_t dots[kBatch];
    for (size_t start = 0; start < n; start += kBatch) {
        size_t count = std::min(kBatch, n - start);
        for (size_t i = 0; i < count; i++) bytes[i] = bytes_of(codes[start + i]);
        if constexpr (M != Metric::l1) {
            if (count == 1) {
                dots[0] = k.dot_u8(bytes_of(q.code), bytes[0], q.dim);
            } else {
                k.dot_u8_many(bytes_of(q.code), bytes, count, q.dim, dots);
            }
        }
        for (size_t i = 0; i < count; i++) {
            Sq8Factors f = factors_of(codes[start + i]);
            Key& key = keys[start + i];
            if constexpr (M == Metric::l1) {
                float sum = k.l1_u8(bytes_of(q.code), bytes[i], static_cast<float>(q.step), f.step,
                                    static_cast<float>(q.lo - f.lo), q.dim);
                key = sum >= 0 ? sum : std::numeric_limits<float>::max();
            } else if constexpr (M == Metric::inner_product) {
                key = static_cast<float>(-inner_product(q, f, dots[i]));
            } else {
                // The root keeps huge vectors (1e30) apart in a float.
                key = static_cast<float>(std::sqrt(l2_sq(q, f, dots[i])));
            }
        }
    }
}

// What the coded distance may exceed the true one by: the residuals, and the rounding of l2_sq, which loses at most
// 1e-14 of the squared magnitudes (and sqrt(d^2 - e) >= d - sqrt(e)).
float l2_slack(const Query& q, const uint8_t* code) {
    Sq8Factors f = factors_of(code);
    double scale = q.magnitude + magnitude_of(f.lo, f.step);
    return round_up(q.residual + f.residual + 1e-7 * q.root_dim * scale);
}

double l2_less_slack(Key key, float slack) {
    return at_least_zero(static_cast<double>(key) * (1 - 0x1.0p-23) - slack);
}

float bound_l2(const Query& q, Key key, float slack) {
    double d = l2_less_slack(key, slack);
    double d_sq = d * d * (1 - sum_error(q.dim)) - underflow_error(q.dim);
    return round_down(std::sqrt(at_least_zero(d_sq)) * (1 - 0x1.0p-50));
}

float bound_cosine(const Query& q, Key key, float slack) {
    double d = l2_less_slack(key, slack);
    return round_down(at_least_zero(d * d / 2 - 2.5 * sum_error(q.dim)));
}

float inner_product_slack(const Query& q, const uint8_t* code) {
    Query x;
    sq8_prepare(code, q.dim, &x);
    double q_norm = q.norm + q.residual, x_norm = x.norm + x.residual;
    double size = q_norm * x_norm;
    // The operator's float32 sums may overflow to either infinity.
    if (!(size < 1e38)) return std::numeric_limits<float>::infinity();
    return round_up(q_norm * x.residual + q.residual * x.norm + size * (sum_error(q.dim) + 0x1.0p-22) +
                    1e-14 * q.dim * q.magnitude * x.magnitude + underflow_error(q.dim));
}

float bound_inner_product(const Query&, Key key, float slack) {
    if (std::isinf(slack)) return -slack;
    return round_down(static_cast<double>(key) - slack);
}

float l1_slack(const Query& q, const uint8_t* code) {
    Sq8Factors f = factors_of(code);
    double scale = q.magnitude + magnitude_of(f.lo, f.step);
    // The kernel's float32 terms or their sum may overflow where the operator's do not.
    if (!(q.dim * scale < 1e37)) return std::numeric_limits<float>::infinity();
    return round_up(q.residual + f.residual + q.dim * scale * 0x1.0p-20);
}

float bound_l1(const Query& q, Key key, float slack) {
    double d = at_least_zero(key * (1 - 2 * sum_error(q.dim)) - slack);
    return round_down(at_least_zero(d * (1 - sum_error(q.dim))));
}

template <Element E>
constexpr Codec kL2 = {CodecId::sq8, E,          Metric::l2,            false,    1.05f,   sq8_bytes,
                       encode_plain<E, false>, sq8_prepare, sq8_score<Metric::l2>, l2_slack, bound_l2};
template <Element E>
constexpr Codec kInnerProduct = {CodecId::sq8,
                                 E,
                                 Metric::inner_product,
                                 false,
                                 1,
                                 sq8_bytes,
                                 encode_plain<E, false>,
                                 sq8_prepare,
                                 sq8_score<Metric::inner_product>,
                                 inner_product_slack,
                                 bound_inner_product};
template <Element E>
constexpr Codec kCosine = {CodecId::sq8,     E,           Metric::cosine,            false,    1.05f,       sq8_bytes,
                           encode_cosine<E>, sq8_prepare, sq8_score<Metric::cosine>, l2_slack, bound_cosine};
template <Element E>
constexpr Codec kL1 = {CodecId::sq8, E,           Metric::l1,            false,    1.05f,   sq8_bytes,
                       encode_plain<E, true>, sq8_prepare, sq8_score<Metric::l1>, l1_slack, bound_l1};

constexpr Codec kCodecs[] = {kL2<Element::f32>, kInnerProduct<Element::f32>, kCosine<Element::f32>, kL1<Element::f32>,
                             kL2<Element::f16>, kInnerProduct<Element::f16>, kCosine<Element::f16>, kL1<Element::f16>};

}  // namespace

std::span<const Codec> sq8_codecs() { return kCodecs; }

}  // namespace vext::codec
