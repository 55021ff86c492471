#include "codec/sq4.h"

#include "codec/affine.h"

namespace vext::codec {
namespace {

constexpr double kTop = 15;
// Standard deviations that a bound leaves room for.
constexpr double kDeviations = 5;
constexpr size_t kChunk = 256;

size_t packed_bytes(uint32_t dim) { return (dim + 1u) / 2u; }
size_t sq4_bytes(uint32_t dim) { return sizeof(AffineFactors) + (packed_bytes(dim) + 3u) / 4u * 4u; }

// One nibble a dimension, a chunk of the low ones with the high ones beside them: use(low, n, high, m) gets the
// dimensions from `at` and from `half + at` on.
template <typename Use>
void each_chunk(uint32_t dim, Use use) {
    size_t half = packed_bytes(dim);
    for (size_t at = 0; at < half; at += kChunk) {
        size_t n = std::min(kChunk, half - at);
        size_t m = std::min(n, dim - half - at);  // 0 when dim = 1
        use(at, n, half + at, m);
    }
}

void unpack(const uint8_t* packed, size_t at, size_t n, uint8_t* low, uint8_t* high) {
    for (size_t i = 0; i < n; i++) {
        low[i] = packed[at + i] & 15;
        high[i] = packed[at + i] >> 4;
    }
}

struct Coded {
    double residual;  // squared, or of absolute values
    uint32_t sum, sum_sq;
};

// Codes x with lo and step; writes nothing when packed is nullptr.
Coded code_values(const float* x, uint32_t dim, bool l1, float lo, float step, uint8_t* packed) {
    const simd::Kernels& k = *simd::active;
    float inverse = step > 0 ? 1 / step : 0;
    auto residual = l1 ? k.residual_abs_u8 : k.residual_sq_u8;
    Coded all{0, 0, 0};
    each_chunk(dim, [&](size_t low_at, size_t n, size_t high_at, size_t m) {
        uint8_t low[kChunk], high[kChunk];
        simd::CodeSums a = k.quantize_u8(x + low_at, n, lo, inverse, static_cast<float>(kTop), low);
        simd::CodeSums b = k.quantize_u8(x + high_at, m, lo, inverse, static_cast<float>(kTop), high);
        all.residual += residual(x + low_at, low, n, lo, step) + residual(x + high_at, high, m, lo, step);
        all.sum += a.sum + b.sum;
        all.sum_sq += a.sum_sq + b.sum_sq;
        if (packed == nullptr) return;
        for (size_t i = 0; i < n; i++) packed[low_at + i] = static_cast<uint8_t>(low[i] | (i < m ? high[i] << 4 : 0));
    });
    return all;
}

// With 16 values for a vector, its few largest elements had better be clipped: the width that loses least.
void write_sq4(const float* x, uint32_t dim, bool l1, double lost, uint8_t* code) {
    simd::MinMax range = simd::active->min_max_f32(x, dim);
    double width = static_cast<double>(range.max) - range.min, middle = range.min + width / 2;
    AffineFactors f{};
    f.lo = range.min;
    double best = kInfinity;
    // A width near the subnormals has no usable reciprocal: one value for all.
    if (width > 0x1.0p-100) {
        for (double part : {1.0, 0.9, 0.8, 0.7, 0.6}) {
            auto lo = static_cast<float>(middle - part * width / 2), step = static_cast<float>(part * width / kTop);
            double residual = code_values(x, dim, l1, lo, step, nullptr).residual;
            if (!(residual < best)) break;
            best = residual;
            f.lo = lo;
            f.step = step;
        }
    }
    memset(code, 0, sq4_bytes(dim));
    Coded coded = code_values(x, dim, l1, f.lo, f.step, code + sizeof f);
    f.sum = coded.sum;
    f.sum_sq = coded.sum_sq;
    f.residual = round_up((l1 ? coded.residual : std::sqrt(coded.residual)) + lost);
    memcpy(code, &f, sizeof f);
}

void sq4_prepare(const uint8_t* code, uint32_t dim, Query* q) { prepare_affine(code, dim, kTop, q); }

float l1_of(const Query& q, const uint8_t* code) {
    const AffineFactors f = factors_of(code);
    const auto step_a = static_cast<float>(q.step), delta = static_cast<float>(q.lo - f.lo);
    const uint8_t* bytes = codes_of(q.code);
    float sum = 0;
    each_chunk(q.dim, [&](size_t low_at, size_t n, size_t high_at, size_t m) {
        uint8_t low[kChunk], high[kChunk], query_low[kChunk], query_high[kChunk];
        unpack(codes_of(code), low_at, n, low, high);
        const uint8_t *a = bytes + low_at, *b = bytes + high_at;
        if (q.top == kTop) {
            unpack(bytes, low_at, n, query_low, query_high);
            a = query_low;
            b = query_high;
        }
        sum += simd::active->l1_u8(a, low, step_a, f.step, delta, n) +
               simd::active->l1_u8(b, high, step_a, f.step, delta, m);
    });
    return sum >= 0 ? sum : std::numeric_limits<float>::max();
}

// An infinite residual says that the operator may answer anything: nothing to estimate by.
double known_sq(double residual) { return std::isinf(residual) ? 0 : residual * residual; }

// The query is a code of sq8, or of sq4 when graphs are built.
template <Metric M>
void sq4_score(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    if constexpr (M == Metric::l1) {
        for (size_t i = 0; i < n; i++) keys[i] = l1_of(q, codes[i]);
    } else {
        auto dots = [&](const uint8_t* const* rows, size_t count, uint32_t* out) {
            const simd::Kernels& k = *simd::active;
            if (q.top != kTop) {
                k.dot_u8_u4_many(codes_of(q.code), rows, count, q.dim, out);
            } else {
                for (size_t i = 0; i < count; i++) out[i] = k.dot_u4(codes_of(q.code), rows[i], q.dim);
            }
        };
        score_affine<M>(q, codes, n, keys, dots, known_sq);
    }
}

// A bound of the error by what the codes of query and row have lost: their sum, which is certain, in few dimensions; else
// five deviations, as of two that have nothing to do with each other.
double bound_of_error(const Query& q, double by_query, double by_row) {
    return std::min(by_query + by_row, kDeviations / root_dim(q) * std::hypot(by_query, by_row));
}

double scale_of(const Query& q, const AffineFactors& f) { return q.magnitude + magnitude_of(f.lo, f.step, kTop); }

float distance_slack(const Query& q, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    return static_cast<float>(bound_of_error(q, q.residual, f.residual) + 1e-7 * root_dim(q) * scale_of(q, f));
}

// The squared distance is at least key^2 - 2 |q' - x'| slack, and |q' - x'| at most the key.
double least_sq(Key key, float slack) { return at_least_zero(static_cast<double>(key) * (key - 2.0 * slack)); }

float bound_l2(const Query& q, Key key, float slack) {
    return static_cast<float>(std::sqrt(least_sq(key, slack) * (1 - sum_error(q.dim))));
}

float bound_cosine(const Query& q, Key key, float slack) {
    return static_cast<float>(at_least_zero(least_sq(key, slack) / 2 - 2.5 * sum_error(q.dim)));
}

float inner_product_slack(const Query& q, const uint8_t* code) {
    Query x;
    sq4_prepare(code, q.dim, &x);
    double q_norm = norm_of(q), x_norm = norm_of(x);
    double size = (q_norm + q.residual) * (x_norm + x.residual);
    return static_cast<float>(bound_of_error(q, q.residual * x_norm, q_norm * x.residual) +
                              size * (sum_error(q.dim) + 0x1.0p-22));
}

float bound_inner_product(const Query&, Key key, float slack) {
    float bound = key - slack;
    return std::isnan(bound) ? -std::numeric_limits<float>::infinity() : bound;  // both infinite
}

float l1_slack(const Query& q, const uint8_t* code) {
    AffineFactors f = factors_of(code);
    return static_cast<float>(bound_of_error(q, q.residual, f.residual) + q.dim * scale_of(q, f) * 0x1.0p-20);
}

float bound_l1(const Query&, Key key, float slack) { return static_cast<float>(at_least_zero(key - slack)); }

template <Element E, Metric M>
constexpr Codec row() {
    Codec c = {CodecId::sq4,
               E,
               M,
               false,
               relaxed<M>(),
               sq4_bytes,
               encode_affine<E, M, write_sq4>,
               sq4_prepare,
               sq4_score<M>,
               distance_slack,
               bound_l2};
    if constexpr (M == Metric::inner_product) c.slack = inner_product_slack, c.lower_bound = bound_inner_product;
    if constexpr (M == Metric::cosine) c.lower_bound = bound_cosine;
    if constexpr (M == Metric::l1) c.slack = l1_slack, c.lower_bound = bound_l1;
    c.uncertain = true;
    c.query_codec = CodecId::sq8;
    return c;
}

constexpr auto kCodecs = affine_rows([]<Element E, Metric M>() { return row<E, M>(); });

}  // namespace

std::span<const Codec> sq4_codecs() { return kCodecs; }

}  // namespace vext::codec
