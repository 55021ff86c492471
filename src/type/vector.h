// Type vector: single-precision elements. Other layers include this one.
#pragma once

#include <cmath>

#include "pg/postgres.h"
#include "simd/kernels.h"
#include "type/dense.h"

namespace vext {

struct FloatElement {
    using Value = float;
    static constexpr const char* name = "vector";
    static constexpr int max_dim = 16000;

    static float to_float(float v) { return v; }
    static bool from_float(float f, float* v) {
        *v = f;
        return true;
    }
    static bool is_nan(float v) { return std::isnan(v); }
    static bool is_inf(float v) { return std::isinf(v); }
    static bool is_zero(float v) { return v == 0; }

    static float l2_sq(const float* a, const float* b, size_t dim) { return simd::active->l2_sq_f32(a, b, dim); }
    static float dot(const float* a, const float* b, size_t dim) { return simd::active->dot_f32(a, b, dim); }
    static float l1(const float* a, const float* b, size_t dim) { return simd::active->l1_f32(a, b, dim); }
    static simd::CosineSums cosine_sums(const float* a, const float* b, size_t dim) {
        return simd::active->cosine_sums_f32(a, b, dim);
    }
    static double norm_sq(const float* a, size_t dim) { return simd::active->norm_sq_f32(a, dim); }
};

using Vector = Dense<FloatElement>;
using VectorArg = DenseArg<FloatElement>;

static_assert(offsetof(Vector, dim) == 4 && offsetof(Vector, unused) == 6 && offsetof(Vector, x) == 8);

}  // namespace vext
