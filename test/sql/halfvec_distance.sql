SELECT l2_distance('[0,0]'::halfvec, '[3,4]'), '[0,0]'::halfvec <-> '[3,4]' AS op, halfvec_l2_squared_distance('[0,0]', '[3,4]') AS squared;
SELECT inner_product('[1,2]'::halfvec, '[3,4]'), '[1,2]'::halfvec <#> '[3,4]' AS op, halfvec_negative_inner_product('[1,2]', '[3,4]') AS negative;
SELECT cosine_distance('[1,2]'::halfvec, '[2,4]'), '[1,1]'::halfvec <=> '[-1,-1]' AS op, '[1,0]'::halfvec <=> '[0,2]' AS right_angle;
SELECT l1_distance('[0,0]'::halfvec, '[3,-4]'), '[1,2]'::halfvec <+> '[2,4]' AS op;
SELECT halfvec_spherical_distance('[1,0]', '[0,1]') AS quarter, halfvec_spherical_distance('[1,0]', '[-1,0]') AS half,
    halfvec_spherical_distance('[2,2]', '[2,2]') AS kept_in_range;
SELECT cosine_distance('[1,2]'::halfvec, '[0,0]'), '[0,0]'::halfvec <=> '[0,0]' AS both_zero,
    cosine_distance('[1.1,1.1]'::halfvec, '[1.1,1.1]') >= 0 AS not_negative;
-- The widest range of halves stays in that of floats.
SELECT l2_distance('[65504]'::halfvec, '[-65504]'), inner_product('[65504]'::halfvec, '[65504]'), l1_distance('[65504]'::halfvec, '[-65504]'),
    cosine_distance('[65504]'::halfvec, '[65504]'), l2_distance('[6e-8]'::halfvec, '[0]') > 0 AS smallest;
SELECT '[1]'::halfvec <-> NULL AS l2, NULL::halfvec <=> '[1]' AS cosine;

-- Small integers: exact, and the same as for vector, at every length.
SELECT n, l2_distance(a, b), inner_product(a, b), l1_distance(a, b), halfvec_l2_squared_distance(a, b) AS squared,
    l2_distance(a, b) = l2_distance(a::vector, b::vector) AND inner_product(a, b) = inner_product(a::vector, b::vector)
    AND l1_distance(a, b) = l1_distance(a::vector, b::vector) AND cosine_distance(a, b) = cosine_distance(a::vector, b::vector) AS like_vector
FROM (SELECT n, array_agg(i % 5)::halfvec AS a, array_agg(i % 5 + i % 2 + 1)::halfvec AS b
      FROM unnest('{1,2,3,4,5,7,8,9,15,16,17,31,33,63,64,65,127,129}'::int[]) n, generate_series(1, n) i
      GROUP BY n) s ORDER BY n;
-- Against a plain computation in double precision.
SELECT n, abs(l2_distance(a, b) - sqrt(l2)) < 1e-5 * sqrt(l2) AS l2, abs(inner_product(a, b) - ip) < 1e-5 * n AS ip,
    abs(l1_distance(a, b) - l1) < 1e-5 * l1 AS l1, abs(cosine_distance(a, b) - (1 - ip / sqrt(aa * bb))) < 1e-5 AS cosine,
    abs(l2_norm(a) - sqrt(aa)) < 1e-6 * sqrt(aa) AS norm
FROM (SELECT n, array_agg(x)::halfvec AS a, array_agg(y)::halfvec AS b, sum((x - y) ^ 2) AS l2, sum(x * y) AS ip,
          sum(abs(x - y)) AS l1, sum(x * x) AS aa, sum(y * y) AS bb
      FROM (SELECT n, (ARRAY[sin(i * 1.7)]::halfvec::real[])[1]::float8 AS x, (ARRAY[cos(i * 2.3 + 1)]::halfvec::real[])[1]::float8 AS y
            FROM unnest('{1,3,13,47,333,1536,16000}'::int[]) n, generate_series(1, n) i) e
      GROUP BY n) s ORDER BY n;

-- Every set of kernels.
CREATE TABLE pairs AS SELECT n, array_agg(i % 5 - 2 ORDER BY i)::halfvec AS a, array_agg(i % 3 ORDER BY i)::halfvec AS b
    FROM unnest('{1,9,31,1000}'::int[]) n, generate_series(1, n) i GROUP BY n;
SELECT 'SELECT n, a <-> b AS l2, a <#> b AS ip, a <+> b AS l1, round((a <=> b)::numeric, 5) AS cosine FROM pairs ORDER BY n' AS query \gset
:query;
SET vectorext.simd = baseline;
:query;
SET vectorext.simd = scalar;
:query;
RESET vectorext.simd;

-- Stored values, short and out of line.
CREATE TABLE stored (h halfvec);
INSERT INTO stored SELECT array_fill(3, ARRAY[n])::halfvec FROM unnest('{1,59,60,2100,16000}'::int[]) n;
SELECT vector_dims(h), h <-> h AS l2, h <=> h AS cosine, h <#> h AS ip, h <+> array_fill(0, ARRAY[vector_dims(h)])::halfvec AS l1 FROM stored ORDER BY 1;

DROP TABLE pairs, stored;
