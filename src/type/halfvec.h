// Type halfvec: half-precision elements.
#pragma once

#include <cmath>

#include "base/half.h"
#include "pg/postgres.h"
#include "simd/kernels.h"
#include "type/dense.h"

namespace vext {

struct HalfElement {
    using Value = Half;
    static constexpr const char* name = "halfvec";
    static constexpr int max_dim = 16000;

    static float to_float(Half v) { return half_to_float(v); }
    static bool from_float(float f, Half* v) {
        *v = float_to_half(f);
        return !vext::is_inf(*v) || std::isinf(f);
    }
    static bool is_nan(Half v) { return vext::is_nan(v); }
    static bool is_inf(Half v) { return vext::is_inf(v); }
    static bool is_zero(Half v) { return vext::is_zero(v); }

    static float l2_sq(const Half* a, const Half* b, size_t dim) { return simd::active->l2_sq_f16(a, b, dim); }
    static float dot(const Half* a, const Half* b, size_t dim) { return simd::active->dot_f16(a, b, dim); }
    static float l1(const Half* a, const Half* b, size_t dim) { return simd::active->l1_f16(a, b, dim); }
    static simd::CosineSums cosine_sums(const Half* a, const Half* b, size_t dim) {
        return simd::active->cosine_sums_f16(a, b, dim);
    }
    static double norm_sq(const Half* a, size_t dim) { return simd::active->norm_sq_f16(a, dim); }
};

using Halfvec = Dense<HalfElement>;
using HalfvecArg = DenseArg<HalfElement>;

static_assert(offsetof(Halfvec, dim) == 4 && offsetof(Halfvec, unused) == 6 && offsetof(Halfvec, x) == 8);

}  // namespace vext
