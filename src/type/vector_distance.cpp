// Distances between two values of type vector.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "pg/postgres.h"

#include "simd/kernels.h"
#include "type/entry.h"
#include "type/vector.h"

namespace vext {
namespace {

using Kernel = float (*)(const float* a, const float* b, size_t dim) noexcept;

double by_kernel(FunctionCallInfo fcinfo, Kernel kernel) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    return double{kernel(a->x, b->x, static_cast<size_t>(a->dim))};
}

// NaN for a zero vector, which std::clamp passes on.
double cosine_similarity(FunctionCallInfo fcinfo) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    const simd::CosineSums sums = simd::active->cosine_sums_f32(a->x, b->x, static_cast<size_t>(a->dim));
    return std::clamp(double{sums.dot} / std::sqrt(double{sums.norm_a_sq} * double{sums.norm_b_sq}), -1.0, 1.0);
}

}  // namespace
}  // namespace vext

using vext::simd::active;

SQL_FUNCTION(l2_distance) { PG_RETURN_FLOAT8(std::sqrt(vext::by_kernel(fcinfo, active->l2_sq_f32))); }
SQL_FUNCTION(vector_l2_squared_distance) { PG_RETURN_FLOAT8(vext::by_kernel(fcinfo, active->l2_sq_f32)); }
SQL_FUNCTION(inner_product) { PG_RETURN_FLOAT8(vext::by_kernel(fcinfo, active->dot_f32)); }
SQL_FUNCTION(vector_negative_inner_product) { PG_RETURN_FLOAT8(-vext::by_kernel(fcinfo, active->dot_f32)); }
SQL_FUNCTION(cosine_distance) { PG_RETURN_FLOAT8(1.0 - vext::cosine_similarity(fcinfo)); }
SQL_FUNCTION(l1_distance) { PG_RETURN_FLOAT8(vext::by_kernel(fcinfo, active->l1_f32)); }

// The angle between unit vectors, as a share of a half turn: unlike the inner product it is a metric.
SQL_FUNCTION(vector_spherical_distance) {
    const double cosine = std::clamp(vext::by_kernel(fcinfo, active->dot_f32), -1.0, 1.0);
    PG_RETURN_FLOAT8(std::acos(cosine) / std::numbers::pi);
}
