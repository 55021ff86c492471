// Dense vectors from and to SQL arrays and one another.
#pragma once

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "pg/postgres.h"
#include "simd/kernels.h"
#include "type/dense.h"

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

// Array has n elements of type Item, none null.
template <class E, class Item>
void fill_from_items(Dense<E>* value, ArrayType* array, int n) {
    const auto* items = reinterpret_cast<const Item*>(ARR_DATA_PTR(array));
    for (int i = 0; i < n; i++) value->x[i] = element_from_float<E>(static_cast<float>(items[i]));
}

template <class E>
void fill_from_numerics(Dense<E>* value, ArrayType* array, int n) {
    Datum* items;
    int count;
    deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &items, nullptr, &count);
    Assert(count == n);
    for (int i = 0; i < n; i++)
        value->x[i] = element_from_float<E>(DatumGetFloat4(DirectFunctionCall1(numeric_float4, items[i])));
    pfree(items);
}

template <class E>
Dense<E>* dense_from_array(ArrayType* array, int32 typmod) {
    if (ARR_NDIM(array) > 1) ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"));
    if (ARR_HASNULL(array) && array_contains_nulls(array))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls"));

    const int dim = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    check_dim(E::name, dim, E::max_dim);
    check_expected_dim(typmod, dim);

    Dense<E>* value = new_dense<E>(dim);
    switch (ARR_ELEMTYPE(array)) {
        case INT4OID: fill_from_items<E, int32>(value, array, dim); break;
        case FLOAT4OID: fill_from_items<E, float4>(value, array, dim); break;
        case FLOAT8OID: fill_from_items<E, float8>(value, array, dim); break;
        case NUMERICOID: fill_from_numerics<E>(value, array, dim); break;
        default: ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("unsupported array type"));
    }
    check_all_finite<E>(value->x, dim);
    return value;
}

// A one-dimensional array of n fixed-size elements, unset, without nulls; Item says which size.
template <class Item>
ArrayType* new_array(Oid type, int n) {
    const size_t size = ARR_OVERHEAD_NONULLS(1) + static_cast<size_t>(n) * sizeof(Item);
    auto* array = static_cast<ArrayType*>(palloc(size));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->dataoffset = 0;
    array->elemtype = type;
    ARR_DIMS(array)[0] = n;
    ARR_LBOUND(array)[0] = 1;
    return array;
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
