#include "pg/postgres.h"

#include "type/checks.h"

namespace vext {

void fail_no_dim(const char* type) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("%s must have at least 1 dimension", type));
}

void fail_too_many_dims(const char* type, int max_dim) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("%s cannot have more than %d dimensions", type, max_dim));
}

void fail_expected_dim(int expected, int dim) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %d dimensions, not %d", expected, dim));
}

void fail_different_dims(const char* type, int a, int b) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("different %s dimensions %d and %d", type, a, b));
}

void fail_nan(const char* type) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("NaN not allowed in %s", type));
}

void fail_infinite(const char* type) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in %s", type));
}

void fail_out_of_range(const char* type, const char* number, size_t length) {
    ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
            errmsg("\"%s\" is out of range for type %s", pnstrdup(number, length), type));
}

void fail_syntax(const char* type, const char* text, const char* detail) {
    ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
            errmsg("invalid input syntax for type %s: \"%s\"", type, text),
            detail != nullptr ? errdetail("%s", detail) : 0);
}

void fail_too_many_nonzero(int max) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("sparsevec cannot have more than %d non-zero elements", max));
}

int32 dim_typmod(ArrayType* modifiers, const char* type, int max_dim) {
    int n;
    const int32* dim = ArrayGetIntegerTypmods(modifiers, &n);

    if (n != 1) ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid type modifier"));
    if (*dim < 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("dimensions for type %s must be at least 1", type));
    if (*dim > max_dim)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("dimensions for type %s cannot exceed %d", type, max_dim));
    return *dim;
}

}  // namespace vext
