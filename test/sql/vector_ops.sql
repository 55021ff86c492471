-- Arithmetic.
SELECT '[1,2,3]'::vector + '[4,5,6.5]', '[1,2,3]'::vector - '[4,5,6.5]', '[1,2,3]'::vector * '[4,5,6.5]';
SELECT '[1,2]'::vector || '[3]', '[0]'::vector || '[-0]';
SELECT '[-0,0,1e-45]'::vector + '[-0,-0,1e-45]', '[0,0]'::vector * '[-1,3e38]', '[1e-45]'::vector * '[0.6]';
SELECT '[3e38]'::vector + '[0.4e38]', '[3e38]'::vector - '[-0.4e38]', '[1e20]'::vector * '[1e18]';
SELECT vector_dims(array_fill(1, ARRAY[8000])::vector || array_fill(2, ARRAY[8000])::vector);
SELECT '[1,2]'::vector + NULL AS add_null, NULL::vector || '[1]' AS concat_null;

-- Lengths around those of the vector registers.
SELECT n, a + b = array_fill(3.75, ARRAY[n])::vector AS add, a - b = array_fill(-1.25, ARRAY[n])::vector AS sub,
    a * b = array_fill(3.125, ARRAY[n])::vector AS mul, a || b > a AS concat,
    subvector(a || b, n + 1, n) = b AS second_half
FROM (SELECT n, array_fill(1.25, ARRAY[n])::vector AS a, array_fill(2.5, ARRAY[n])::vector AS b
      FROM unnest('{1,2,3,4,5,7,8,9,15,16,17,31,33,63,65,1000}'::int[]) n) s ORDER BY n;

-- Comparison: elements first, then the number of dimensions.
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, vector_cmp(a, b) AS cmp
FROM (VALUES ('[1,2,3]'::vector, '[1,2,3]'::vector), ('[1,2,3]', '[1,2,4]'), ('[1,2,4]', '[1,2,3]'),
             ('[1,2]', '[1,2,3]'), ('[1,2,3]', '[1,2]'), ('[2]', '[1,9]'), ('[1,9]', '[2]'),
             ('[0]', '[-0]'), ('[-1]', '[1]'), ('[-1e-45]', '[0]')) t(a, b);

-- Dimensions, norm, normalizing.
SELECT vector_dims('[1,2,3]'::vector), vector_norm('[3,4]'), vector_norm('[0,0]'), vector_norm('[3e38,4e37]') > 3e38 AS big_norm,
    vector_norm('[3e-30,4e-30]')::real AS small_norm;
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[0,-0,0]'::vector), l2_normalize('[3e38]'::vector), l2_normalize('[1e-45,0]'::vector),
    l2_normalize('[-2]'::vector);
SELECT vector_dims(v), abs(vector_norm(l2_normalize(v)) - 1) < 1e-6 AS unit
FROM (SELECT array_agg(sin(i))::vector AS v FROM generate_series(1, 1000) i) s;

-- Parts of vectors, counted as substring counts.
SELECT first, count, subvector('[1,2,3,4,5]'::vector, first, count)
FROM (VALUES (1, 3), (3, 2), (3, 9), (-1, 3), (0, 2), (5, 1), (5, 2147483647), (1, 5)) t(first, count);

-- One bit per element.
SELECT binary_quantize('[1,0,-1]'::vector), binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::vector),
    binary_quantize('[-0,1e-45,-1e-45]'::vector), binary_quantize('[1,1,1,1,1,1,1,1]'::vector);
SELECT length(binary_quantize(v)), bit_count(binary_quantize(v))
FROM (SELECT array_agg(i % 3 - 1)::vector AS v FROM generate_series(1, 16000) i) s;

-- The operators as the catalog has them.
SELECT oprname, proname, oprresult::regtype, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin
FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode WHERE oprleft = 'vector'::regtype AND oprright = 'vector'::regtype ORDER BY oprname COLLATE "C";
