// The entry points of a dense type, once for all of them: vector.cpp and halfvec.cpp give them their SQL names.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pg/postgres.h"
#include "type/cosine.h"
#include "type/dense_agg.h"
#include "type/dense_array.h"
#include "type/dense_bits.h"
#include "type/dense_io.h"
#include "type/dense_ops.h"
#include "type/dense_subscript.h"
#include "type/entry.h"

namespace vext {

// ---- input, output, modifier, casts

template <class E>
Datum dense_in(FunctionCallInfo fcinfo) {
    PG_RETURN_POINTER(parse_dense<E>(PG_GETARG_CSTRING(0), PG_GETARG_INT32(2)));
}

template <class E>
Datum dense_out(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    char* text = print_dense(*a);
    a.release();
    PG_RETURN_CSTRING(text);
}

template <class E>
Datum dense_typmod_in(FunctionCallInfo fcinfo) {
    PG_RETURN_INT32(dim_typmod(PG_GETARG_ARRAYTYPE_P(0), E::name, E::max_dim));
}

template <class E>
Datum dense_recv(FunctionCallInfo fcinfo) {
    auto message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    PG_RETURN_POINTER(receive_dense<E>(message, PG_GETARG_INT32(2)));
}

template <class E>
Datum dense_send(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    bytea* message = send_dense(*a);
    a.release();
    PG_RETURN_BYTEA_P(message);
}

// type(n): only the number of dimensions is checked, so a short header may stay as it is.
template <class E>
Datum dense_to_itself(FunctionCallInfo fcinfo) {
    struct varlena* value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
    check_expected_dim(PG_GETARG_INT32(1), dense_dim<E>(PointerGetDatum(value)));
    PG_RETURN_POINTER(value);
}

template <class E>
Datum array_to_dense(FunctionCallInfo fcinfo) {
    PG_RETURN_POINTER(dense_from_array<E>(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(1)));
}

template <class E>
Datum dense_to_float4(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_ARRAYTYPE_P(float4_array(*a));
}

template <class From, class To>
Datum dense_to_dense(FunctionCallInfo fcinfo) {
    DenseArg<From> a{fcinfo, 0};
    PG_RETURN_POINTER(converted<To>(*a, PG_GETARG_INT32(1)));
}

// ---- arithmetic

// Also the transition function of sum: it then adds into the state.
template <class E>
Datum dense_add(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    Dense<E>* sum = may_overwrite_state(fcinfo, 0) ? a.writable() : new_dense<E>(a->dim);
    add_into(*a, *b, sum);
    PG_RETURN_POINTER(sum);
}

template <class E>
Datum dense_sub(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    PG_RETURN_POINTER(subtract(*a, *b));
}

template <class E>
Datum dense_mul(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    PG_RETURN_POINTER(multiply(*a, *b));
}

template <class E>
Datum dense_mul_scalar(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_POINTER(with_scalar(*a, PG_GETARG_FLOAT8(1), [](double x, double y) { return x * y; }));
}

template <class E>
Datum scalar_mul_dense(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 1};
    PG_RETURN_POINTER(with_scalar(*a, PG_GETARG_FLOAT8(0), [](double x, double y) { return x * y; }));
}

template <class E>
Datum dense_div_scalar(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    if (PG_GETARG_FLOAT8(1) == 0) float_zero_divide_error();
    PG_RETURN_POINTER(with_scalar(*a, PG_GETARG_FLOAT8(1), [](double x, double y) { return x / y; }));
}

template <class E>
Datum dense_concat(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    PG_RETURN_POINTER(concatenate(*a, *b));
}

// ---- comparison: sorts call these in one long-lived context, so detoasted copies are given back

// -1, 0 or 1
template <class E>
int dense_order(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    const int order = compare(*a, *b);
    a.release();
    b.release();
    return order;
}

// ---- subscripts (dense_subscript.h)

template <class E>
Datum dense_subscript(FunctionCallInfo) {
    PG_RETURN_POINTER(&kSubscripts<E>);
}

// ---- functions of one vector

template <class E>
Datum dense_dims(FunctionCallInfo fcinfo) {
    PG_RETURN_INT32(dense_dim<E>(PG_GETARG_DATUM(0)));
}

template <class E>
Datum dense_norm(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_FLOAT8(std::sqrt(E::norm_sq(a->x, a.dim())));
}

template <class E>
Datum dense_normalize(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_POINTER(normalize(*a));
}

template <class E>
Datum dense_binary_quantize(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_VARBIT_P(sign_bits(*a));
}

template <class E>
Datum dense_subvector(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    PG_RETURN_POINTER(subvector_of(*a, PG_GETARG_INT32(1), PG_GETARG_INT32(2)));
}

// ---- avg

// `caller` names the SQL function in errors.
template <class E>
Datum dense_accum(FunctionCallInfo fcinfo, const char* caller) {
    MeanState state = as_mean_state(PG_GETARG_ARRAYTYPE_P(0), caller);
    DenseArg<E> value{fcinfo, 1};
    PG_RETURN_ARRAYTYPE_P(accumulate(fcinfo, state, *value));
}

template <class E>
Datum dense_combine(FunctionCallInfo fcinfo, const char* caller) {
    MeanState a = as_mean_state(PG_GETARG_ARRAYTYPE_P(0), caller);
    MeanState b = as_mean_state(PG_GETARG_ARRAYTYPE_P(1), caller);
    PG_RETURN_ARRAYTYPE_P(combine_means<E>(fcinfo, a, b));
}

template <class E>
Datum dense_avg(FunctionCallInfo fcinfo, const char* caller) {
    MeanState state = as_mean_state(PG_GETARG_ARRAYTYPE_P(0), caller);
    Dense<E>* mean = mean_of<E>(state);
    if (mean == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(mean);
}

// ---- distances

template <class E>
double l2_sq_of(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    return double{E::l2_sq(a->x, b->x, a.dim())};
}

template <class E>
double dot_of(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    return double{E::dot(a->x, b->x, a.dim())};
}

template <class E>
Datum dense_l2_distance(FunctionCallInfo fcinfo) {
    PG_RETURN_FLOAT8(std::sqrt(l2_sq_of<E>(fcinfo)));
}

template <class E>
Datum dense_l2_squared_distance(FunctionCallInfo fcinfo) {
    PG_RETURN_FLOAT8(l2_sq_of<E>(fcinfo));
}

template <class E>
Datum dense_inner_product(FunctionCallInfo fcinfo) {
    PG_RETURN_FLOAT8(dot_of<E>(fcinfo));
}

template <class E>
Datum dense_negative_inner_product(FunctionCallInfo fcinfo) {
    PG_RETURN_FLOAT8(-dot_of<E>(fcinfo));
}

template <class E>
Datum dense_cosine_distance(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    PG_RETURN_FLOAT8(cosine_distance_of(E::cosine_sums(a->x, b->x, a.dim())));
}

template <class E>
Datum dense_l1_distance(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0}, b{fcinfo, 1};
    check_same_dim(a, b);
    PG_RETURN_FLOAT8(double{E::l1(a->x, b->x, a.dim())});
}

// The angle between unit vectors, as a share of a half turn: unlike the inner product it is a metric.
template <class E>
Datum dense_spherical_distance(FunctionCallInfo fcinfo) {
    const double cosine = std::clamp(dot_of<E>(fcinfo), -1.0, 1.0);
    PG_RETURN_FLOAT8(std::acos(cosine) / std::numbers::pi);
}

}  // namespace vext
