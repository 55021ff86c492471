// Type sparsevec: arithmetic, comparison, distances, and functions of one.
#include <algorithm>
#include <cmath>

#include "pg/postgres.h"

#include "type/cosine.h"
#include "type/entry.h"
#include "type/sparsevec.h"

namespace vext {
namespace {

// A sum or difference that is not finite is an error; one of zero has no place in the result.
float checked_sum(float x) {
    if (unlikely(std::isinf(x))) float_overflow_error();
    return x;
}

// A product of two elements, neither of them zero, may not become so by rounding either.
float checked_product(float x, float y) {
    const float product = x * y;
    if (unlikely(std::isinf(product))) float_overflow_error();
    if (unlikely(product == 0)) float_underflow_error();
    return product;
}

// a + sign * b
Sparsevec* add(const Sparsevec& a, const Sparsevec& b, float sign) {
    SparseBuilder out{a.nnz + b.nnz};
    merge(a.view(), b.view(), [&](int32 i, float x, float y) { out.add(i, checked_sum(x + sign * y)); },
          [&](int32 i, float x) { out.add(i, x); }, [&](int32 i, float y) { out.add(i, sign * y); });
    return out.finish(a.dim);
}

Sparsevec* multiply(const Sparsevec& a, const Sparsevec& b) {
    SparseBuilder out{std::min(a.nnz, b.nnz)};
    merge(a.view(), b.view(), [&](int32 i, float x, float y) { out.add(i, checked_product(x, y)); },
          [](int32, float) {}, [](int32, float) {});
    return out.finish(a.dim);
}

double norm_sq(const Sparsevec& a) {
    double s = 0;
    for (int i = 0; i < a.nnz; i++) s += double{a.values()[i]} * double{a.values()[i]};
    return s;
}

Sparsevec* normalize(const Sparsevec& a) {
    const double norm = std::sqrt(norm_sq(a));
    SparseBuilder out{a.nnz};
    for (int i = 0; norm > 0 && i < a.nnz; i++)
        out.add(a.indices[i], checked_sum(static_cast<float>(double{a.values()[i]} / norm)));
    return out.finish(a.dim);
}

// -1, 0, 1: as if the zeros were there. Elements decide first, then the number of dimensions, as with SQL arrays.
int compare(const Sparsevec& a, const Sparsevec& b) {
    int i = 0;
    while (i < a.nnz && i < b.nnz && a.indices[i] == b.indices[i]) {
        const float x = a.values()[i], y = b.values()[i];
        if (x != y) return x < y ? -1 : 1;
        i++;
    }
    // The first index of the rest, if both vectors have that many dimensions, is one that only one of them names.
    const int32 at = i < a.nnz ? a.indices[i] : b.dim, bt = i < b.nnz ? b.indices[i] : a.dim;
    if (at < bt && at < b.dim) return a.values()[i] < 0 ? -1 : 1;
    if (bt < at && bt < a.dim) return b.values()[i] < 0 ? 1 : -1;
    return (a.dim > b.dim) - (a.dim < b.dim);
}

int order(FunctionCallInfo fcinfo) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    const int result = compare(*a, *b);
    a.release();
    b.release();
    return result;
}

using Distance = float (*)(SparseView a, SparseView b);

double distance(FunctionCallInfo fcinfo, Distance of) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    return double{of(a->view(), b->view())};
}

}  // namespace
}  // namespace vext

using vext::SparseArg;

SQL_FUNCTION(sparsevec_add) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    PG_RETURN_POINTER(vext::add(*a, *b, 1));
}

SQL_FUNCTION(sparsevec_sub) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    PG_RETURN_POINTER(vext::add(*a, *b, -1));
}

SQL_FUNCTION(sparsevec_mul) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    PG_RETURN_POINTER(vext::multiply(*a, *b));
}

SQL_FUNCTION(sparsevec_lt) { PG_RETURN_BOOL(vext::order(fcinfo) < 0); }
SQL_FUNCTION(sparsevec_le) { PG_RETURN_BOOL(vext::order(fcinfo) <= 0); }
SQL_FUNCTION(sparsevec_eq) { PG_RETURN_BOOL(vext::order(fcinfo) == 0); }
SQL_FUNCTION(sparsevec_ne) { PG_RETURN_BOOL(vext::order(fcinfo) != 0); }
SQL_FUNCTION(sparsevec_ge) { PG_RETURN_BOOL(vext::order(fcinfo) >= 0); }
SQL_FUNCTION(sparsevec_gt) { PG_RETURN_BOOL(vext::order(fcinfo) > 0); }
SQL_FUNCTION(sparsevec_cmp) { PG_RETURN_INT32(vext::order(fcinfo)); }

SQL_FUNCTION(sparsevec_l2_distance) { PG_RETURN_FLOAT8(std::sqrt(vext::distance(fcinfo, vext::sparse_l2_sq))); }
SQL_FUNCTION(sparsevec_l2_squared_distance) { PG_RETURN_FLOAT8(vext::distance(fcinfo, vext::sparse_l2_sq)); }
SQL_FUNCTION(sparsevec_inner_product) { PG_RETURN_FLOAT8(vext::distance(fcinfo, vext::sparse_dot)); }
SQL_FUNCTION(sparsevec_negative_inner_product) { PG_RETURN_FLOAT8(-vext::distance(fcinfo, vext::sparse_dot)); }
SQL_FUNCTION(sparsevec_l1_distance) { PG_RETURN_FLOAT8(vext::distance(fcinfo, vext::sparse_l1)); }

SQL_FUNCTION(sparsevec_cosine_distance) {
    SparseArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    const auto dot_f32 = vext::simd::active->dot_f32;
    const size_t na = static_cast<size_t>(a->nnz), nb = static_cast<size_t>(b->nnz);
    PG_RETURN_FLOAT8(vext::cosine_distance_of({.dot = vext::sparse_dot(a->view(), b->view()),
                                               .norm_a_sq = dot_f32(a->values(), a->values(), na),
                                               .norm_b_sq = dot_f32(b->values(), b->values(), nb)}));
}

SQL_FUNCTION(sparsevec_l2_norm) {
    SparseArg a{fcinfo, 0};
    PG_RETURN_FLOAT8(std::sqrt(vext::norm_sq(*a)));
}

SQL_FUNCTION(sparsevec_l2_normalize) {
    SparseArg a{fcinfo, 0};
    PG_RETURN_POINTER(vext::normalize(*a));
}
