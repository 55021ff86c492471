// Type vector: arithmetic, comparison, aggregates, and functions of one vector.
#include <cmath>

#include "pg/postgres.h"

#include "type/dense_agg.h"
#include "type/dense_ops.h"
#include "type/entry.h"
#include "type/vector.h"

using vext::FloatElement;
using vext::Vector;
using vext::VectorArg;

// Also the transition function of sum: it then adds into the state.
SQL_FUNCTION(vector_add) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    Vector* sum = vext::may_overwrite_state(fcinfo, 0) ? a.writable() : vext::new_dense<FloatElement>(a->dim);
    vext::add_into(*a, *b, sum);
    PG_RETURN_POINTER(sum);
}

SQL_FUNCTION(vector_sub) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    PG_RETURN_POINTER(vext::subtract(*a, *b));
}

SQL_FUNCTION(vector_mul) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    vext::check_same_dim(a, b);
    PG_RETURN_POINTER(vext::multiply(*a, *b));
}

SQL_FUNCTION(vector_concat) {
    VectorArg a{fcinfo, 0}, b{fcinfo, 1};
    PG_RETURN_POINTER(vext::concatenate(*a, *b));
}

SQL_FUNCTION(vector_lt) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) < 0); }
SQL_FUNCTION(vector_le) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) <= 0); }
SQL_FUNCTION(vector_eq) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) == 0); }
SQL_FUNCTION(vector_ne) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) != 0); }
SQL_FUNCTION(vector_ge) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) >= 0); }
SQL_FUNCTION(vector_gt) { PG_RETURN_BOOL(vext::compare_args<FloatElement>(fcinfo) > 0); }
SQL_FUNCTION(vector_cmp) { PG_RETURN_INT32(vext::compare_args<FloatElement>(fcinfo)); }

SQL_FUNCTION(vector_dims) { PG_RETURN_INT32(vext::dense_dim<FloatElement>(PG_GETARG_DATUM(0))); }

SQL_FUNCTION(vector_norm) {
    VectorArg a{fcinfo, 0};
    PG_RETURN_FLOAT8(std::sqrt(FloatElement::norm_sq(a->x, a->dim)));
}

SQL_FUNCTION(l2_normalize) {
    VectorArg a{fcinfo, 0};
    PG_RETURN_POINTER(vext::normalize(*a));
}

SQL_FUNCTION(binary_quantize) {
    VectorArg a{fcinfo, 0};
    PG_RETURN_VARBIT_P(vext::sign_bits(*a));
}

SQL_FUNCTION(subvector) {
    VectorArg a{fcinfo, 0};
    PG_RETURN_POINTER(vext::subvector_of(*a, PG_GETARG_INT32(1), PG_GETARG_INT32(2)));
}

SQL_FUNCTION(vector_accum) {
    vext::MeanState state = vext::as_mean_state(PG_GETARG_ARRAYTYPE_P(0), "vector_accum");
    VectorArg value{fcinfo, 1};
    PG_RETURN_ARRAYTYPE_P(vext::accumulate(fcinfo, state, *value));
}

SQL_FUNCTION(vector_combine) {
    vext::MeanState a = vext::as_mean_state(PG_GETARG_ARRAYTYPE_P(0), "vector_combine");
    vext::MeanState b = vext::as_mean_state(PG_GETARG_ARRAYTYPE_P(1), "vector_combine");
    PG_RETURN_ARRAYTYPE_P(vext::combine_means<FloatElement>(fcinfo, a, b));
}

SQL_FUNCTION(vector_avg) {
    vext::MeanState state = vext::as_mean_state(PG_GETARG_ARRAYTYPE_P(0), "vector_avg");
    Vector* mean = vext::mean_of<FloatElement>(state);
    if (mean == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(mean);
}
