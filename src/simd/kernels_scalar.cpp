// The reference: plain loops, one element after the other, nothing vectorized or fused (flags in the Makefile). Unit
// tests compare the other tables with this one; it is also the baseline where no vector unit can be taken for granted.
#include <cmath>
#include <cstring>
#include <limits>

#include "simd/tables.h"

namespace vext::simd {
namespace {

float widen(float x) { return x; }
float widen(Half x) { return half_to_float(x); }

// T: float or Half.
template <class T>
float l2_sq(const T* a, const T* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) {
        const float d = widen(a[i]) - widen(b[i]);
        s += d * d;
    }
    return s;
}

template <class T>
float dot(const T* a, const T* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += widen(a[i]) * widen(b[i]);
    return s;
}

template <class T>
float l1(const T* a, const T* b, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += std::fabs(widen(a[i]) - widen(b[i]));
    return s;
}

template <class T>
CosineSums cosine_sums(const T* a, const T* b, size_t dim) noexcept {
    return {dot(a, b, dim), dot(a, a, dim), dot(b, b, dim)};
}

template <class T>
double norm_sq(const T* a, size_t dim) noexcept {
    double s = 0;
    for (size_t i = 0; i < dim; i++) s += double(widen(a[i])) * widen(a[i]);
    return s;
}

void f16_to_f32(const Half* from, size_t dim, float* to) noexcept {
    for (size_t i = 0; i < dim; i++) to[i] = half_to_float(from[i]);
}

void f32_to_f16(const float* from, size_t dim, Half* to) noexcept {
    for (size_t i = 0; i < dim; i++) to[i] = float_to_half(from[i]);
}

uint32_t dot_u8(const uint8_t* a, const uint8_t* b, size_t dim) noexcept {
    uint32_t s = 0;
    for (size_t i = 0; i < dim; i++) s += uint32_t(a[i]) * b[i];
    return s;
}

void dot_u8_many(const uint8_t* query, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept {
    for (size_t r = 0; r < n; r++) out[r] = dot_u8(query, rows[r], dim);
}

uint32_t nibble(const uint8_t* packed, size_t i, size_t dim) {
    const size_t half = (dim + 1) / 2;
    return i < half ? packed[i] & 15u : packed[i - half] >> 4u;
}

uint32_t dot_u8_u4(const uint8_t* a, const uint8_t* packed, size_t dim) noexcept {
    uint32_t s = 0;
    for (size_t i = 0; i < dim; i++) s += a[i] * nibble(packed, i, dim);
    return s;
}

void dot_u8_u4_many(const uint8_t* a, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept {
    for (size_t i = 0; i < n; i++) out[i] = dot_u8_u4(a, rows[i], dim);
}

uint32_t dot_u4(const uint8_t* packed_a, const uint8_t* packed_b, size_t dim) noexcept {
    uint32_t s = 0;
    for (size_t i = 0; i < dim; i++) s += nibble(packed_a, i, dim) * nibble(packed_b, i, dim);
    return s;
}

float l1_u8(const uint8_t* a, const uint8_t* b, float step_a, float step_b, float delta, size_t dim) noexcept {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += std::fabs(delta + step_a * float(a[i]) - step_b * float(b[i]));
    return s;
}

uint64_t ones(unsigned byte) {
    uint64_t n = 0;
    for (; byte != 0; byte &= byte - 1) n++;
    return n;
}

uint64_t differing_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++) n += ones(unsigned(a[i]) ^ b[i]);
    return n;
}

BitCounts common_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
    BitCounts n{0, 0};
    for (size_t i = 0; i < bytes; i++) {
        n.both += ones(unsigned(a[i]) & b[i]);
        n.either += ones(unsigned(a[i]) | b[i]);
    }
    return n;
}

// Plain rows, without what is between them.
void pack_u8(const uint8_t* rows, size_t stride, size_t n, size_t dim, uint8_t* packed) noexcept {
    for (size_t i = 0; i < n; i++) memcpy(packed + i * dim, rows + i * stride, dim);
}

void dot_u8_matrix(const uint8_t* const* queries, size_t query_count, const uint8_t* packed, size_t n, size_t dim,
                   uint32_t* out) noexcept {
    for (size_t q = 0; q < query_count; q++, out += packed_rows(n)) {
        for (size_t r = 0; r < n; r++) out[r] = dot_u8(queries[q], packed + r * dim, dim);
        for (size_t r = n; r < packed_rows(n); r++) out[r] = 0;
    }
}

Least least_distance(const AffineRows& rows, const uint32_t* dots, size_t n, float x, float y, float sum) noexcept {
    Least least{std::numeric_limits<float>::infinity(), 0};
    for (size_t i = 0; i < n; i++) {
        const float product = sum * rows.lo[i] + rows.step[i] * float(int32_t(dots[i]));
        const float value = rows.base[i] + x * rows.shift[i] + y * product;
        if (value < least.value) least = {value, uint32_t(i)};
    }
    return least;
}

void sum_nibbles(const uint8_t* bits, const uint8_t* table, size_t groups, uint32_t* sums) noexcept {
    for (size_t r = 0; r < 32; r++) sums[r] = 0;
    for (size_t g = 0; g < groups; g++, bits += 16, table += 16) {
        for (size_t j = 0; j < 16; j++) {
            sums[j] += table[bits[j] & 15];
            sums[j + 16] += table[bits[j] >> 4];
        }
    }
}

void estimate_rows(const RowTerms& terms, const uint8_t* const* rows, size_t n, size_t dim, float* out) noexcept {
    for (size_t r = 0; r < n; r++) {
        RowFactors f;
        memcpy(&f, rows[r], sizeof f);
        const uint8_t* bits = rows[r] + sizeof f;
        uint32_t sum = 0;
        for (size_t i = 0; i < dim; i++) sum += bits[i / 8] >> i % 8 & 1 ? terms.values[i] : 0;
        const float signs = terms.per_sum * float(int32_t(sum)) + terms.per_one * f.ones - terms.minus;
        out[r] = terms.base + f.add + f.scale * signs + terms.per_error * f.error;
    }
}

void hadamard(float* x, size_t n, float scale) noexcept {
    for (size_t h = 1; h < n; h *= 2) {
        for (size_t i = 0; i < n; i++) {
            if (i & h) continue;
            const float a = x[i], b = x[i + h];
            x[i] = a + b;
            x[i + h] = a - b;
        }
    }
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}

void multiply_f32(const float* a, const float* b, size_t dim, float* out) noexcept {
    for (size_t i = 0; i < dim; i++) out[i] = a[i] * b[i];
}

void scale_f32(const float* x, float scale, const float* less, float most, size_t dim, float* out) noexcept {
    for (size_t i = 0; i < dim; i++) {
        float v = x[i] * scale - (less == nullptr ? 0.0f : less[i]);
        v = v > -most ? v : -most;
        out[i] = v < most ? v : most;
    }
}

void decode_u8(const uint8_t* code, float lo, float step, size_t dim, float* out) noexcept {
    for (size_t i = 0; i < dim; i++) out[i] = lo + step * float(code[i]);
}

SignSums sign_bits(const float* x, const float* c, size_t dims, size_t bits, uint8_t* code) noexcept {
    SignSums s{0, 0, 0, 0};
    for (size_t i = 0; i < bits / 8; i++) code[i] = 0;
    for (size_t i = 0; i < dims; i++) {
        const float r = x[i] - c[i];
        s.norm_sq += double(r) * r;
        s.along += r * c[i];
        if (i >= bits) continue;
        s.size += std::fabs(r);
        s.signs += r > 0 ? c[i] : -c[i];
        if (r > 0) code[i / 8] = uint8_t(code[i / 8] | 1u << i % 8);
    }
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

CodeSums quantize_u8(const float* x, size_t dim, float lo, float inv_step, float top, uint8_t* code) noexcept {
    CodeSums s{0, 0};
    for (size_t i = 0; i < dim; i++) {
        float v = (x[i] - lo) * inv_step;
        v = v > 0.0f ? v : 0.0f;
        v = v < top ? v : top;
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
    .l2_sq_f32 = l2_sq<float>,
    .dot_f32 = dot<float>,
    .l1_f32 = l1<float>,
    .cosine_sums_f32 = cosine_sums<float>,
    .norm_sq_f32 = norm_sq<float>,
    .l2_sq_f16 = l2_sq<Half>,
    .dot_f16 = dot<Half>,
    .l1_f16 = l1<Half>,
    .cosine_sums_f16 = cosine_sums<Half>,
    .norm_sq_f16 = norm_sq<Half>,
    .f16_to_f32 = f16_to_f32,
    .f32_to_f16 = f32_to_f16,
    .dot_u8 = dot_u8,
    .dot_u8_many = dot_u8_many,
    .pack_u8 = pack_u8,
    .dot_u8_matrix = dot_u8_matrix,
    .least_distance = least_distance,
    .dot_u8_u4 = dot_u8_u4,
    .dot_u8_u4_many = dot_u8_u4_many,
    .dot_u4 = dot_u4,
    .l1_u8 = l1_u8,
    .differing_bits = differing_bits,
    .common_bits = common_bits,
    .sum_nibbles = sum_nibbles,
    .estimate_rows = estimate_rows,
    .sign_bits = sign_bits,
    .hadamard = hadamard,
    .multiply_f32 = multiply_f32,
    .scale_f32 = scale_f32,
    .decode_u8 = decode_u8,
    .min_max_f32 = min_max_f32,
    .quantize_u8 = quantize_u8,
    .residual_sq_u8 = residual_sq_u8,
    .residual_abs_u8 = residual_abs_u8,
};

}  // namespace vext::simd
