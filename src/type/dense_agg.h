// avg over dense vectors. The state is a float8 array: the number of vectors, then the sums per dimension
// (none before the first vector). It is an ordinary SQL value, so that partial aggregates travel between
// processes as they are.
#pragma once

#include <cmath>
#include <cstring>

#include "pg/postgres.h"
#include "type/dense.h"
#include "type/dense_array.h"
#include "type/entry.h"
#include "type/number_array.h"

namespace vext {

struct MeanState {
    ArrayType* array;
    float8* count;
    float8* sums;
    int dim;
};

// `caller` names the SQL function in the error.
inline MeanState as_mean_state(ArrayType* array, const char* caller) {
    if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] < 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
        elog(ERROR, "%s: expected state array", caller);
    auto* values = reinterpret_cast<float8*>(ARR_DATA_PTR(array));
    return {array, values, values + 1, ARR_DIMS(array)[0] - 1};
}

inline MeanState new_mean_state(int dim) {
    ArrayType* array = new_array<float8>(FLOAT8OID, dim + 1);
    auto* values = reinterpret_cast<float8*>(ARR_DATA_PTR(array));
    return {array, values, values + 1, dim};
}

// The state to write to: `state` itself where the aggregate owns it, else a copy.
inline MeanState own_mean_state(FunctionCallInfo fcinfo, const MeanState& state) {
    if (may_overwrite_state(fcinfo, 0)) return state;
    MeanState copy = new_mean_state(state.dim);
    std::memcpy(copy.count, state.count, (static_cast<size_t>(state.dim) + 1) * sizeof(float8));
    return copy;
}

template <class E>
ArrayType* accumulate(FunctionCallInfo fcinfo, const MeanState& state, const Dense<E>& value) {
    if (state.dim == 0) {
        MeanState fresh = new_mean_state(value.dim);
        *fresh.count = *state.count + 1;
        for (int i = 0; i < value.dim; i++) fresh.sums[i] = E::to_float(value.x[i]);
        return fresh.array;
    }
    check_expected_dim(state.dim, value.dim);
    MeanState out = own_mean_state(fcinfo, state);
    bool overflow = false;
    *out.count += 1;
    for (int i = 0; i < value.dim; i++) {
        out.sums[i] += E::to_float(value.x[i]);
        overflow |= std::isinf(out.sums[i]);
    }
    if (overflow) float_overflow_error();
    return out.array;
}

template <class E>
ArrayType* combine_means(FunctionCallInfo fcinfo, const MeanState& a, const MeanState& b) {
    if (a.dim == 0 && b.dim > 0) {
        check_dim(E::name, b.dim, E::max_dim);
        MeanState out = new_mean_state(b.dim);
        *out.count = *a.count + *b.count;
        std::memcpy(out.sums, b.sums, static_cast<size_t>(b.dim) * sizeof(float8));
        return out.array;
    }
    if (a.dim > 0) check_dim(E::name, a.dim, E::max_dim);
    if (a.dim > 0 && b.dim > 0) check_expected_dim(a.dim, b.dim);
    MeanState out = own_mean_state(fcinfo, a);
    bool overflow = false;
    *out.count += *b.count;
    for (int i = 0; i < b.dim; i++) {
        out.sums[i] += b.sums[i];
        overflow |= std::isinf(out.sums[i]);
    }
    if (overflow) float_overflow_error();
    return out.array;
}

// nullptr: the average of no vectors.
template <class E>
Dense<E>* mean_of(const MeanState& state) {
    if (*state.count == 0) return nullptr;
    check_dim(E::name, state.dim, E::max_dim);
    Dense<E>* out = new_dense<E>(state.dim);
    for (int i = 0; i < state.dim; i++) {
        out->x[i] = element_from_float<E>(static_cast<float>(state.sums[i] / *state.count));
        check_finite<E>(out->x[i]);
    }
    return out;
}

}  // namespace vext
