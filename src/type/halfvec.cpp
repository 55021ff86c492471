// Type halfvec: its entry points, by the names that SQL knows; what they do is in dense_entry.h.
#include "pg/postgres.h"

#include "type/dense_entry.h"
#include "type/halfvec.h"
#include "type/vector.h"

using vext::HalfElement;

SQL_FUNCTION(halfvec_in) { return vext::dense_in<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_out) { return vext::dense_out<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_typmod_in) { return vext::dense_typmod_in<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_recv) { return vext::dense_recv<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_send) { return vext::dense_send<HalfElement>(fcinfo); }

// Casts; array_to_halfvec takes integer[], real[], double precision[] and numeric[].
SQL_FUNCTION(halfvec) { return vext::dense_to_itself<HalfElement>(fcinfo); }
SQL_FUNCTION(array_to_halfvec) { return vext::array_to_dense<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_to_float4) { return vext::dense_to_float4<HalfElement>(fcinfo); }
SQL_FUNCTION(vector_to_halfvec) { return vext::dense_to_dense<vext::FloatElement, HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_to_vector) { return vext::dense_to_dense<HalfElement, vext::FloatElement>(fcinfo); }

SQL_FUNCTION(halfvec_add) { return vext::dense_add<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_sub) { return vext::dense_sub<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_mul) { return vext::dense_mul<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_mul_scalar) { return vext::dense_mul_scalar<HalfElement>(fcinfo); }
SQL_FUNCTION(scalar_mul_halfvec) { return vext::scalar_mul_dense<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_div_scalar) { return vext::dense_div_scalar<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_concat) { return vext::dense_concat<HalfElement>(fcinfo); }

SQL_FUNCTION(halfvec_lt) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) < 0); }
SQL_FUNCTION(halfvec_le) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) <= 0); }
SQL_FUNCTION(halfvec_eq) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) == 0); }
SQL_FUNCTION(halfvec_ne) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) != 0); }
SQL_FUNCTION(halfvec_ge) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) >= 0); }
SQL_FUNCTION(halfvec_gt) { PG_RETURN_BOOL(vext::dense_order<HalfElement>(fcinfo) > 0); }
SQL_FUNCTION(halfvec_cmp) { PG_RETURN_INT32(vext::dense_order<HalfElement>(fcinfo)); }

SQL_FUNCTION(halfvec_subscript) { return vext::dense_subscript<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_vector_dims) { return vext::dense_dims<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_l2_norm) { return vext::dense_norm<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_l2_normalize) { return vext::dense_normalize<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_binary_quantize) { return vext::dense_binary_quantize<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_subvector) { return vext::dense_subvector<HalfElement>(fcinfo); }

SQL_FUNCTION(halfvec_accum) { return vext::dense_accum<HalfElement>(fcinfo, "halfvec_accum"); }
SQL_FUNCTION(halfvec_avg) { return vext::dense_avg<HalfElement>(fcinfo, "halfvec_avg"); }

SQL_FUNCTION(halfvec_l2_distance) { return vext::dense_l2_distance<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_l2_squared_distance) { return vext::dense_l2_squared_distance<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_inner_product) { return vext::dense_inner_product<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_negative_inner_product) { return vext::dense_negative_inner_product<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_cosine_distance) { return vext::dense_cosine_distance<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_l1_distance) { return vext::dense_l1_distance<HalfElement>(fcinfo); }
SQL_FUNCTION(halfvec_spherical_distance) { return vext::dense_spherical_distance<HalfElement>(fcinfo); }
