-- Beyond pgvector: multiplication and division by a number, l2_norm, elements and slices; for vector and halfvec alike.
SELECT '[1,2,-3]'::vector * 2 AS by_int, '[1,2,-3]'::vector * 0.5 AS by_numeric, 2.5::float8 * '[1,2]'::vector AS left, '[1,2]'::vector / 4 AS divided, 2::real * '[1]'::vector AS by_real;
SELECT '[1,2,-3]'::halfvec * 2 AS by_int, '[1,2,-3]'::halfvec * 0.5 AS by_numeric, 2.5::float8 * '[1,2]'::halfvec AS left, '[1,2]'::halfvec / 4 AS divided, 2::bigint * '[1]'::halfvec AS by_bigint;
SELECT pg_typeof('[1]'::vector * 2), pg_typeof(2 * '[1]'::halfvec), pg_typeof('[1]'::vector * '[1]'::vector), pg_typeof('[1]'::vector * '[2]'), '[1,2]'::vector * '[3,4]' AS by_literal;
SELECT '[0.1,0.2,0.3]'::vector / 3 AS rounded_once, '[1,0,-0]'::vector * 0 AS zero, '[1,-1]'::vector * -0.0::float8 AS minus_zero, '[0]'::vector / -5 AS none,
    '[3e38]'::vector * 1.1 / 1.1 IS NULL AS never;
SELECT '[3e38]'::vector / 2 AS half, '[1e-45]'::vector * 1e38::float8 AS small, '[65504]'::halfvec / 65504 AS one, '[1,2]'::vector * NULL AS nothing, '[1,2]'::vector / NULL AS nothing_either;
SELECT sum(v * w) / sum(w) AS weighted_mean FROM (VALUES ('[1,2]'::vector, 1.0::float8), ('[4,8]', 2)) t(v, w);
SELECT n, array_fill(3, ARRAY[n])::vector * 0.5 = array_fill(1.5, ARRAY[n])::vector AS mul, array_fill(3, ARRAY[n])::halfvec / 2 = array_fill(1.5, ARRAY[n])::halfvec AS div
FROM unnest('{1,7,8,100,16000}'::int[]) n;
SELECT '[1e20]'::vector * 1e20;
SELECT '[1e-30]'::vector * 1e-30;
SELECT '[65504]'::halfvec * 2;
SELECT '[1e-7]'::halfvec / 100;
SELECT '[1]'::vector / 0;
SELECT '[1]'::halfvec / -0.0::float8;
SELECT '[1]'::vector * 'NaN'::float8;
SELECT 'Infinity'::float8 * '[1]'::halfvec;
SELECT '[1]'::vector / '-Infinity'::float8;
SELECT 2 / '[1]'::vector;

SELECT l2_norm('[3,4]'::vector), l2_norm('[3,4]'::vector) = vector_norm('[3,4]'::vector) AS same;

-- Elements, counted from 1.
CREATE TABLE stored (id int, v vector, h halfvec);
INSERT INTO stored VALUES (1, '[1.5,-2,0.1]', '[1.5,-2,0.1]'), (2, NULL, NULL), (3, array_fill(0.5, ARRAY[30])::vector, array_fill(0.5, ARRAY[60])::halfvec);
INSERT INTO stored SELECT 4, array_agg(i ORDER BY i)::vector, array_agg(i % 2048 ORDER BY i)::halfvec FROM generate_series(1, 16000) i;
ALTER TABLE stored ALTER v SET STORAGE extended;
INSERT INTO stored SELECT 5, array_agg(i / 100 ORDER BY i)::vector, NULL FROM generate_series(1, 16000) i;
SELECT id, v[1], v[3], v[4], v[0] AS zeroth, v[-1] AS minus_first, v[16000] AS last, v[16001] AS behind, h[1] AS h1, h[3] AS h3, h[60] AS h60, h[16000] AS h16000 FROM stored ORDER BY id;
SELECT i, v[i], v[i + 1] - v[i] AS difference, v[NULL] AS nothing FROM stored, generate_series(2, 16000, 3999) i WHERE id = 4 ORDER BY i;
SELECT ('[1,2,3]'::vector)[2], ('[1,2,3]'::halfvec)[2.4], ('[1,2,3]'::vector)['3'], (ARRAY['[1,2]', '[3,4]']::vector[])[2] AS element_of_array, ((ARRAY['[1,2]', '[3,4]']::vector[])[2])[1];
SELECT pg_typeof(v[1]), pg_typeof(h[1]), pg_typeof(v[1:2]), pg_typeof(h[1:2]) FROM stored WHERE id = 1;
-- Slices: bounds that are left out are the first and the last; an empty one is NULL.
SELECT v[1:2], v[2:], v[:2], v[:], v[0:1] AS from_zero, v[3:9] AS to_nine, v[4:5] AS outside, v[2:1] AS backwards, v[NULL:2] AS null_bound, v[-2147483648:2147483647] AS widest FROM stored WHERE id = 1;
SELECT id, h[2:3], v[15999:], vector_dims(v[2:]) AS dims, v[1:2][1:1] IS NULL AS twice FROM stored ORDER BY id;
SELECT id, h[2:3], v[15999:], vector_dims(v[2:]) AS dims, (v[2:3])[2] AS of_slice, v[2:4] = subvector(v, 2, 3) AS like_subvector FROM stored ORDER BY id;
SELECT v[:2] <-> '[1,1]' AS distance FROM stored WHERE id = 1;
CREATE INDEX ON stored ((v[1]));
CREATE VIEW first_elements AS SELECT id, v[1] AS first, h[:2] AS two, v[id:id + 1] AS some FROM stored;
SELECT regexp_replace(pg_get_viewdef('first_elements'), 'stored\.', '', 'g') AS definition;
SELECT id, first FROM first_elements WHERE first > 1 ORDER BY id;
CREATE DOMAIN unit AS vector(2) CHECK (VALUE[1] >= 0);
SELECT ('[1,2]'::unit)[2];
SELECT '[-1,2]'::unit;
-- Reading only.
UPDATE stored SET v[1] = 2;
UPDATE stored SET h[1:2] = '[1,2]';
INSERT INTO stored (id, v[2]) VALUES (6, 1);
DO $$ DECLARE v vector = '[1,2]'; BEGIN RAISE NOTICE '%', v[2]; v[1] := 3; END $$;
SELECT v[1][1] FROM stored;
SELECT v['x'] FROM stored;
SELECT v[ARRAY[1]] FROM stored;
SELECT ('{1:1}/2'::sparsevec)[1];

DROP VIEW first_elements;
DROP DOMAIN unit;
DROP TABLE stored;
