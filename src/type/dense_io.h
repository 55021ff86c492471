// Text and binary forms of dense vectors.
#pragma once

#include <algorithm>
#include <cstring>

#include "pg/postgres.h"
#include "type/dense.h"
#include "type/text_wire.h"

namespace vext {

// One element at p; `text` is the whole input, for messages.
template <class E>
const char* read_element(const char* p, const char* end, const char* text, typename E::Value* out) {
    float number;
    const char* after = read_float(p, end, &number);
    // What follows must end the element, or strtof may see a longer number ("0x1").
    if (after == nullptr || !(*after == ',' || *after == ']' || is_space(*after)))
        after = read_float_slow(E::name, p, text, true, &number);
    if (!E::from_float(number, out)) fail_out_of_range(E::name, p, static_cast<size_t>(after - p));
    check_finite<E>(*out);
    return after;
}

template <class E>
Dense<E>* parse_dense(const char* text, int32 typmod) {
    const char* p = skip_space(text);
    if (*p != '[') fail_syntax(E::name, text, "Vector contents must start with \"[\".");
    p = skip_space(p + 1);
    if (*p == ']') fail_no_dim(E::name);

    // Each element but the first follows a comma, so this much space is enough, and exact for valid input.
    const char* end = p + std::strlen(p);
    const auto commas = std::count(p, end, ',');
    Dense<E>* value = new_dense<E>(static_cast<int>(std::min<std::ptrdiff_t>(commas + 1, E::max_dim)));
    int dim = 0;
    for (;;) {
        if (dim == E::max_dim) fail_too_many_dims(E::name, E::max_dim);
        p = skip_space(read_element<E>(skip_space(p), end, text, &value->x[dim++]));
        if (*p != ',') break;
        p++;
    }
    if (*p != ']') fail_syntax(E::name, text, nullptr);
    if (*skip_space(p + 1) != '\0') fail_syntax(E::name, text, "Junk after closing right brace.");
    check_expected_dim(typmod, dim);
    Assert(dim == value->dim);
    return value;
}

template <class E>
char* print_dense(const Dense<E>& value) {
    // Per element a number without its NUL, and a comma or the closing bracket; then '[' and the NUL.
    auto* text = static_cast<char*>(palloc(static_cast<size_t>(value.dim) * FLOAT_SHORTEST_DECIMAL_LEN + 2));
    char* p = text;
    *p++ = '[';
    for (int i = 0; i < value.dim; i++) {
        p += float_to_shortest_decimal_bufn(E::to_float(value.x[i]), p);
        *p++ = ',';
    }
    p[-1] = ']';
    *p = '\0';
    return text;
}

// Wire form: int16 dim, int16 0, the elements, all in network byte order.
template <class E>
Dense<E>* receive_dense(StringInfo message, int32 typmod) {
    const int dim = static_cast<int>(pq_getmsgint(message, sizeof(int16)));
    const int unused = static_cast<int>(pq_getmsgint(message, sizeof(int16)));
    check_dim(E::name, dim, E::max_dim);
    check_expected_dim(typmod, dim);
    if (unused != 0)
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected unused to be 0, not %d", unused));

    const auto length = static_cast<int>(static_cast<size_t>(dim) * sizeof(typename E::Value));
    const char* bytes = pq_getmsgbytes(message, length);
    Dense<E>* value = new_dense<E>(dim);
    copy_swapped<typename E::Value>(value->x, bytes, dim);
    check_all_finite<E>(value->x, dim);
    return value;
}

template <class E>
bytea* send_dense(const Dense<E>& value) {
    // The wire form has the length of the stored one: both have two int16 before the elements.
    const size_t size = dense_size<E>(value.dim);
    auto* message = static_cast<bytea*>(palloc(size));
    SET_VARSIZE(message, size);
    const int16 head[2] = {value.dim, value.unused};
    copy_swapped<int16>(VARDATA(message), head, 2);
    copy_swapped<typename E::Value>(VARDATA(message) + sizeof head, value.x, value.dim);
    return message;
}

}  // namespace vext
