// The reference: plain loops, one element after the other, nothing vectorized or fused (flags in the Makefile). Unit
// tests compare the other tables with this one; it is also the baseline where no vector unit can be taken for granted.
#include <cmath>

#include "simd/tables.h"

namespace vext::simd {
namespace {

float l2_sq_f32(const float* a, const float* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += (a[i] - b[i]) * (a[i] - b[i]);
    return s;
}

float dot_f32(const float* a, const float* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += a[i] * b[i];
    return s;
}

float l1_f32(const float* a, const float* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += std::fabs(a[i] - b[i]);
    return s;
}

CosineSums cosine_sums_f32(const float* a, const float* b, size_t dim) noexcept {
    return {dot_f32(a, b, dim), dot_f32(a, a, dim), dot_f32(b, b, dim)};
}

double norm_sq_f32(const float* a, size_t dim) noexcept {
    double s = 0;
    for (size_t i = 0; i < dim; i++) s += double(a[i]) * a[i];
    return s;
}

uint32_t dot_u8(const uint8_t* a, const uint8_t* b, size_t dim) noexcept {
    uint32_t s = 0;
    for (size_t i = 0; i < dim; i++) s += uint32_t(a[i]) * b[i];
    return s;
}

void dot_u8_many(const uint8_t* query, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept {
    for (size_t r = 0; r < n; r++) out[r] = dot_u8(query, rows[r], dim);
}

float l1_u8(const uint8_t* a, const uint8_t* b, float step_a, float step_b, float delta, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += std::fabs(delta + step_a * float(a[i]) - step_b * float(b[i]));
    return s;
}

MinMax min_max_f32(const float* x, size_t dim) noexcept {
    float lo = x[0], hi = x[0];
    for (size_t i = 1; i < dim; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    return {lo + 0.0f, hi + 0.0f};  // -0 becomes 0
}

CodeSums quantize_u8(const float* x, size_t dim, float lo, float inv_step, uint8_t* code) noexcept {
    CodeSums s{0, 0};
    for (size_t i = 0; i < dim; i++) {
        float v = (x[i] - lo) * inv_step;
        v = v > 0.0f ? v : 0.0f;
        v = v < 255.0f ? v : 255.0f;
        const auto c = uint8_t(std::nearbyint(v));
        code[i] = c;
        s.sum += c;
        s.sum_sq += uint32_t(c) * c;
    }
    return s;
}

double residual_sq_u8(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept {
    double s = 0;
    for (size_t i = 0; i < dim; i++) {
        const double d = double(x[i]) - (double(lo) + double(step) * code[i]);
        s += d * d;
    }
    return s;
}

double residual_abs_u8(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept {
    double s = 0;
    for (size_t i = 0; i < dim; i++) s += std::fabs(double(x[i]) - (double(lo) + double(step) * code[i]));
    return s;
}

}  // namespace

const Kernels kernels_scalar = {
    .name = "scalar",
    .l2_sq_f32 = l2_sq_f32,
    .dot_f32 = dot_f32,
    .l1_f32 = l1_f32,
    .cosine_sums_f32 = cosine_sums_f32,
    .norm_sq_f32 = norm_sq_f32,
    .dot_u8 = dot_u8,
    .dot_u8_many = dot_u8_many,
    .l1_u8 = l1_u8,
    .min_max_f32 = min_max_f32,
    .quantize_u8 = quantize_u8,
    .residual_sq_u8 = residual_sq_u8,
    .residual_abs_u8 = residual_abs_u8,
};

}  // namespace vext::simd
