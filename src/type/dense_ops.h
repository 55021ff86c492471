// Arithmetic, comparison and reshaping of dense vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "pg/postgres.h"
#include "type/dense.h"

namespace vext {

// Rounds and lets an overflow become infinity, which the callers look for.
template <class E>
typename E::Value round_to(float number) {
    typename E::Value v;
    static_cast<void>(E::from_float(number, &v));
    return v;
}

template <class E>
void check_no_overflow(const Dense<E>& value) {
    bool overflow = false;
    for (int i = 0; i < value.dim; i++) overflow |= E::is_inf(value.x[i]);
    if (overflow) float_overflow_error();
}

// out may be a itself.
template <class E, class Op>
void combine_elements(const Dense<E>& a, const Dense<E>& b, Dense<E>* out, Op op) {
    const auto *ax = a.x, *bx = b.x;
    for (int i = 0; i < a.dim; i++) out->x[i] = round_to<E>(op(E::to_float(ax[i]), E::to_float(bx[i])));
}

template <class E>
void add_into(const Dense<E>& a, const Dense<E>& b, Dense<E>* out) {
    combine_elements(a, b, out, [](float x, float y) { return x + y; });
    check_no_overflow(*out);
}

template <class E>
Dense<E>* subtract(const Dense<E>& a, const Dense<E>& b) {
    Dense<E>* out = new_dense<E>(a.dim);
    combine_elements(a, b, out, [](float x, float y) { return x - y; });
    check_no_overflow(*out);
    return out;
}

// A product of two non-zero elements that rounds to zero is an error as well; the first bad element decides
// which error it is.
template <class E>
Dense<E>* multiply(const Dense<E>& a, const Dense<E>& b) {
    Dense<E>* out = new_dense<E>(a.dim);
    combine_elements(a, b, out, [](float x, float y) { return x * y; });
    auto overflow = [&](int i) { return E::is_inf(out->x[i]); };
    auto underflow = [&](int i) { return E::is_zero(out->x[i]) && !E::is_zero(a.x[i]) && !E::is_zero(b.x[i]); };
    bool bad = false;
    for (int i = 0; i < a.dim; i++) bad |= overflow(i) || underflow(i);
    for (int i = 0; bad && i < a.dim; i++) {
        if (overflow(i)) float_overflow_error();
        if (underflow(i)) float_underflow_error();
    }
    return out;
}

// Each element and a scalar, by op in double precision; the same errors as those of multiply.
template <class E, class Op>
Dense<E>* with_scalar(const Dense<E>& a, double scalar, Op op) {
    if (std::isnan(scalar)) fail_nan(E::name);
    if (std::isinf(scalar)) fail_infinite(E::name);
    Dense<E>* out = new_dense<E>(a.dim);
    for (int i = 0; i < a.dim; i++) {
        const double x = double{E::to_float(a.x[i])};
        out->x[i] = round_to<E>(static_cast<float>(op(x, scalar)));
        if (unlikely(E::is_inf(out->x[i]))) float_overflow_error();
        if (unlikely(E::is_zero(out->x[i]) && x != 0 && scalar != 0)) float_underflow_error();
    }
    return out;
}

template <class E>
Dense<E>* concatenate(const Dense<E>& a, const Dense<E>& b) {
    const int dim = a.dim + b.dim;
    check_dim(E::name, dim, E::max_dim);
    Dense<E>* out = new_dense<E>(dim);
    std::copy_n(a.x, a.dim, out->x);
    std::copy_n(b.x, b.dim, out->x + a.dim);
    return out;
}

// Unit length in the Euclidean norm; a zero vector stays one.
template <class E>
Dense<E>* normalize(const Dense<E>& a) {
    Dense<E>* out = new_dense<E>(a.dim);
    const double norm = std::sqrt(E::norm_sq(a.x, static_cast<size_t>(a.dim)));
    if (!(norm > 0)) {
        std::memset(out->x, 0, a.dim * sizeof a.x[0]);
        return out;
    }
    for (int i = 0; i < a.dim; i++)
        out->x[i] = round_to<E>(static_cast<float>(double{E::to_float(a.x[i])} / norm));
    check_no_overflow(*out);
    return out;
}

// Elements first to last (counted from 1); what lies outside is left out. nullptr: all of it does.
template <class E>
Dense<E>* elements_between(const Dense<E>& a, int64 first, int64 last) {
    first = std::max<int64>(first, 1);
    last = std::min<int64>(last, a.dim);
    if (first > last) return nullptr;
    Dense<E>* out = new_dense<E>(static_cast<int>(last - first + 1));
    std::copy_n(a.x + (first - 1), out->dim, out->x);
    return out;
}

// Elements first, first + 1, ... as SQL's substring has it.
template <class E>
Dense<E>* subvector_of(const Dense<E>& a, int32 first, int32 count) {
    if (count < 1) fail_no_dim(E::name);
    Dense<E>* out = elements_between(a, first, int64{first} + count - 1);
    if (out == nullptr) fail_no_dim(E::name);
    return out;
}

// -1, 0, 1. Elements decide first, then the number of dimensions, as with SQL arrays.
template <class E>
int compare(const Dense<E>& a, const Dense<E>& b) {
    const int common = std::min(a.dim, b.dim);
    for (int i = 0; i < common; i++) {
        const float x = E::to_float(a.x[i]), y = E::to_float(b.x[i]);
        if (x != y) return x < y ? -1 : 1;
    }
    return (a.dim > b.dim) - (a.dim < b.dim);
}

}  // namespace vext
