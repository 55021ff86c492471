// The errors that all vector types raise, with the texts and codes that applications know. `type` is the
// SQL name of the type. The fail_ functions stay out of line, so that the callers' loops stay small.
#pragma once

#include "pg/postgres.h"

namespace vext {

[[noreturn]] void fail_no_dim(const char* type);
[[noreturn]] void fail_too_many_dims(const char* type, int max_dim);
[[noreturn]] void fail_expected_dim(int expected, int dim);
[[noreturn]] void fail_different_dims(const char* type, int a, int b);
[[noreturn]] void fail_nan(const char* type);
[[noreturn]] void fail_infinite(const char* type);
// `number` need not end after `length` characters.
[[noreturn]] void fail_out_of_range(const char* type, const char* number, size_t length);
// detail may be nullptr.
[[noreturn]] void fail_syntax(const char* type, const char* text, const char* detail);

// More non-zero elements than a sparsevec holds.
[[noreturn]] void fail_too_many_nonzero(int max);

// The one modifier of a vector type: its number of dimensions.
int32 dim_typmod(ArrayType* modifiers, const char* type, int max_dim);

inline void check_dim(const char* type, int dim, int max_dim) {
    if (dim < 1) fail_no_dim(type);
    if (dim > max_dim) fail_too_many_dims(type, max_dim);
}

// typmod -1: any number of dimensions.
inline void check_expected_dim(int32 typmod, int dim) {
    if (typmod != -1 && typmod != dim) fail_expected_dim(typmod, dim);
}

}  // namespace vext
