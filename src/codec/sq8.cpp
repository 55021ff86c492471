#include "codec/sq8.h"

#include "codec/affine.h"

namespace vext::codec {
namespace {

constexpr double kTop = 255;

size_t sq8_bytes(uint32_t dim) { return sizeof(AffineFactors) + (dim + 3u) / 4u * 4u; }

void write_sq8(const float* x, uint32_t dim, bool l1, double lost, uint8_t* code) {
    const simd::Kernels& k = *simd::active;
    simd::MinMax range = k.min_max_f32(x, dim);
    double width = static_cast<double>(range.max) - range.min;
    AffineFactors f{};
    f.lo = range.min;
    // A width near the subnormals has no usable reciprocal: one value for all, the residual says what is lost.
    bool flat = !(width > 0x1.0p-100);
    f.step = flat ? 0 : static_cast<float>(width / kTop);
    memset(code, 0, sq8_bytes(dim));
    auto* bytes = code + sizeof(AffineFactors);
    simd::CodeSums sums = k.quantize_u8(x, dim, f.lo, flat ? 0 : static_cast<float>(kTop / width), kTop, bytes);
    f.sum = sums.sum;
    f.sum_sq = sums.sum_sq;
    double residual =
        l1 ? k.residual_abs_u8(x, bytes, dim, f.lo, f.step) : std::sqrt(k.residual_sq_u8(x, bytes, dim, f.lo, f.step));
    // Room for the rounding of this sum itself.
    double rounding = 0x1.0p-50 * magnitude_of(f.lo, f.step, kTop) * (l1 ? dim : std::sqrt(static_cast<double>(dim)));
    f.residual = round_up((residual + lost) * (1 + 1e-7) + rounding);
    memcpy(code, &f, sizeof f);
}

void sq8_prepare(const uint8_t* code, uint32_t dim, Query* q) { prepare_affine(code, dim, kTop, q); }

float l1_of(const Query& q, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    float sum = simd::active->l1_u8(codes_of(q.code), codes_of(code), static_cast<float>(q.step), f.step,
                                    static_cast<float>(q.lo - f.lo), q.dim);
    return sum >= 0 ? sum : std::numeric_limits<float>::max();
}

template <Metric M>
void sq8_score(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    if constexpr (M == Metric::l1) {
        for (size_t i = 0; i < n; i++) keys[i] = l1_of(q, codes[i]);
    } else {
        auto dots = [&](const uint8_t* const* rows, size_t count, uint32_t* out) {
            const simd::Kernels& k = *simd::active;
            if (count == 1) {
                *out = k.dot_u8(codes_of(q.code), rows[0], q.dim);
            } else {
                k.dot_u8_many(codes_of(q.code), rows, count, q.dim, out);
            }
        };
        score_affine<M>(q, codes, n, keys, dots, [](double) { return 0.0; });
    }
}

// What the coded distance may exceed the true one by: the residuals, and the rounding of l2_sq, which loses at most
// 1e-14 of the squared magnitudes (and sqrt(d^2 - e) >= d - sqrt(e)).
float l2_slack(const Query& q, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    double scale = q.magnitude + magnitude_of(f.lo, f.step, kTop);
    return round_up(q.residual + f.residual + 1e-7 * root_dim(q) * scale);
}

// The root of a float sum is rounded by half as much as the sum, and by the root of what underflows; decoded values by 2^-24 of at
// most three times the magnitude.
template <Metric M>
bool l2_score_closely(const Query& q, const float* values, const uint8_t* code, float* scratch, Key* key, float* slack) {
    constexpr double kLost = M == Metric::cosine ? kNormalizationError : 0;  // by the query
    AffineFactors f = factors_of(code);
    simd::active->decode_u8(codes_of(code), f.lo, f.step, q.dim, scratch);
    float sq = simd::active->l2_sq_f32(values, scratch, q.dim);
    if (!(sq < 1e37F)) return false;
    *key = std::sqrt(sq);
    double decoded = 0x1.0p-22 * root_dim(q) * magnitude_of(f.lo, f.step, kTop);
    double summed = *key * sum_error(q.dim) / 2 + std::sqrt(underflow_error(q.dim));
    *slack = round_up(f.residual + kLost + decoded + summed);
    return true;
}

double l2_less_slack(Key key, float slack) { return at_least_zero(static_cast<double>(key) * (1 - 0x1.0p-23) - slack); }

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
    double q_norm = norm_of(q), x_norm = norm_of(x);
    double size = (q_norm + q.residual) * (x_norm + x.residual);
    // The operator's float32 sums may overflow to either infinity.
    if (!(size < 1e38)) return std::numeric_limits<float>::infinity();
    return round_up((q_norm + q.residual) * x.residual + q.residual * x_norm + size * (sum_error(q.dim) + 0x1.0p-22) +
                    1e-14 * q.dim * q.magnitude * x.magnitude + underflow_error(q.dim));
}

float bound_inner_product(const Query&, Key key, float slack) {
    if (std::isinf(slack)) return -slack;
    return round_down(static_cast<double>(key) - slack);
}

float l1_slack(const Query& q, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    double scale = q.magnitude + magnitude_of(f.lo, f.step, kTop);
    // The kernel's float32 terms or their sum may overflow where the operator's do not.
    if (!(q.dim * scale < 1e37)) return std::numeric_limits<float>::infinity();
    return round_up(q.residual + f.residual + q.dim * scale * 0x1.0p-20);
}

float bound_l1(const Query& q, Key key, float slack) {
    double d = at_least_zero(key * (1 - 2 * sum_error(q.dim)) - slack);
    return round_down(at_least_zero(d * (1 - sum_error(q.dim))));
}

template <Element E, Metric M>
constexpr Codec row() {
    Codec c = {
        CodecId::sq8, E,        M,       false, relaxed<M>(), sq8_bytes, encode_affine<E, M, write_sq8>, sq8_prepare,
        sq8_score<M>, l2_slack, bound_l2};
    if constexpr (M == Metric::l2 || M == Metric::cosine) c.score_closely = l2_score_closely<M>;
    if constexpr (M == Metric::inner_product) c.slack = inner_product_slack, c.lower_bound = bound_inner_product;
    if constexpr (M == Metric::cosine) c.lower_bound = bound_cosine;
    if constexpr (M == Metric::l1) c.slack = l1_slack, c.lower_bound = bound_l1;
    return c;
}

constexpr auto kCodecs = affine_rows([]<Element E, Metric M>() { return row<E, M>(); });

}  // namespace

std::span<const Codec> sq8_codecs() { return kCodecs; }

}  // namespace vext::codec
