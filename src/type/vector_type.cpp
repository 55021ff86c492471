// Type vector: input, output, modifier, casts.
#include "pg/postgres.h"

#include "type/dense_array.h"
#include "type/dense_io.h"
#include "type/entry.h"
#include "type/vector.h"

using vext::FloatElement;
using vext::VectorArg;

SQL_FUNCTION(vector_in) {
    PG_RETURN_POINTER(vext::parse_dense<FloatElement>(PG_GETARG_CSTRING(0), PG_GETARG_INT32(2)));
}

SQL_FUNCTION(vector_out) {
    VectorArg a{fcinfo, 0};
    char* text = vext::print_dense(*a);
    a.release();
    PG_RETURN_CSTRING(text);
}

SQL_FUNCTION(vector_typmod_in) {
    PG_RETURN_INT32(vext::dense_typmod(PG_GETARG_ARRAYTYPE_P(0), FloatElement::name, FloatElement::max_dim));
}

SQL_FUNCTION(vector_recv) {
    auto message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    PG_RETURN_POINTER(vext::receive_dense<FloatElement>(message, PG_GETARG_INT32(2)));
}

SQL_FUNCTION(vector_send) {
    VectorArg a{fcinfo, 0};
    bytea* message = vext::send_dense(*a);
    a.release();
    PG_RETURN_BYTEA_P(message);
}

// vector(n): only the number of dimensions is checked, so a short header may stay as it is.
SQL_FUNCTION(vector) {
    struct varlena* value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
    vext::check_expected_dim(PG_GETARG_INT32(1), vext::dense_dim<FloatElement>(PointerGetDatum(value)));
    PG_RETURN_POINTER(value);
}

// From integer[], real[], double precision[] and numeric[].
SQL_FUNCTION(array_to_vector) {
    PG_RETURN_POINTER(vext::dense_from_array<FloatElement>(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(1)));
}

SQL_FUNCTION(vector_to_float4) {
    VectorArg a{fcinfo, 0};
    PG_RETURN_ARRAYTYPE_P(vext::float4_array(*a));
}
