-- Distances, by function and by operator.
SELECT l2_distance('[0,0]'::vector, '[3,4]'), '[0,0]'::vector <-> '[3,4]' AS op, vector_l2_squared_distance('[0,0]', '[3,4]') AS squared;
SELECT inner_product('[1,2]'::vector, '[3,4]'), '[1,2]'::vector <#> '[3,4]' AS op, vector_negative_inner_product('[1,2]', '[3,4]') AS negative;
SELECT cosine_distance('[1,2]'::vector, '[2,4]'), '[1,1]'::vector <=> '[-1,-1]' AS op, '[1,0]'::vector <=> '[0,2]' AS right_angle;
SELECT l1_distance('[0,0]'::vector, '[3,-4]'), '[1,2]'::vector <+> '[2,4]' AS op;
SELECT vector_spherical_distance('[1,0]', '[0,1]') AS quarter, vector_spherical_distance('[1,0]', '[-1,0]') AS half,
    vector_spherical_distance('[1,0]', '[1,0]') AS none, vector_spherical_distance('[2,2]', '[2,2]') AS kept_in_range,
    vector_spherical_distance('[-2,2]', '[2,-2]') AS kept_in_range_too;

-- Zero vectors have no direction; nothing is less than 0 or more than 2.
SELECT cosine_distance('[1,2]'::vector, '[0,0]'), '[0,0]'::vector <=> '[0,0]' AS both_zero, cosine_distance('[1e-30]'::vector, '[1e-30]') AS norm_underflows;
SELECT cosine_distance('[1.1,1.1]'::vector, '[1.1,1.1]') >= 0 AS not_negative, cosine_distance('[1.1,1.1]'::vector, '[-1.1,-1.1]') <= 2 AS at_most_2;

-- Beyond the range of a float: infinity as a distance, no error.
SELECT l2_distance('[3e38]'::vector, '[-3e38]'), inner_product('[1e20]'::vector, '[1e20]'), '[1e20]'::vector <#> '[1e20]' AS op,
    cosine_distance('[3e38]'::vector, '[3e38]'), l1_distance('[3e38]'::vector, '[-3e38]');
SELECT l2_distance('[1e-30]'::vector, '[0]') AS square_underflows, inner_product('[0]'::vector, '[-1]') AS zero;

-- Small integers give exact results at every length.
SELECT n, l2_distance(a, b), inner_product(a, b), l1_distance(a, b), vector_l2_squared_distance(a, b) AS squared,
    round(cosine_distance(a, b)::numeric, 6) AS cosine
FROM (SELECT n, array_agg(i % 5)::vector AS a, array_agg(i % 5 + 2)::vector AS b
      FROM unnest('{1,2,3,4,5,7,8,9,15,16,17,29,30,31,32,33,63,64,65,127,129,1000,16000}'::int[]) n, generate_series(1, n) i
      GROUP BY n) s ORDER BY n;

-- Against a plain computation in double precision.
SELECT n, abs(l2_distance(a, b) - sqrt(l2)) < 1e-5 * sqrt(l2) AS l2, abs(inner_product(a, b) - ip) < 1e-5 * n AS ip,
    abs(l1_distance(a, b) - l1) < 1e-5 * l1 AS l1, abs(cosine_distance(a, b) - (1 - ip / sqrt(aa * bb))) < 1e-5 AS cosine,
    abs(vector_norm(a) - sqrt(aa)) < 1e-6 * sqrt(aa) AS norm
FROM (SELECT n, array_agg(x)::vector AS a, array_agg(y)::vector AS b, sum((x - y) ^ 2) AS l2, sum(x * y) AS ip,
          sum(abs(x - y)) AS l1, sum(x * x) AS aa, sum(y * y) AS bb
      FROM (SELECT n, sin(i * 1.7)::real::float8 AS x, cos(i * 2.3 + 1)::real::float8 AS y
            FROM unnest('{1,3,13,47,333,1536,16000}'::int[]) n, generate_series(1, n) i) e
      GROUP BY n) s ORDER BY n;

-- Stored values, short and out of line, give what literals give.
CREATE TABLE stored (v vector);
INSERT INTO stored SELECT array_fill(3, ARRAY[n])::vector FROM unnest('{1,3,29,30,600,2100}'::int[]) n;
SELECT vector_dims(v), v <-> v AS l2, v <=> v AS cosine, v <#> v AS ip, v <+> array_fill(0, ARRAY[vector_dims(v)])::vector AS l1
FROM stored ORDER BY 1;
SELECT v FROM stored WHERE vector_dims(v) = 3 ORDER BY v <-> '[1,2,3]' LIMIT 1;

-- NULL in, NULL out.
SELECT '[1]'::vector <-> NULL AS l2, NULL::vector <#> '[1]' AS ip, cosine_distance(NULL, '[1]'::vector) AS cosine;

DROP TABLE stored;
