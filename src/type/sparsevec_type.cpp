// Type sparsevec: input, output, modifier, casts.
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>

#include "pg/postgres.h"

#include "type/dense_array.h"
#include "type/entry.h"
#include "type/halfvec.h"
#include "type/number_array.h"
#include "type/sparsevec.h"
#include "type/text_wire.h"
#include "type/vector.h"

namespace vext {
namespace {

void check_finite(float value) {
    if (std::isnan(value)) fail_nan(kSparseName);
    if (std::isinf(value)) fail_infinite(kSparseName);
}

// Index i in place, those before it being right.
void check_index(const int32* indices, int i, int dim) {
    if (indices[i] < 0 || indices[i] >= dim)
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("sparsevec index out of bounds"));
    if (i == 0 || indices[i] > indices[i - 1]) return;
    if (indices[i] == indices[i - 1])
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("sparsevec indices must not contain duplicates"));
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("sparsevec indices must be in ascending order"));
}

// ---- text: {index:value,index:value}/dimensions, indices from 1 and in any order

struct Element {
    int32 index;
    float value;
};

// The decimal number at p, and where it ends. One that fits no int32 becomes the nearest that does: it is out of every
// bound anyway.
const char* read_int(const char* p, const char* text, int32* out) {
    char* after;
    const long number = std::strtol(p, &after, 10);
    if (after == p) fail_syntax(kSparseName, text, nullptr);
    *out = static_cast<int32>(std::clamp<long>(number, INT_MIN + 1, INT_MAX));
    return after;
}

// One element at p, and where it ends.
const char* read_sparse_element(const char* p, const char* end, const char* text, Element* out) {
    int32 index;
    p = skip_space(read_int(p, text, &index));
    if (*p != ':') fail_syntax(kSparseName, text, nullptr);
    p = skip_space(p + 1);
    const char* after = read_float(p, end, &out->value);
    // What follows must end the element, or strtof may see a longer number ("0x1").
    if (after == nullptr || !(*after == ',' || *after == '}' || is_space(*after)))
        after = read_float_slow(kSparseName, p, text, false, &out->value);
    check_finite(out->value);
    out->index = index - 1;
    return after;
}

Sparsevec* parse_sparse(const char* text, int32 typmod) {
    // Each element but the first follows a comma.
    const char* end = text + std::strlen(text);
    const auto most = std::count(text, end, ',') + 1;
    if (most > kSparseMaxNnz) fail_too_many_nonzero(kSparseMaxNnz);
    auto* elements = static_cast<Element*>(palloc(static_cast<size_t>(most) * sizeof(Element)));
    int nnz = 0;

    const char* p = skip_space(text);
    if (*p != '{') fail_syntax(kSparseName, text, "Vector contents must start with \"{\".");
    p = skip_space(p + 1);
    while (*p != '}') {
        Element element;
        p = skip_space(read_sparse_element(skip_space(p), end, text, &element));
        if (element.value != 0) elements[nnz++] = element;
        if (*p == '}') break;
        if (*p != ',') fail_syntax(kSparseName, text, nullptr);
        p = skip_space(p + 1);
        if (*p == '}') fail_syntax(kSparseName, text, nullptr);
    }
    p = skip_space(p + 1);
    if (*p != '/') fail_syntax(kSparseName, text, "Unexpected end of input.");
    int32 dim;
    p = skip_space(read_int(skip_space(p + 1), text, &dim));
    if (*p != '\0') fail_syntax(kSparseName, text, "Junk after closing.");
    check_dim(kSparseName, dim, kSparseMaxDim);
    check_expected_dim(typmod, dim);

    std::sort(elements, elements + nnz, [](const Element& a, const Element& b) { return a.index < b.index; });
    Sparsevec* out = new_sparse(dim, nnz);
    for (int i = 0; i < nnz; i++) {
        out->indices[i] = elements[i].index;
        out->values()[i] = elements[i].value;
        check_index(out->indices, i, dim);
    }
    pfree(elements);
    return out;
}

char* print_sparse(const Sparsevec& value) {
    constexpr size_t int_length = sizeof("-2147483648") - 1;
    // Per element an index, a colon, a number without its NUL and a comma or the brace; then {, /, dimensions and NUL.
    const size_t per_element = int_length + FLOAT_SHORTEST_DECIMAL_LEN + 1;
    auto* text = static_cast<char*>(palloc(static_cast<size_t>(value.nnz) * per_element + int_length + 4));
    char* p = text;
    *p++ = '{';
    for (int i = 0; i < value.nnz; i++) {
        if (i > 0) *p++ = ',';
        p += pg_ltoa(value.indices[i] + 1, p);
        *p++ = ':';
        p += float_to_shortest_decimal_bufn(value.values()[i], p);
    }
    *p++ = '}';
    *p++ = '/';
    p += pg_ltoa(value.dim, p);
    *p = '\0';
    return text;
}

// ---- wire: int32 dim, nnz and 0, the indices from 0, the values, all in network byte order

Sparsevec* receive_sparse(StringInfo message, int32 typmod) {
    const auto dim = static_cast<int32>(pq_getmsgint(message, sizeof(int32)));
    const auto nnz = static_cast<int32>(pq_getmsgint(message, sizeof(int32)));
    const auto unused = static_cast<int32>(pq_getmsgint(message, sizeof(int32)));
    check_dim(kSparseName, dim, kSparseMaxDim);
    if (nnz < 0)
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("sparsevec cannot have negative number of elements"));
    if (nnz > kSparseMaxNnz) fail_too_many_nonzero(kSparseMaxNnz);
    if (nnz > dim)
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("sparsevec cannot have more elements than dimensions"));
    check_expected_dim(typmod, dim);
    if (unused != 0)
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected unused to be 0, not %d", unused));

    Sparsevec* out = new_sparse(dim, nnz);
    const int length = nnz * static_cast<int>(sizeof(int32));
    copy_swapped<int32>(out->indices, pq_getmsgbytes(message, length), nnz);
    for (int i = 0; i < nnz; i++) check_index(out->indices, i, dim);
    copy_swapped<float>(out->values(), pq_getmsgbytes(message, length), nnz);
    for (int i = 0; i < nnz; i++) {
        check_finite(out->values()[i]);
        if (out->values()[i] == 0)
            ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("binary representation of sparsevec cannot contain zero values"));
    }
    return out;
}

bytea* send_sparse(const Sparsevec& value) {
    // The stored form in the other byte order: both have three int32 before the indices.
    const size_t size = VARSIZE(&value);
    auto* message = static_cast<bytea*>(palloc(size));
    SET_VARSIZE(message, size);
    copy_swapped<int32>(VARDATA(message), &value.dim, static_cast<int>((size - VARHDRSZ) / sizeof(int32)));
    return message;
}

// ---- casts

Sparsevec* sparse_from_array(ArrayType* array, int32 typmod) {
    const int dim = array_dim(array);
    check_dim(kSparseName, dim, kSparseMaxDim);
    check_expected_dim(typmod, dim);
    int nnz = 0;
    each_float(array, dim, [&nnz](int, float number) { nnz += number != 0; });
    if (nnz > kSparseMaxNnz) fail_too_many_nonzero(kSparseMaxNnz);
    Sparsevec* out = new_sparse(dim, nnz);
    int n = 0;
    each_float(array, dim, [out, &n](int i, float number) {
        if (number == 0) return;
        check_finite(number);
        out->indices[n] = i;
        out->values()[n++] = number;
    });
    return out;
}

template <class E>
Datum dense_to_sparse(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    static_assert(E::max_dim <= kSparseMaxNnz);
    check_expected_dim(PG_GETARG_INT32(1), a->dim);
    SparseBuilder out{a->dim};
    for (int i = 0; i < a->dim; i++) out.add(i, E::to_float(a->x[i]));
    PG_RETURN_POINTER(out.finish(a->dim));
}

template <class E>
Datum sparse_to_dense(FunctionCallInfo fcinfo) {
    SparseArg a{fcinfo, 0};
    check_dim(E::name, a->dim, E::max_dim);
    check_expected_dim(PG_GETARG_INT32(1), a->dim);
    Dense<E>* out = new_dense<E>(a->dim);
    std::memset(out->x, 0, a->dim * sizeof out->x[0]);
    for (int i = 0; i < a->nnz; i++) {
        check_index(a->indices, i, a->dim);  // of a damaged value: it must not write elsewhere
        out->x[a->indices[i]] = element_from_float<E>(a->values()[i]);
    }
    PG_RETURN_POINTER(out);
}

}  // namespace
}  // namespace vext

using vext::SparseArg;

SQL_FUNCTION(sparsevec_in) { PG_RETURN_POINTER(vext::parse_sparse(PG_GETARG_CSTRING(0), PG_GETARG_INT32(2))); }

SQL_FUNCTION(sparsevec_out) {
    SparseArg a{fcinfo, 0};
    char* text = vext::print_sparse(*a);
    a.release();
    PG_RETURN_CSTRING(text);
}

SQL_FUNCTION(sparsevec_typmod_in) {
    PG_RETURN_INT32(vext::dim_typmod(PG_GETARG_ARRAYTYPE_P(0), vext::kSparseName, vext::kSparseMaxDim));
}

SQL_FUNCTION(sparsevec_recv) {
    auto message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    PG_RETURN_POINTER(vext::receive_sparse(message, PG_GETARG_INT32(2)));
}

SQL_FUNCTION(sparsevec_send) {
    SparseArg a{fcinfo, 0};
    bytea* message = vext::send_sparse(*a);
    a.release();
    PG_RETURN_BYTEA_P(message);
}

// sparsevec(n): only the number of dimensions is checked, so a short header may stay as it is.
SQL_FUNCTION(sparsevec) {
    struct varlena* value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
    SparseArg a{PointerGetDatum(value)};
    vext::check_expected_dim(PG_GETARG_INT32(1), a->dim);
    PG_RETURN_POINTER(value);
}

// From integer[], real[], double precision[] and numeric[].
SQL_FUNCTION(array_to_sparsevec) {
    PG_RETURN_POINTER(vext::sparse_from_array(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(1)));
}

SQL_FUNCTION(vector_to_sparsevec) { return vext::dense_to_sparse<vext::FloatElement>(fcinfo); }
SQL_FUNCTION(halfvec_to_sparsevec) { return vext::dense_to_sparse<vext::HalfElement>(fcinfo); }
SQL_FUNCTION(sparsevec_to_vector) { return vext::sparse_to_dense<vext::FloatElement>(fcinfo); }
SQL_FUNCTION(sparsevec_to_halfvec) { return vext::sparse_to_dense<vext::HalfElement>(fcinfo); }
