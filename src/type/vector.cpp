// Type vector: its entry points, by the names that SQL knows; what they do is in dense_entry.h.
#include "pg/postgres.h"

#include "type/dense_entry.h"
#include "type/vector.h"

using vext::FloatElement;

SQL_FUNCTION(vector_in) { return vext::dense_in<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_out) { return vext::dense_out<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_typmod_in) { return vext::dense_typmod_in<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_recv) { return vext::dense_recv<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_send) { return vext::dense_send<FloatElement>(fcinfo); }

// Casts; array_to_vector takes integer[], real[], double precision[] and numeric[].
SQL_FUNCTION(vector) { return vext::dense_to_itself<FloatElement>(fcinfo); }
SQL_FUNCTION(array_to_vector) { return vext::array_to_dense<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_to_float4) { return vext::dense_to_float4<FloatElement>(fcinfo); }

SQL_FUNCTION(vector_add) { return vext::dense_add<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_sub) { return vext::dense_sub<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_mul) { return vext::dense_mul<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_mul_scalar) { return vext::dense_mul_scalar<FloatElement>(fcinfo); }
SQL_FUNCTION(scalar_mul_vector) { return vext::scalar_mul_dense<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_div_scalar) { return vext::dense_div_scalar<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_concat) { return vext::dense_concat<FloatElement>(fcinfo); }

SQL_FUNCTION(vector_lt) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) < 0); }
SQL_FUNCTION(vector_le) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) <= 0); }
SQL_FUNCTION(vector_eq) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) == 0); }
SQL_FUNCTION(vector_ne) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) != 0); }
SQL_FUNCTION(vector_ge) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) >= 0); }
SQL_FUNCTION(vector_gt) { PG_RETURN_BOOL(vext::dense_order<FloatElement>(fcinfo) > 0); }
SQL_FUNCTION(vector_cmp) { PG_RETURN_INT32(vext::dense_order<FloatElement>(fcinfo)); }

SQL_FUNCTION(vector_subscript) { return vext::dense_subscript<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_dims) { return vext::dense_dims<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_norm) { return vext::dense_norm<FloatElement>(fcinfo); }
SQL_FUNCTION(l2_normalize) { return vext::dense_normalize<FloatElement>(fcinfo); }
SQL_FUNCTION(binary_quantize) { return vext::dense_binary_quantize<FloatElement>(fcinfo); }
SQL_FUNCTION(subvector) { return vext::dense_subvector<FloatElement>(fcinfo); }

SQL_FUNCTION(vector_accum) { return vext::dense_accum<FloatElement>(fcinfo, "vector_accum"); }
SQL_FUNCTION(vector_combine) { return vext::dense_combine<FloatElement>(fcinfo, "vector_combine"); }
SQL_FUNCTION(vector_avg) { return vext::dense_avg<FloatElement>(fcinfo, "vector_avg"); }

SQL_FUNCTION(l2_distance) { return vext::dense_l2_distance<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_l2_squared_distance) { return vext::dense_l2_squared_distance<FloatElement>(fcinfo); }
SQL_FUNCTION(inner_product) { return vext::dense_inner_product<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_negative_inner_product) { return vext::dense_negative_inner_product<FloatElement>(fcinfo); }
SQL_FUNCTION(cosine_distance) { return vext::dense_cosine_distance<FloatElement>(fcinfo); }
SQL_FUNCTION(l1_distance) { return vext::dense_l1_distance<FloatElement>(fcinfo); }
SQL_FUNCTION(vector_spherical_distance) { return vext::dense_spherical_distance<FloatElement>(fcinfo); }
