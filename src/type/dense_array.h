// Dense vectors from and to SQL arrays and one another.
#pragma once

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "pg/postgres.h"
#include "simd/kernels.h"
#include "type/dense.h"
#include "type/number_array.h"

namespace vext {

template <class E>
typename E::Value element_from_float(float number) {
    typename E::Value v;
    if (unlikely(!E::from_float(number, &v))) {
        char text[FLOAT_SHORTEST_DECIMAL_LEN];
        const int length = float_to_shortest_decimal_buf(number, text);
        fail_out_of_range(E::name, text, static_cast<size_t>(length));
    }
    return v;
}

template <class E>
Dense<E>* dense_from_array(ArrayType* array, int32 typmod) {
    const int dim = array_dim(array);
    check_dim(E::name, dim, E::max_dim);
    check_expected_dim(typmod, dim);
    Dense<E>* value = new_dense<E>(dim);
    each_float(array, dim, [value](int i, float number) { value->x[i] = element_from_float<E>(number); });
    check_all_finite<E>(value->x, dim);
    return value;
}

inline void convert_elements(const Half* from, int dim, float* to) {
    simd::active->f16_to_f32(from, static_cast<size_t>(dim), to);
}
inline void convert_elements(const float* from, int dim, Half* to) {
    simd::active->f32_to_f16(from, static_cast<size_t>(dim), to);
}
inline void convert_elements(const float* from, int dim, float* to) {
    std::memcpy(to, from, static_cast<size_t>(dim) * sizeof(float));
}

// From one dense type to another.
template <class To, class From>
Dense<To>* converted(const Dense<From>& from, int32 typmod) {
    check_dim(To::name, from.dim, To::max_dim);
    check_expected_dim(typmod, from.dim);
    Dense<To>* to = new_dense<To>(from.dim);
    convert_elements(from.x, from.dim, to->x);
    bool overflow = false;
    for (int i = 0; i < to->dim; i++) overflow |= To::is_inf(to->x[i]);
    for (int i = 0; overflow && i < to->dim; i++) to->x[i] = element_from_float<To>(From::to_float(from.x[i]));
    return to;
}

template <class E>
ArrayType* float4_array(const Dense<E>& value) {
    ArrayType* array = new_array<float4>(FLOAT4OID, value.dim);
    convert_elements(value.x, value.dim, reinterpret_cast<float4*>(ARR_DATA_PTR(array)));
    return array;
}

}  // namespace vext
