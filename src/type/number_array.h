// Arrays of numbers, as floats.
#pragma once

#include "pg/postgres.h"

namespace vext {

// How many elements an array has that is to become a vector: of one dimension (or empty), without nulls.
inline int array_dim(ArrayType* array) {
    if (ARR_NDIM(array) > 1) ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"));
    if (ARR_HASNULL(array) && array_contains_nulls(array))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls"));
    return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

template <class Item, class Take>
void each_item(ArrayType* array, int n, Take take) {
    const auto* items = reinterpret_cast<const Item*>(ARR_DATA_PTR(array));
    for (int i = 0; i < n; i++) take(i, static_cast<float>(items[i]));
}

template <class Take>
void each_numeric(ArrayType* array, int n, Take take) {
    Datum* items;
    int count;
    deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &items, nullptr, &count);
    Assert(count == n);
    for (int i = 0; i < n; i++) take(i, DatumGetFloat4(DirectFunctionCall1(numeric_float4, items[i])));
    pfree(items);
}

// take(i, float) for each of the n elements, none of them null.
template <class Take>
void each_float(ArrayType* array, int n, Take take) {
    switch (ARR_ELEMTYPE(array)) {
        case INT4OID: each_item<int32>(array, n, take); break;
        case FLOAT4OID: each_item<float4>(array, n, take); break;
        case FLOAT8OID: each_item<float8>(array, n, take); break;
        case NUMERICOID: each_numeric(array, n, take); break;
        default: ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("unsupported array type"));
    }
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

}  // namespace vext
