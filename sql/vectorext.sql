\echo Use "CREATE EXTENSION vectorext" to load this file. \quit

-- ---- types --------------------------------------------------------------------------------------

CREATE TYPE vector;

CREATE FUNCTION vector_in(cstring, oid, integer) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_in(cstring, oid, integer) IS 'vector from text';

CREATE FUNCTION vector_out(vector) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_out(vector) IS 'vector to text';

CREATE FUNCTION vector_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_typmod_in(cstring[]) IS 'number of dimensions from a type modifier';

CREATE FUNCTION vector_recv(internal, oid, integer) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_recv(internal, oid, integer) IS 'vector from the binary wire format';

CREATE FUNCTION vector_send(vector) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_send(vector) IS 'vector to the binary wire format';

CREATE FUNCTION vector_subscript(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_subscript(internal) IS 'elements and slices of a vector by subscripts';

CREATE TYPE vector (
    INPUT = vector_in,
    OUTPUT = vector_out,
    TYPMOD_IN = vector_typmod_in,
    RECEIVE = vector_recv,
    SEND = vector_send,
    STORAGE = external,
    SUBSCRIPT = vector_subscript
);

COMMENT ON TYPE vector IS 'vector of 4-byte floats, up to 16,000 dimensions';

-- ---- functions: distances -----------------------------------------------------------------------

CREATE FUNCTION l2_distance(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_distance(vector, vector) IS 'L2 (Euclidean) distance of two vectors';

CREATE FUNCTION inner_product(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION inner_product(vector, vector) IS 'sum of the products of the elements';

CREATE FUNCTION cosine_distance(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_distance(vector, vector) IS '1 minus the cosine of the angle; NaN for a zero vector';

CREATE FUNCTION l1_distance(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_distance(vector, vector) IS 'L1 (Manhattan) distance of two vectors';

-- ---- functions: one vector ----------------------------------------------------------------------

CREATE FUNCTION vector_dims(vector) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_dims(vector) IS 'how many dimensions a vector has';

CREATE FUNCTION vector_norm(vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_norm(vector) IS 'length of a vector in the L2 norm';

CREATE FUNCTION l2_norm(vector) RETURNS double precision
    AS 'MODULE_PATHNAME', 'vector_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_norm(vector) IS 'length of a vector in the L2 norm';

CREATE FUNCTION l2_normalize(vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_normalize(vector) IS 'the vector scaled to L2 length 1';

CREATE FUNCTION binary_quantize(vector) RETURNS bit
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION binary_quantize(vector) IS 'one bit per element, set where it is above zero';

CREATE FUNCTION subvector(vector, integer, integer) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION subvector(vector, integer, integer) IS 'part of a vector: from which element (counted from 1), how many';

-- ---- functions: behind operators, operator classes and aggregates -------------------------------

CREATE FUNCTION vector_add(vector, vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_add(vector, vector) IS 'function of operator +';

CREATE FUNCTION vector_sub(vector, vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_sub(vector, vector) IS 'function of operator -';

CREATE FUNCTION vector_mul(vector, vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_mul(vector, vector) IS 'function of operator *';

CREATE FUNCTION vector_mul_scalar(vector, double precision) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_mul_scalar(vector, double precision) IS 'function of operator *';

CREATE FUNCTION scalar_mul_vector(double precision, vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION scalar_mul_vector(double precision, vector) IS 'function of operator *';

CREATE FUNCTION vector_div_scalar(vector, double precision) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_div_scalar(vector, double precision) IS 'function of operator /';

CREATE FUNCTION vector_concat(vector, vector) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_concat(vector, vector) IS 'function of operator ||';

CREATE FUNCTION vector_lt(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_lt(vector, vector) IS 'function of operator <';

CREATE FUNCTION vector_le(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_le(vector, vector) IS 'function of operator <=';

CREATE FUNCTION vector_eq(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_eq(vector, vector) IS 'function of operator =';

CREATE FUNCTION vector_ne(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_ne(vector, vector) IS 'function of operator <>';

CREATE FUNCTION vector_ge(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_ge(vector, vector) IS 'function of operator >=';

CREATE FUNCTION vector_gt(vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_gt(vector, vector) IS 'function of operator >';

CREATE FUNCTION vector_cmp(vector, vector) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_cmp(vector, vector) IS 'btree order: -1, 0 or 1';

CREATE FUNCTION vector_l2_squared_distance(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'square of the L2 distance: same order, less work';

CREATE FUNCTION vector_negative_inner_product(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'function of operator <#>';

CREATE FUNCTION vector_spherical_distance(vector, vector) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between unit vectors, in half turns';

CREATE FUNCTION vector_accum(double precision[], vector) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_accum(double precision[], vector) IS 'avg: takes one more vector';

CREATE FUNCTION vector_combine(double precision[], double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_combine(double precision[], double precision[]) IS 'avg: joins two partial states';

CREATE FUNCTION vector_avg(double precision[]) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_avg(double precision[]) IS 'avg: state to result';

-- ---- casts --------------------------------------------------------------------------------------

CREATE FUNCTION vector(vector, integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector(vector, integer, boolean) IS 'vector as vector(n): checks the number of dimensions';

CREATE FUNCTION array_to_vector(integer[], integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_vector(integer[], integer, boolean) IS 'vector from integer[]';

CREATE FUNCTION array_to_vector(real[], integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_vector(real[], integer, boolean) IS 'vector from real[]';

CREATE FUNCTION array_to_vector(double precision[], integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_vector(double precision[], integer, boolean) IS 'vector from double precision[]';

CREATE FUNCTION array_to_vector(numeric[], integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_vector(numeric[], integer, boolean) IS 'vector from numeric[]';

CREATE FUNCTION vector_to_float4(vector, integer, boolean) RETURNS real[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_to_float4(vector, integer, boolean) IS 'vector as real[]';

CREATE CAST (vector AS vector)
    WITH FUNCTION vector(vector, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (vector AS vector) IS 'checks the number of dimensions';

CREATE CAST (vector AS real[])
    WITH FUNCTION vector_to_float4(vector, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (vector AS real[]) IS 'the elements as an array';

CREATE CAST (integer[] AS vector)
    WITH FUNCTION array_to_vector(integer[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (integer[] AS vector) IS 'an array without NULLs as a vector';

CREATE CAST (real[] AS vector)
    WITH FUNCTION array_to_vector(real[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (real[] AS vector) IS 'an array without NULLs as a vector';

CREATE CAST (double precision[] AS vector)
    WITH FUNCTION array_to_vector(double precision[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (double precision[] AS vector) IS 'an array without NULLs as a vector';

CREATE CAST (numeric[] AS vector)
    WITH FUNCTION array_to_vector(numeric[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (numeric[] AS vector) IS 'an array without NULLs as a vector';

-- ---- operators: distances -----------------------------------------------------------------------

CREATE OPERATOR <-> (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = l2_distance,
    COMMUTATOR = <->
);

COMMENT ON OPERATOR <-> (vector, vector) IS 'L2 distance';

CREATE OPERATOR <#> (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_negative_inner_product,
    COMMUTATOR = <#>
);

COMMENT ON OPERATOR <#> (vector, vector) IS 'inner product with its sign changed, so that the closest comes first';

CREATE OPERATOR <=> (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = cosine_distance,
    COMMUTATOR = <=>
);

COMMENT ON OPERATOR <=> (vector, vector) IS 'cosine distance';

CREATE OPERATOR <+> (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = l1_distance,
    COMMUTATOR = <+>
);

COMMENT ON OPERATOR <+> (vector, vector) IS 'L1 distance';

-- ---- operators: arithmetic ----------------------------------------------------------------------

CREATE OPERATOR + (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_add,
    COMMUTATOR = +
);

COMMENT ON OPERATOR + (vector, vector) IS 'element by element sum';

CREATE OPERATOR - (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_sub
);

COMMENT ON OPERATOR - (vector, vector) IS 'element by element difference';

CREATE OPERATOR * (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_mul,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (vector, vector) IS 'element by element product';

CREATE OPERATOR * (
    LEFTARG = vector, RIGHTARG = double precision, FUNCTION = vector_mul_scalar,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (vector, double precision) IS 'each element multiplied';

CREATE OPERATOR * (
    LEFTARG = double precision, RIGHTARG = vector, FUNCTION = scalar_mul_vector,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (double precision, vector) IS 'each element multiplied';

CREATE OPERATOR / (
    LEFTARG = vector, RIGHTARG = double precision, FUNCTION = vector_div_scalar
);

COMMENT ON OPERATOR / (vector, double precision) IS 'each element divided';

CREATE OPERATOR || (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_concat
);

COMMENT ON OPERATOR || (vector, vector) IS 'elements of both, one after the other';

-- ---- operators: order ---------------------------------------------------------------------------

CREATE OPERATOR < (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_lt,
    COMMUTATOR = >, NEGATOR = >=,
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

COMMENT ON OPERATOR < (vector, vector) IS 'sorts before';

CREATE OPERATOR <= (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_le,
    COMMUTATOR = >=, NEGATOR = >,
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

COMMENT ON OPERATOR <= (vector, vector) IS 'sorts before or is equal';

CREATE OPERATOR = (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_eq,
    COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel
);

COMMENT ON OPERATOR = (vector, vector) IS 'same elements';

CREATE OPERATOR <> (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ne,
    COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON OPERATOR <> (vector, vector) IS 'not the same elements';

CREATE OPERATOR >= (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ge,
    COMMUTATOR = <=, NEGATOR = <,
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR >= (vector, vector) IS 'sorts after or is equal';

CREATE OPERATOR > (
    LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_gt,
    COMMUTATOR = <, NEGATOR = <=,
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR > (vector, vector) IS 'sorts after';

-- ---- aggregates ---------------------------------------------------------------------------------

CREATE AGGREGATE avg(vector) (
    SFUNC = vector_accum,
    STYPE = double precision[],
    FINALFUNC = vector_avg,
    COMBINEFUNC = vector_combine,
    INITCOND = '{0}',
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE avg(vector) IS 'mean of vectors, element by element';

CREATE AGGREGATE sum(vector) (
    SFUNC = vector_add,
    STYPE = vector,
    COMBINEFUNC = vector_add,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE sum(vector) IS 'sum of vectors, element by element';

-- ---- btree operator class -----------------------------------------------------------------------

CREATE OPERATOR CLASS vector_ops
    DEFAULT FOR TYPE vector USING btree AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 vector_cmp(vector, vector);

COMMENT ON OPERATOR CLASS vector_ops USING btree IS 'sorting and equality of vectors';

-- ---- type halfvec -------------------------------------------------------------------------------

CREATE TYPE halfvec;

CREATE FUNCTION halfvec_in(cstring, oid, integer) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_in(cstring, oid, integer) IS 'halfvec from text';

CREATE FUNCTION halfvec_out(halfvec) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_out(halfvec) IS 'halfvec to text';

CREATE FUNCTION halfvec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_typmod_in(cstring[]) IS 'number of dimensions from a type modifier';

CREATE FUNCTION halfvec_recv(internal, oid, integer) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_recv(internal, oid, integer) IS 'halfvec from the binary wire format';

CREATE FUNCTION halfvec_send(halfvec) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_send(halfvec) IS 'halfvec to the binary wire format';

CREATE FUNCTION halfvec_subscript(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_subscript(internal) IS 'elements and slices of a halfvec by subscripts';

CREATE TYPE halfvec (
    INPUT = halfvec_in,
    OUTPUT = halfvec_out,
    TYPMOD_IN = halfvec_typmod_in,
    RECEIVE = halfvec_recv,
    SEND = halfvec_send,
    STORAGE = external,
    SUBSCRIPT = halfvec_subscript
);

COMMENT ON TYPE halfvec IS 'vector of 2-byte floats, up to 16,000 dimensions';

-- ---- halfvec: distances -------------------------------------------------------------------------

CREATE FUNCTION l2_distance(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'halfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'L2 (Euclidean) distance of two halfvecs';

CREATE FUNCTION inner_product(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'halfvec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'sum of the products of the elements';

CREATE FUNCTION cosine_distance(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'halfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS '1 minus the cosine of the angle; NaN for a zero vector';

CREATE FUNCTION l1_distance(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'halfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'L1 (Manhattan) distance of two halfvecs';

-- ---- halfvec: functions of one ------------------------------------------------------------------

CREATE FUNCTION vector_dims(halfvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'halfvec_vector_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_dims(halfvec) IS 'how many dimensions a halfvec has';

CREATE FUNCTION l2_norm(halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'halfvec_l2_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_norm(halfvec) IS 'length of a halfvec in the L2 norm';

CREATE FUNCTION l2_normalize(halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME', 'halfvec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_normalize(halfvec) IS 'the halfvec scaled to L2 length 1';

CREATE FUNCTION binary_quantize(halfvec) RETURNS bit
    AS 'MODULE_PATHNAME', 'halfvec_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION binary_quantize(halfvec) IS 'one bit per element, set where it is above zero';

CREATE FUNCTION subvector(halfvec, integer, integer) RETURNS halfvec
    AS 'MODULE_PATHNAME', 'halfvec_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION subvector(halfvec, integer, integer) IS 'part of a halfvec: from which element (counted from 1), how many';

-- ---- halfvec: behind operators, operator classes and aggregates ---------------------------------

CREATE FUNCTION halfvec_add(halfvec, halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_add(halfvec, halfvec) IS 'function of operator +';

CREATE FUNCTION halfvec_sub(halfvec, halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_sub(halfvec, halfvec) IS 'function of operator -';

CREATE FUNCTION halfvec_mul(halfvec, halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_mul(halfvec, halfvec) IS 'function of operator *';

CREATE FUNCTION halfvec_mul_scalar(halfvec, double precision) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_mul_scalar(halfvec, double precision) IS 'function of operator *';

CREATE FUNCTION scalar_mul_halfvec(double precision, halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION scalar_mul_halfvec(double precision, halfvec) IS 'function of operator *';

CREATE FUNCTION halfvec_div_scalar(halfvec, double precision) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_div_scalar(halfvec, double precision) IS 'function of operator /';

CREATE FUNCTION halfvec_concat(halfvec, halfvec) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_concat(halfvec, halfvec) IS 'function of operator ||';

CREATE FUNCTION halfvec_lt(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_lt(halfvec, halfvec) IS 'function of operator <';

CREATE FUNCTION halfvec_le(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_le(halfvec, halfvec) IS 'function of operator <=';

CREATE FUNCTION halfvec_eq(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_eq(halfvec, halfvec) IS 'function of operator =';

CREATE FUNCTION halfvec_ne(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_ne(halfvec, halfvec) IS 'function of operator <>';

CREATE FUNCTION halfvec_ge(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_ge(halfvec, halfvec) IS 'function of operator >=';

CREATE FUNCTION halfvec_gt(halfvec, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_gt(halfvec, halfvec) IS 'function of operator >';

CREATE FUNCTION halfvec_cmp(halfvec, halfvec) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_cmp(halfvec, halfvec) IS 'btree order: -1, 0 or 1';

CREATE FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'square of the L2 distance: same order, less work';

CREATE FUNCTION halfvec_negative_inner_product(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'function of operator <#>';

CREATE FUNCTION halfvec_spherical_distance(halfvec, halfvec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between unit vectors, in half turns';

CREATE FUNCTION halfvec_accum(double precision[], halfvec) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_accum(double precision[], halfvec) IS 'avg: takes one more halfvec';

CREATE FUNCTION halfvec_combine(double precision[], double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_combine(double precision[], double precision[]) IS 'avg: joins two partial states';

CREATE FUNCTION halfvec_avg(double precision[]) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_avg(double precision[]) IS 'avg: state to result';

-- ---- halfvec: casts -----------------------------------------------------------------------------

CREATE FUNCTION halfvec(halfvec, integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec(halfvec, integer, boolean) IS 'halfvec as halfvec(n): checks the number of dimensions';

CREATE FUNCTION array_to_halfvec(integer[], integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_halfvec(integer[], integer, boolean) IS 'halfvec from integer[]';

CREATE FUNCTION array_to_halfvec(real[], integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_halfvec(real[], integer, boolean) IS 'halfvec from real[]';

CREATE FUNCTION array_to_halfvec(double precision[], integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_halfvec(double precision[], integer, boolean) IS 'halfvec from double precision[]';

CREATE FUNCTION array_to_halfvec(numeric[], integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_halfvec(numeric[], integer, boolean) IS 'halfvec from numeric[]';

CREATE FUNCTION halfvec_to_float4(halfvec, integer, boolean) RETURNS real[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_to_float4(halfvec, integer, boolean) IS 'halfvec as real[]';

CREATE FUNCTION vector_to_halfvec(vector, integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_to_halfvec(vector, integer, boolean) IS 'halfvec from vector: rounds, an error beyond its range';

CREATE FUNCTION halfvec_to_vector(halfvec, integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_to_vector(halfvec, integer, boolean) IS 'vector from halfvec';

CREATE CAST (halfvec AS halfvec)
    WITH FUNCTION halfvec(halfvec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (halfvec AS halfvec) IS 'checks the number of dimensions';

CREATE CAST (integer[] AS halfvec)
    WITH FUNCTION array_to_halfvec(integer[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (integer[] AS halfvec) IS 'an array without NULLs as a halfvec';

CREATE CAST (real[] AS halfvec)
    WITH FUNCTION array_to_halfvec(real[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (real[] AS halfvec) IS 'an array without NULLs as a halfvec';

CREATE CAST (double precision[] AS halfvec)
    WITH FUNCTION array_to_halfvec(double precision[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (double precision[] AS halfvec) IS 'an array without NULLs as a halfvec';

CREATE CAST (numeric[] AS halfvec)
    WITH FUNCTION array_to_halfvec(numeric[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (numeric[] AS halfvec) IS 'an array without NULLs as a halfvec';

CREATE CAST (halfvec AS real[])
    WITH FUNCTION halfvec_to_float4(halfvec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (halfvec AS real[]) IS 'the elements as an array';

CREATE CAST (vector AS halfvec)
    WITH FUNCTION vector_to_halfvec(vector, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (vector AS halfvec) IS 'rounds to half precision';

CREATE CAST (halfvec AS vector)
    WITH FUNCTION halfvec_to_vector(halfvec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (halfvec AS vector) IS 'exact';

-- ---- halfvec: operators -------------------------------------------------------------------------

CREATE OPERATOR <-> (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l2_distance,
    COMMUTATOR = <->
);

COMMENT ON OPERATOR <-> (halfvec, halfvec) IS 'L2 distance';

CREATE OPERATOR <#> (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_negative_inner_product,
    COMMUTATOR = <#>
);

COMMENT ON OPERATOR <#> (halfvec, halfvec) IS 'inner product with its sign changed, so that the closest comes first';

CREATE OPERATOR <=> (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = cosine_distance,
    COMMUTATOR = <=>
);

COMMENT ON OPERATOR <=> (halfvec, halfvec) IS 'cosine distance';

CREATE OPERATOR <+> (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l1_distance,
    COMMUTATOR = <+>
);

COMMENT ON OPERATOR <+> (halfvec, halfvec) IS 'L1 distance';

CREATE OPERATOR + (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_add,
    COMMUTATOR = +
);

COMMENT ON OPERATOR + (halfvec, halfvec) IS 'element by element sum';

CREATE OPERATOR - (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_sub
);

COMMENT ON OPERATOR - (halfvec, halfvec) IS 'element by element difference';

CREATE OPERATOR * (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_mul,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (halfvec, halfvec) IS 'element by element product';

CREATE OPERATOR * (
    LEFTARG = halfvec, RIGHTARG = double precision, FUNCTION = halfvec_mul_scalar,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (halfvec, double precision) IS 'each element multiplied';

CREATE OPERATOR * (
    LEFTARG = double precision, RIGHTARG = halfvec, FUNCTION = scalar_mul_halfvec,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (double precision, halfvec) IS 'each element multiplied';

CREATE OPERATOR / (
    LEFTARG = halfvec, RIGHTARG = double precision, FUNCTION = halfvec_div_scalar
);

COMMENT ON OPERATOR / (halfvec, double precision) IS 'each element divided';

CREATE OPERATOR || (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_concat
);

COMMENT ON OPERATOR || (halfvec, halfvec) IS 'elements of both, one after the other';

CREATE OPERATOR < (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_lt,
    COMMUTATOR = >, NEGATOR = >=,
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

COMMENT ON OPERATOR < (halfvec, halfvec) IS 'sorts before';

CREATE OPERATOR <= (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_le,
    COMMUTATOR = >=, NEGATOR = >,
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

COMMENT ON OPERATOR <= (halfvec, halfvec) IS 'sorts before or is equal';

CREATE OPERATOR = (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_eq,
    COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel
);

COMMENT ON OPERATOR = (halfvec, halfvec) IS 'same elements';

CREATE OPERATOR <> (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ne,
    COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON OPERATOR <> (halfvec, halfvec) IS 'not the same elements';

CREATE OPERATOR >= (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ge,
    COMMUTATOR = <=, NEGATOR = <,
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR >= (halfvec, halfvec) IS 'sorts after or is equal';

CREATE OPERATOR > (
    LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_gt,
    COMMUTATOR = <, NEGATOR = <=,
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR > (halfvec, halfvec) IS 'sorts after';

-- ---- halfvec: aggregates and btree operator class -----------------------------------------------

CREATE AGGREGATE avg(halfvec) (
    SFUNC = halfvec_accum,
    STYPE = double precision[],
    FINALFUNC = halfvec_avg,
    COMBINEFUNC = halfvec_combine,
    INITCOND = '{0}',
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE avg(halfvec) IS 'mean of halfvecs, element by element';

CREATE AGGREGATE sum(halfvec) (
    SFUNC = halfvec_add,
    STYPE = halfvec,
    COMBINEFUNC = halfvec_add,
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE sum(halfvec) IS 'sum of halfvecs, element by element';

CREATE OPERATOR CLASS halfvec_ops
    DEFAULT FOR TYPE halfvec USING btree AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 halfvec_cmp(halfvec, halfvec);

COMMENT ON OPERATOR CLASS halfvec_ops USING btree IS 'sorting and equality of halfvecs';

-- ---- bit: distances and casts -------------------------------------------------------------------

CREATE FUNCTION hamming_distance(bit, bit) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hamming_distance(bit, bit) IS 'how many bits differ';

CREATE FUNCTION jaccard_distance(bit, bit) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION jaccard_distance(bit, bit) IS '1 minus the share of the set bits that are common';

CREATE OPERATOR <~> (
    LEFTARG = bit, RIGHTARG = bit, FUNCTION = hamming_distance,
    COMMUTATOR = <~>
);

COMMENT ON OPERATOR <~> (bit, bit) IS 'Hamming distance';

CREATE OPERATOR <%> (
    LEFTARG = bit, RIGHTARG = bit, FUNCTION = jaccard_distance,
    COMMUTATOR = <%>
);

COMMENT ON OPERATOR <%> (bit, bit) IS 'Jaccard distance';

CREATE FUNCTION bit_to_vector(bit, integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bit_to_vector(bit, integer, boolean) IS 'vector of zeros and ones';

CREATE FUNCTION vector_to_bit(vector, integer, boolean) RETURNS bit
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_to_bit(vector, integer, boolean) IS 'one bit per element, set where it is above zero';

CREATE FUNCTION bit_to_halfvec(bit, integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bit_to_halfvec(bit, integer, boolean) IS 'halfvec of zeros and ones';

CREATE FUNCTION halfvec_to_bit(halfvec, integer, boolean) RETURNS bit
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_to_bit(halfvec, integer, boolean) IS 'one bit per element, set where it is above zero';

CREATE CAST (bit AS vector)
    WITH FUNCTION bit_to_vector(bit, integer, boolean);

COMMENT ON CAST (bit AS vector) IS 'the bits as zeros and ones';

CREATE CAST (vector AS bit)
    WITH FUNCTION vector_to_bit(vector, integer, boolean);

COMMENT ON CAST (vector AS bit) IS 'one bit per element, set where it is above zero';

CREATE CAST (bit AS halfvec)
    WITH FUNCTION bit_to_halfvec(bit, integer, boolean);

COMMENT ON CAST (bit AS halfvec) IS 'the bits as zeros and ones';

CREATE CAST (halfvec AS bit)
    WITH FUNCTION halfvec_to_bit(halfvec, integer, boolean);

COMMENT ON CAST (halfvec AS bit) IS 'one bit per element, set where it is above zero';

-- ---- type sparsevec -----------------------------------------------------------------------------

CREATE TYPE sparsevec;

CREATE FUNCTION sparsevec_in(cstring, oid, integer) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_in(cstring, oid, integer) IS 'sparsevec from text';

CREATE FUNCTION sparsevec_out(sparsevec) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_out(sparsevec) IS 'sparsevec to text';

CREATE FUNCTION sparsevec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_typmod_in(cstring[]) IS 'number of dimensions from a type modifier';

CREATE FUNCTION sparsevec_recv(internal, oid, integer) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_recv(internal, oid, integer) IS 'sparsevec from the binary wire format';

CREATE FUNCTION sparsevec_send(sparsevec) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_send(sparsevec) IS 'sparsevec to the binary wire format';

CREATE TYPE sparsevec (
    INPUT = sparsevec_in,
    OUTPUT = sparsevec_out,
    TYPMOD_IN = sparsevec_typmod_in,
    RECEIVE = sparsevec_recv,
    SEND = sparsevec_send,
    STORAGE = external
);

COMMENT ON TYPE sparsevec IS 'vector by its non-zero elements: up to 16,000 of them, up to 1,000,000,000 dimensions';

-- ---- sparsevec: distances -----------------------------------------------------------------------

CREATE FUNCTION l2_distance(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sparsevec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_distance(sparsevec, sparsevec) IS 'L2 (Euclidean) distance of two sparsevecs';

CREATE FUNCTION inner_product(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sparsevec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION inner_product(sparsevec, sparsevec) IS 'sum of the products of the elements';

CREATE FUNCTION cosine_distance(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sparsevec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_distance(sparsevec, sparsevec) IS '1 minus the cosine of the angle; NaN for a zero vector';

CREATE FUNCTION l1_distance(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sparsevec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_distance(sparsevec, sparsevec) IS 'L1 (Manhattan) distance of two sparsevecs';

-- ---- sparsevec: functions of one ----------------------------------------------------------------

CREATE FUNCTION l2_norm(sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sparsevec_l2_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_norm(sparsevec) IS 'length of a sparsevec in the L2 norm';

CREATE FUNCTION l2_normalize(sparsevec) RETURNS sparsevec
    AS 'MODULE_PATHNAME', 'sparsevec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_normalize(sparsevec) IS 'the sparsevec scaled to L2 length 1';

-- ---- sparsevec: behind operators, operator classes and aggregates -------------------------------

CREATE FUNCTION sparsevec_add(sparsevec, sparsevec) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_add(sparsevec, sparsevec) IS 'function of operator +';

CREATE FUNCTION sparsevec_sub(sparsevec, sparsevec) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_sub(sparsevec, sparsevec) IS 'function of operator -';

CREATE FUNCTION sparsevec_mul(sparsevec, sparsevec) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_mul(sparsevec, sparsevec) IS 'function of operator *';

CREATE FUNCTION sparsevec_lt(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_lt(sparsevec, sparsevec) IS 'function of operator <';

CREATE FUNCTION sparsevec_le(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_le(sparsevec, sparsevec) IS 'function of operator <=';

CREATE FUNCTION sparsevec_eq(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_eq(sparsevec, sparsevec) IS 'function of operator =';

CREATE FUNCTION sparsevec_ne(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_ne(sparsevec, sparsevec) IS 'function of operator <>';

CREATE FUNCTION sparsevec_ge(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_ge(sparsevec, sparsevec) IS 'function of operator >=';

CREATE FUNCTION sparsevec_gt(sparsevec, sparsevec) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_gt(sparsevec, sparsevec) IS 'function of operator >';

CREATE FUNCTION sparsevec_cmp(sparsevec, sparsevec) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_cmp(sparsevec, sparsevec) IS 'btree order: -1, 0 or 1';

CREATE FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) IS 'square of the L2 distance: same order, less work';

CREATE FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) IS 'function of operator <#>';

CREATE FUNCTION sparsevec_accum(double precision[], sparsevec) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_accum(double precision[], sparsevec) IS 'sum and avg: takes one more sparsevec';

CREATE FUNCTION sparsevec_combine(double precision[], double precision[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_combine(double precision[], double precision[]) IS 'sum and avg: joins two partial states';

CREATE FUNCTION sparsevec_sum(double precision[]) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_sum(double precision[]) IS 'sum: state to result';

CREATE FUNCTION sparsevec_avg(double precision[]) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_avg(double precision[]) IS 'avg: state to result';

-- ---- sparsevec: casts ---------------------------------------------------------------------------

CREATE FUNCTION sparsevec(sparsevec, integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec(sparsevec, integer, boolean) IS 'sparsevec as sparsevec(n): checks the number of dimensions';

CREATE FUNCTION array_to_sparsevec(integer[], integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_sparsevec(integer[], integer, boolean) IS 'sparsevec from integer[]';

CREATE FUNCTION array_to_sparsevec(real[], integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_sparsevec(real[], integer, boolean) IS 'sparsevec from real[]';

CREATE FUNCTION array_to_sparsevec(double precision[], integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_sparsevec(double precision[], integer, boolean) IS 'sparsevec from double precision[]';

CREATE FUNCTION array_to_sparsevec(numeric[], integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION array_to_sparsevec(numeric[], integer, boolean) IS 'sparsevec from numeric[]';

CREATE FUNCTION vector_to_sparsevec(vector, integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION vector_to_sparsevec(vector, integer, boolean) IS 'sparsevec from vector';

CREATE FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) RETURNS vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) IS 'vector from sparsevec';

CREATE FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) RETURNS sparsevec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) IS 'sparsevec from halfvec';

CREATE FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) RETURNS halfvec
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) IS 'halfvec from sparsevec';

CREATE CAST (sparsevec AS sparsevec)
    WITH FUNCTION sparsevec(sparsevec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (sparsevec AS sparsevec) IS 'checks the number of dimensions';

CREATE CAST (integer[] AS sparsevec)
    WITH FUNCTION array_to_sparsevec(integer[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (integer[] AS sparsevec) IS 'an array without NULLs as a sparsevec';

CREATE CAST (real[] AS sparsevec)
    WITH FUNCTION array_to_sparsevec(real[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (real[] AS sparsevec) IS 'an array without NULLs as a sparsevec';

CREATE CAST (double precision[] AS sparsevec)
    WITH FUNCTION array_to_sparsevec(double precision[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (double precision[] AS sparsevec) IS 'an array without NULLs as a sparsevec';

CREATE CAST (numeric[] AS sparsevec)
    WITH FUNCTION array_to_sparsevec(numeric[], integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (numeric[] AS sparsevec) IS 'an array without NULLs as a sparsevec';

CREATE CAST (vector AS sparsevec)
    WITH FUNCTION vector_to_sparsevec(vector, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (vector AS sparsevec) IS 'the elements that are not zero';

CREATE CAST (sparsevec AS vector)
    WITH FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (sparsevec AS vector) IS 'with its zeros';

CREATE CAST (halfvec AS sparsevec)
    WITH FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) AS IMPLICIT;

COMMENT ON CAST (halfvec AS sparsevec) IS 'the elements that are not zero';

CREATE CAST (sparsevec AS halfvec)
    WITH FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) AS ASSIGNMENT;

COMMENT ON CAST (sparsevec AS halfvec) IS 'with its zeros, rounded to half precision';

-- ---- sparsevec: operators -----------------------------------------------------------------------

CREATE OPERATOR <-> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l2_distance,
    COMMUTATOR = <->
);

COMMENT ON OPERATOR <-> (sparsevec, sparsevec) IS 'L2 distance';

CREATE OPERATOR <#> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_negative_inner_product,
    COMMUTATOR = <#>
);

COMMENT ON OPERATOR <#> (sparsevec, sparsevec) IS 'inner product with its sign changed, so that the closest comes first';

CREATE OPERATOR <=> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = cosine_distance,
    COMMUTATOR = <=>
);

COMMENT ON OPERATOR <=> (sparsevec, sparsevec) IS 'cosine distance';

CREATE OPERATOR <+> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l1_distance,
    COMMUTATOR = <+>
);

COMMENT ON OPERATOR <+> (sparsevec, sparsevec) IS 'L1 distance';

CREATE OPERATOR + (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_add,
    COMMUTATOR = +
);

COMMENT ON OPERATOR + (sparsevec, sparsevec) IS 'element by element sum';

CREATE OPERATOR - (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_sub
);

COMMENT ON OPERATOR - (sparsevec, sparsevec) IS 'element by element difference';

CREATE OPERATOR * (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_mul,
    COMMUTATOR = *
);

COMMENT ON OPERATOR * (sparsevec, sparsevec) IS 'element by element product';

CREATE OPERATOR < (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_lt,
    COMMUTATOR = >, NEGATOR = >=,
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

COMMENT ON OPERATOR < (sparsevec, sparsevec) IS 'sorts before';

CREATE OPERATOR <= (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_le,
    COMMUTATOR = >=, NEGATOR = >,
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

COMMENT ON OPERATOR <= (sparsevec, sparsevec) IS 'sorts before or is equal';

CREATE OPERATOR = (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_eq,
    COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel
);

COMMENT ON OPERATOR = (sparsevec, sparsevec) IS 'same elements';

CREATE OPERATOR <> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ne,
    COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON OPERATOR <> (sparsevec, sparsevec) IS 'not the same elements';

CREATE OPERATOR >= (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ge,
    COMMUTATOR = <=, NEGATOR = <,
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR >= (sparsevec, sparsevec) IS 'sorts after or is equal';

CREATE OPERATOR > (
    LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_gt,
    COMMUTATOR = <, NEGATOR = <=,
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR > (sparsevec, sparsevec) IS 'sorts after';

-- ---- sparsevec: aggregates and btree operator class ---------------------------------------------

CREATE AGGREGATE avg(sparsevec) (
    SFUNC = sparsevec_accum,
    STYPE = double precision[],
    FINALFUNC = sparsevec_avg,
    COMBINEFUNC = sparsevec_combine,
    INITCOND = '{0,0}',
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE avg(sparsevec) IS 'mean of sparsevecs, element by element';

CREATE AGGREGATE sum(sparsevec) (
    SFUNC = sparsevec_accum,
    STYPE = double precision[],
    FINALFUNC = sparsevec_sum,
    COMBINEFUNC = sparsevec_combine,
    INITCOND = '{0,0}',
    PARALLEL = SAFE
);

COMMENT ON AGGREGATE sum(sparsevec) IS 'sum of sparsevecs, element by element';

CREATE OPERATOR CLASS sparsevec_ops
    DEFAULT FOR TYPE sparsevec USING btree AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 sparsevec_cmp(sparsevec, sparsevec);

COMMENT ON OPERATOR CLASS sparsevec_ops USING btree IS 'sorting and equality of sparsevecs';

-- ---- type support of operator classes -----------------------------------------------------------
-- pgvector's operator classes name these.

CREATE FUNCTION hnsw_halfvec_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION hnsw_halfvec_support(internal) IS 'type support of halfvec in hnsw operator classes';

CREATE FUNCTION hnsw_bit_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION hnsw_bit_support(internal) IS 'type support of bit in hnsw operator classes';

CREATE FUNCTION hnsw_sparsevec_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION hnsw_sparsevec_support(internal) IS 'type support of sparsevec in hnsw operator classes';

CREATE FUNCTION ivfflat_halfvec_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION ivfflat_halfvec_support(internal) IS 'type support of halfvec in ivfflat operator classes';

CREATE FUNCTION ivfflat_bit_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION ivfflat_bit_support(internal) IS 'type support of bit in ivfflat operator classes';

-- ------------------------------------------------------------------------------------------------
-- Access method hnsw
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION hnswhandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION hnswhandler(internal) IS 'handler of the hnsw access method';

CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER hnswhandler;
COMMENT ON ACCESS METHOD hnsw IS 'graph index for nearest neighbors by distance (hierarchical navigable small world)';

-- Function 1 is the distance, function 2, where there is one, says that vectors are compared scaled to length one.

CREATE OPERATOR CLASS vector_l2_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_l2_squared_distance(vector, vector);
COMMENT ON OPERATOR CLASS vector_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector);
COMMENT ON OPERATOR CLASS vector_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 vector_norm(vector);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING hnsw IS 'cosine distance';

CREATE OPERATOR CLASS vector_l1_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(vector, vector);
COMMENT ON OPERATOR CLASS vector_l1_ops USING hnsw IS 'taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_l2_squared_distance(halfvec, halfvec),
	FUNCTION 3 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 3 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 2 l2_norm(halfvec),
	FUNCTION 3 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING hnsw IS 'cosine distance';

CREATE OPERATOR CLASS halfvec_l1_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(halfvec, halfvec),
	FUNCTION 3 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING hnsw IS 'taxicab distance';

CREATE OPERATOR CLASS sparsevec_l2_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 sparsevec_l2_squared_distance(sparsevec, sparsevec),
	FUNCTION 3 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS sparsevec_ip_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 sparsevec_negative_inner_product(sparsevec, sparsevec),
	FUNCTION 3 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS sparsevec_cosine_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 sparsevec_negative_inner_product(sparsevec, sparsevec),
	FUNCTION 2 l2_norm(sparsevec),
	FUNCTION 3 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING hnsw IS 'cosine distance';

CREATE OPERATOR CLASS sparsevec_l1_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <+> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(sparsevec, sparsevec),
	FUNCTION 3 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l1_ops USING hnsw IS 'taxicab distance';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 hamming_distance(bit, bit),
	FUNCTION 3 hnsw_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING hnsw IS 'Hamming distance';

CREATE OPERATOR CLASS bit_jaccard_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 jaccard_distance(bit, bit),
	FUNCTION 3 hnsw_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING hnsw IS 'Jaccard distance';

-- ------------------------------------------------------------------------------------------------
-- Access method ivfflat
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION ivfflathandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION ivfflathandler(internal) IS 'handler of the ivfflat access method';

CREATE ACCESS METHOD ivfflat TYPE INDEX HANDLER ivfflathandler;
COMMENT ON ACCESS METHOD ivfflat IS 'inverted lists for nearest neighbors by distance';

-- Function 1 is the distance, function 2, where there is one, says that vectors are compared scaled to length one.

CREATE OPERATOR CLASS vector_l2_ops
	DEFAULT FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_l2_squared_distance(vector, vector),
	FUNCTION 3 l2_distance(vector, vector);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivfflat IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivfflat IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 vector_norm(vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivfflat IS 'cosine distance';

CREATE OPERATOR CLASS vector_l1_ops
	FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(vector, vector);
COMMENT ON OPERATOR CLASS vector_l1_ops USING ivfflat IS 'taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_l2_squared_distance(halfvec, halfvec),
	FUNCTION 3 l2_distance(halfvec, halfvec),
	FUNCTION 5 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ivfflat IS 'Euclidean distance';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 3 halfvec_spherical_distance(halfvec, halfvec),
	FUNCTION 4 l2_norm(halfvec),
	FUNCTION 5 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ivfflat IS 'negative inner product';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 halfvec_negative_inner_product(halfvec, halfvec),
	FUNCTION 2 l2_norm(halfvec),
	FUNCTION 3 halfvec_spherical_distance(halfvec, halfvec),
	FUNCTION 4 l2_norm(halfvec),
	FUNCTION 5 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ivfflat IS 'cosine distance';

CREATE OPERATOR CLASS halfvec_l1_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 l1_distance(halfvec, halfvec),
	FUNCTION 5 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING ivfflat IS 'taxicab distance';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING ivfflat AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 hamming_distance(bit, bit),
	FUNCTION 3 hamming_distance(bit, bit),
	FUNCTION 5 ivfflat_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING ivfflat IS 'Hamming distance';

CREATE OPERATOR CLASS bit_jaccard_ops
	FOR TYPE bit USING ivfflat AS
	OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 jaccard_distance(bit, bit),
	FUNCTION 5 ivfflat_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING ivfflat IS 'Jaccard distance';

-- ---- distance ranges -----------------------------------------------------------------------------
-- A ball is a center and a radius; v <<->> ball says that v <-> center is at most the radius, <<=>> that v <=> center is,
-- and so on. An index serves these operators, with ORDER BY or without.

CREATE TYPE vector_ball AS (center vector, radius double precision);

COMMENT ON TYPE vector_ball IS 'all of type vector within a distance from a center';

CREATE FUNCTION vectorext_ball(vector, double precision) RETURNS vector_ball
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ROW($1, $2)::vector_ball;

COMMENT ON FUNCTION vectorext_ball(vector, double precision) IS 'a ball of a center and a radius';

CREATE TYPE halfvec_ball AS (center halfvec, radius double precision);

COMMENT ON TYPE halfvec_ball IS 'all of type halfvec within a distance from a center';

CREATE FUNCTION vectorext_ball(halfvec, double precision) RETURNS halfvec_ball
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ROW($1, $2)::halfvec_ball;

COMMENT ON FUNCTION vectorext_ball(halfvec, double precision) IS 'a ball of a center and a radius';

CREATE TYPE sparsevec_ball AS (center sparsevec, radius double precision);

COMMENT ON TYPE sparsevec_ball IS 'all of type sparsevec within a distance from a center';

CREATE FUNCTION vectorext_ball(sparsevec, double precision) RETURNS sparsevec_ball
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ROW($1, $2)::sparsevec_ball;

COMMENT ON FUNCTION vectorext_ball(sparsevec, double precision) IS 'a ball of a center and a radius';

CREATE TYPE bit_ball AS (center bit varying, radius double precision);

COMMENT ON TYPE bit_ball IS 'all of type bit within a distance from a center';

CREATE FUNCTION vectorext_ball(bit varying, double precision) RETURNS bit_ball
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ROW($1, $2)::bit_ball;

COMMENT ON FUNCTION vectorext_ball(bit varying, double precision) IS 'a ball of a center and a radius';

CREATE FUNCTION l2_within(vector, vector_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'vector_l2_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_within(vector, vector_ball) IS 'implementation of <<->> operator';

CREATE OPERATOR <<->> (
    LEFTARG = vector, RIGHTARG = vector_ball, FUNCTION = l2_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<->> (vector, vector_ball) IS 'is the Euclidean distance from the center at most the radius?';

CREATE FUNCTION ip_within(vector, vector_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'vector_ip_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION ip_within(vector, vector_ball) IS 'implementation of <<#>> operator';

CREATE OPERATOR <<#>> (
    LEFTARG = vector, RIGHTARG = vector_ball, FUNCTION = ip_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<#>> (vector, vector_ball) IS 'is the negative inner product from the center at most the radius?';

CREATE FUNCTION cosine_within(vector, vector_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'vector_cosine_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_within(vector, vector_ball) IS 'implementation of <<=>> operator';

CREATE OPERATOR <<=>> (
    LEFTARG = vector, RIGHTARG = vector_ball, FUNCTION = cosine_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<=>> (vector, vector_ball) IS 'is the cosine distance from the center at most the radius?';

CREATE FUNCTION l1_within(vector, vector_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'vector_l1_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_within(vector, vector_ball) IS 'implementation of <<+>> operator';

CREATE OPERATOR <<+>> (
    LEFTARG = vector, RIGHTARG = vector_ball, FUNCTION = l1_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<+>> (vector, vector_ball) IS 'is the taxicab distance from the center at most the radius?';

CREATE FUNCTION l2_within(halfvec, halfvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'halfvec_l2_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_within(halfvec, halfvec_ball) IS 'implementation of <<->> operator';

CREATE OPERATOR <<->> (
    LEFTARG = halfvec, RIGHTARG = halfvec_ball, FUNCTION = l2_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<->> (halfvec, halfvec_ball) IS 'is the Euclidean distance from the center at most the radius?';

CREATE FUNCTION ip_within(halfvec, halfvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'halfvec_ip_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION ip_within(halfvec, halfvec_ball) IS 'implementation of <<#>> operator';

CREATE OPERATOR <<#>> (
    LEFTARG = halfvec, RIGHTARG = halfvec_ball, FUNCTION = ip_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<#>> (halfvec, halfvec_ball) IS 'is the negative inner product from the center at most the radius?';

CREATE FUNCTION cosine_within(halfvec, halfvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'halfvec_cosine_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_within(halfvec, halfvec_ball) IS 'implementation of <<=>> operator';

CREATE OPERATOR <<=>> (
    LEFTARG = halfvec, RIGHTARG = halfvec_ball, FUNCTION = cosine_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<=>> (halfvec, halfvec_ball) IS 'is the cosine distance from the center at most the radius?';

CREATE FUNCTION l1_within(halfvec, halfvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'halfvec_l1_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_within(halfvec, halfvec_ball) IS 'implementation of <<+>> operator';

CREATE OPERATOR <<+>> (
    LEFTARG = halfvec, RIGHTARG = halfvec_ball, FUNCTION = l1_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<+>> (halfvec, halfvec_ball) IS 'is the taxicab distance from the center at most the radius?';

CREATE FUNCTION l2_within(sparsevec, sparsevec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'sparsevec_l2_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l2_within(sparsevec, sparsevec_ball) IS 'implementation of <<->> operator';

CREATE OPERATOR <<->> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec_ball, FUNCTION = l2_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<->> (sparsevec, sparsevec_ball) IS 'is the Euclidean distance from the center at most the radius?';

CREATE FUNCTION ip_within(sparsevec, sparsevec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'sparsevec_ip_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION ip_within(sparsevec, sparsevec_ball) IS 'implementation of <<#>> operator';

CREATE OPERATOR <<#>> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec_ball, FUNCTION = ip_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<#>> (sparsevec, sparsevec_ball) IS 'is the negative inner product from the center at most the radius?';

CREATE FUNCTION cosine_within(sparsevec, sparsevec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'sparsevec_cosine_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION cosine_within(sparsevec, sparsevec_ball) IS 'implementation of <<=>> operator';

CREATE OPERATOR <<=>> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec_ball, FUNCTION = cosine_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<=>> (sparsevec, sparsevec_ball) IS 'is the cosine distance from the center at most the radius?';

CREATE FUNCTION l1_within(sparsevec, sparsevec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'sparsevec_l1_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION l1_within(sparsevec, sparsevec_ball) IS 'implementation of <<+>> operator';

CREATE OPERATOR <<+>> (
    LEFTARG = sparsevec, RIGHTARG = sparsevec_ball, FUNCTION = l1_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<+>> (sparsevec, sparsevec_ball) IS 'is the taxicab distance from the center at most the radius?';

CREATE FUNCTION hamming_within(bit, bit_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bit_hamming_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hamming_within(bit, bit_ball) IS 'implementation of <<~>> operator';

CREATE OPERATOR <<~>> (
    LEFTARG = bit, RIGHTARG = bit_ball, FUNCTION = hamming_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<~>> (bit, bit_ball) IS 'is the Hamming distance from the center at most the radius?';

CREATE FUNCTION jaccard_within(bit, bit_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bit_jaccard_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION jaccard_within(bit, bit_ball) IS 'implementation of <<%>> operator';

CREATE OPERATOR <<%>> (
    LEFTARG = bit, RIGHTARG = bit_ball, FUNCTION = jaccard_within,
    RESTRICT = contsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <<%>> (bit, bit_ball) IS 'is the Jaccard distance from the center at most the radius?';

CREATE FUNCTION vectorext_within(vector, vector, double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $1 <<->> ROW($2, $3)::vector_ball;

COMMENT ON FUNCTION vectorext_within(vector, vector, double precision) IS 'is the Euclidean distance at most so much?';

CREATE FUNCTION vectorext_within(halfvec, halfvec, double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $1 <<->> ROW($2, $3)::halfvec_ball;

COMMENT ON FUNCTION vectorext_within(halfvec, halfvec, double precision) IS 'is the Euclidean distance at most so much?';

CREATE FUNCTION vectorext_within(sparsevec, sparsevec, double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN $1 <<->> ROW($2, $3)::sparsevec_ball;

COMMENT ON FUNCTION vectorext_within(sparsevec, sparsevec, double precision) IS 'is the Euclidean distance at most so much?';

ALTER OPERATOR FAMILY vector_l2_ops USING hnsw ADD
    OPERATOR 2 <<->> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_ip_ops USING hnsw ADD
    OPERATOR 2 <<#>> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_cosine_ops USING hnsw ADD
    OPERATOR 2 <<=>> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_l1_ops USING hnsw ADD
    OPERATOR 2 <<+>> (vector, vector_ball);

ALTER OPERATOR FAMILY halfvec_l2_ops USING hnsw ADD
    OPERATOR 2 <<->> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_ip_ops USING hnsw ADD
    OPERATOR 2 <<#>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_cosine_ops USING hnsw ADD
    OPERATOR 2 <<=>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_l1_ops USING hnsw ADD
    OPERATOR 2 <<+>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY sparsevec_l2_ops USING hnsw ADD
    OPERATOR 2 <<->> (sparsevec, sparsevec_ball);

ALTER OPERATOR FAMILY sparsevec_ip_ops USING hnsw ADD
    OPERATOR 2 <<#>> (sparsevec, sparsevec_ball);

ALTER OPERATOR FAMILY sparsevec_cosine_ops USING hnsw ADD
    OPERATOR 2 <<=>> (sparsevec, sparsevec_ball);

ALTER OPERATOR FAMILY sparsevec_l1_ops USING hnsw ADD
    OPERATOR 2 <<+>> (sparsevec, sparsevec_ball);

ALTER OPERATOR FAMILY bit_hamming_ops USING hnsw ADD
    OPERATOR 2 <<~>> (bit, bit_ball);

ALTER OPERATOR FAMILY bit_jaccard_ops USING hnsw ADD
    OPERATOR 2 <<%>> (bit, bit_ball);

ALTER OPERATOR FAMILY vector_l2_ops USING ivfflat ADD
    OPERATOR 2 <<->> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_ip_ops USING ivfflat ADD
    OPERATOR 2 <<#>> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_cosine_ops USING ivfflat ADD
    OPERATOR 2 <<=>> (vector, vector_ball);

ALTER OPERATOR FAMILY vector_l1_ops USING ivfflat ADD
    OPERATOR 2 <<+>> (vector, vector_ball);

ALTER OPERATOR FAMILY halfvec_l2_ops USING ivfflat ADD
    OPERATOR 2 <<->> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_ip_ops USING ivfflat ADD
    OPERATOR 2 <<#>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_cosine_ops USING ivfflat ADD
    OPERATOR 2 <<=>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY halfvec_l1_ops USING ivfflat ADD
    OPERATOR 2 <<+>> (halfvec, halfvec_ball);

ALTER OPERATOR FAMILY bit_hamming_ops USING ivfflat ADD
    OPERATOR 2 <<~>> (bit, bit_ball);

ALTER OPERATOR FAMILY bit_jaccard_ops USING ivfflat ADD
    OPERATOR 2 <<%>> (bit, bit_ball);

-- ---- inspection ---------------------------------------------------------------------------------

CREATE FUNCTION vectorext_index_stats(index regclass, OUT name text, OUT value text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 30 COST 1000;
COMMENT ON FUNCTION vectorext_index_stats(regclass) IS 'what an index holds, what its parts take, and a fingerprint of its graph';

CREATE FUNCTION vectorext_index_check(index regclass, heapallindexed boolean DEFAULT false,
	OUT severity text, OUT block bigint, OUT slot integer, OUT message text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 COST 10000;
COMMENT ON FUNCTION vectorext_index_check(regclass, boolean) IS 'whether an hnsw or ivfflat index is what it should be; by heapallindexed also that it has all rows of its table';

CREATE FUNCTION vectorext_index_assert(index regclass, heapallindexed boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED COST 10000;
COMMENT ON FUNCTION vectorext_index_assert(regclass, boolean) IS 'an error unless vectorext_index_check finds none';

CREATE FUNCTION vectorext_recall(index regclass, k integer DEFAULT 10, samples integer DEFAULT 100,
	OUT recall double precision, OUT low double precision, OUT high double precision, OUT p50_ms double precision, OUT p99_ms double precision,
	OUT setting text, OUT value integer, OUT queries integer, OUT rows bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT PARALLEL UNSAFE ROWS 1 COST 1000000;
COMMENT ON FUNCTION vectorext_recall(regclass, integer, integer) IS 'share of the k nearest that an index finds, measured on rows of its table, and how long that takes';

CREATE FUNCTION vectorext_advise("table" regclass, "column" name, opclass name DEFAULT NULL, trial_rows integer DEFAULT 10000,
	OUT place integer, OUT method text, OUT options text, OUT setting text, OUT recall double precision, OUT p50_ms double precision,
	OUT index_bytes bigint, OUT build_seconds double precision, OUT build_memory bigint, OUT sql text, OUT note text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C PARALLEL UNSAFE ROWS 4 COST 1000000;
COMMENT ON FUNCTION vectorext_advise(regclass, name, name, integer) IS 'which indexes fit a column: tried on a sample of its rows, with the SQL to run';

CREATE FUNCTION vectorext_calibrate(index regclass, OUT setting text, OUT value integer, OUT recall double precision) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION vectorext_calibrate(regclass) IS 'measures anew the recall at each ef_search or number of probes, for hnsw.recall_target and ivfflat.recall_target';

CREATE FUNCTION vectorext_prewarm(index regclass, OUT part text, OUT pages bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 3 COST 100000;
COMMENT ON FUNCTION vectorext_prewarm(regclass) IS 'reads an index into shared buffers, what searches need first before the rest';

CREATE FUNCTION vectorext_last_scan(OUT index regclass, OUT visited bigint, OUT scored bigint, OUT rechecked bigint, OUT returned bigint, OUT batches bigint)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION vectorext_last_scan() IS 'what the last search of this session through an hnsw or ivfflat index did';

CREATE FUNCTION vectorext_search_counts(index regclass, OUT searches bigint, OUT visited bigint, OUT scored bigint, OUT rechecked bigint,
		OUT returned bigint, OUT batches bigint)
	RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION vectorext_search_counts(regclass) IS 'what all searches through an index did since the server started; no row unless the library is in shared_preload_libraries';

CREATE VIEW vectorext_indexes AS
	SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS "table", m.amname AS method, o.opcname AS opclass,
		c.reloptions AS options, i.indisvalid AS valid, pg_relation_size(c.oid) AS bytes, c.reltuples::bigint AS rows,
		pg_stat_get_numscans(c.oid) AS scans, pg_stat_get_tuples_returned(c.oid) AS tuples_read,
		pg_stat_get_tuples_fetched(c.oid) AS tuples_fetched, pg_stat_get_blocks_fetched(c.oid) AS blocks_read,
		pg_stat_get_blocks_hit(c.oid) AS blocks_hit, s.searches, s.visited, s.scored, s.rechecked,
		s.rechecked / nullif(s.searches, 0)::double precision AS rechecked_per_search
	FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
		JOIN pg_opclass o ON o.oid = i.indclass[0] LEFT JOIN LATERAL vectorext_search_counts(c.oid) s ON true
	WHERE c.relkind = 'i' AND m.amname IN ('hnsw', 'ivfflat');
COMMENT ON VIEW vectorext_indexes IS 'all hnsw and ivfflat indexes of the database, with their sizes and what was counted';
GRANT SELECT ON vectorext_indexes TO PUBLIC;

-- ---- results of several searches ----------------------------------------------------------------

CREATE FUNCTION rrf_score(rank bigint, k integer DEFAULT 60) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rrf_score(bigint, integer) IS '1 / (k + rank), and 0 without a rank: a share of reciprocal rank fusion';

CREATE FUNCTION rrf(VARIADIC ranks bigint[]) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rrf(bigint[]) IS 'reciprocal rank fusion: the sum of 1 / (60 + rank) over the ranks that are not null';

CREATE FUNCTION mmr(query vector, candidates vector[], k integer, lambda double precision DEFAULT 0.5) RETURNS integer[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmr(vector, vector[], integer, double precision) IS 'places of k candidates that are near the query and unlike each other (maximal marginal relevance)';

-- ---- shards -------------------------------------------------------------------------------------

CREATE FUNCTION vectorext_shard_query("table" regclass, columns name[], distance text, rows integer, condition text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN (SELECT CASE WHEN count(*) > 0 THEN format(E'SELECT %s, distance FROM (\n%s\n) s ORDER BY distance + 0 LIMIT %s',
			(SELECT string_agg(format('%I', c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS u(c, n)),
			string_agg(format('    (SELECT %s, %s AS distance FROM %I.%I%s ORDER BY %s LIMIT %s)',
				(SELECT string_agg(format('%I', c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS u(c, n)),
				distance, s.nspname, c.relname, ' WHERE ' || condition, distance, rows), E'\n    UNION ALL\n' ORDER BY c.oid),
			rows) END
		FROM pg_partition_tree("table") p JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE p.isleaf AND distance IS NOT NULL AND rows IS NOT NULL AND cardinality(columns) > 0);
COMMENT ON FUNCTION vectorext_shard_query(regclass, name[], text, integer, text) IS 'a search of a partitioned table whose every part has an order and a limit of its own, as SQL';
