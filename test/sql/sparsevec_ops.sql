-- Arithmetic: what becomes zero is dropped.
SELECT '{1:1,3:3}/4'::sparsevec + '{1:-1,2:2,3:0.5}/4', '{1:1,3:3}/4'::sparsevec - '{1:1,2:2,4:-4}/4', '{1:2,3:3}/4'::sparsevec * '{1:-1,2:2,3:0.5}/4';
SELECT '{}/3'::sparsevec + '{}/3', '{}/3'::sparsevec - '{2:1}/3', '{1:1}/3'::sparsevec * '{2:1}/3', '{1:1}/1000000000'::sparsevec + '{1000000000:1}/1000000000' AS wide;
SELECT '{1:1}/2'::sparsevec + NULL AS null_sum, '[1,0,2]'::vector + '{1:1,2:1}/3'::sparsevec AS with_vector, '[1,0,2]'::halfvec * '{1:4}/3'::sparsevec AS with_halfvec;
-- Like vector, on numbers of many forms.
CREATE TABLE pairs AS SELECT n, array_agg(CASE WHEN i * 7 % 5 < 2 THEN i % 11 - 5 ELSE 0 END ORDER BY i)::vector AS a,
    array_agg(CASE WHEN i * 3 % 7 < 3 THEN i % 13 - 6 ELSE 0 END ORDER BY i)::vector AS b
    FROM unnest('{1,2,3,7,20,100,1000}'::int[]) n, generate_series(1, n) i GROUP BY n;
SELECT n, (a::sparsevec + b::sparsevec)::vector = a + b AS add, (a::sparsevec - b::sparsevec)::vector = a - b AS sub,
    (a::sparsevec * b::sparsevec)::vector = a * b AS mul, a::sparsevec + b::sparsevec = (a + b)::sparsevec AS without_zeros FROM pairs ORDER BY n;

-- Distances, by function and by operator.
SELECT l2_distance('{}/2'::sparsevec, '{1:3,2:4}/2'), '{1:3}/3'::sparsevec <-> '{3:4}/3' AS op, sparsevec_l2_squared_distance('{1:3}/3', '{3:4}/3') AS squared;
SELECT inner_product('{1:1,2:2}/3'::sparsevec, '{2:4,3:5}/3'), '{1:1,2:2}/3'::sparsevec <#> '{2:4,3:5}/3' AS op, sparsevec_negative_inner_product('{1:1}/2', '{2:1}/2') AS none;
SELECT cosine_distance('{1:1,2:2}/3'::sparsevec, '{1:2,2:4}/3'), '{1:1}/2'::sparsevec <=> '{2:1}/2' AS op, '{1:1}/2'::sparsevec <=> '{1:-2}/2' AS opposite,
    '{}/2'::sparsevec <=> '{1:1}/2' AS zero, '{}/2'::sparsevec <=> '{}/2' AS both_zero;
SELECT l1_distance('{1:1,3:-3}/4'::sparsevec, '{1:3,2:-4}/4'), '{1:1}/2'::sparsevec <+> '{2:1}/2' AS op;
SELECT l2_distance('{1:3e38}/1'::sparsevec, '{1:-3e38}/1'), inner_product('{1:1e20}/1'::sparsevec, '{1:1e20}/1'), '{1:1}/1'::sparsevec <-> NULL AS nothing;
SELECT n, a <-> b AS l2, (a::sparsevec <-> b::sparsevec) = (a <-> b) AS same_l2, (a::sparsevec <#> b::sparsevec) = (a <#> b) AS same_ip,
    (a::sparsevec <+> b::sparsevec) = (a <+> b) AS same_l1, (a::sparsevec <=> b::sparsevec) IS NOT DISTINCT FROM (a <=> b) AS same_cosine,
    l2_norm(a::sparsevec) = vector_norm(a) AS same_norm FROM pairs ORDER BY n;

-- Functions of one.
SELECT l2_norm('{1:3,5:4}/9'::sparsevec), l2_norm('{}/9'::sparsevec) AS none, l2_norm('{1:3e38,2:4e37}/2'::sparsevec) > 3e38 AS big;
SELECT l2_normalize('{1:3,5:4}/9'::sparsevec), l2_normalize('{}/9'::sparsevec), l2_normalize('{2:1e-45}/2'::sparsevec), l2_normalize('{1:3e38,2:1e-45}/2'::sparsevec) AS drops;

-- Comparison: as if the zeros were there, then the number of dimensions.
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, sparsevec_cmp(a, b) AS cmp
FROM (VALUES ('{1:1}/3'::sparsevec, '{1:1}/3'::sparsevec), ('{1:1}/3', '{1:2}/3'), ('{1:1}/3', '{2:1}/3'), ('{1:-1}/3', '{2:1}/3'), ('{2:1}/3', '{1:-1}/3'),
             ('{1:1}/3', '{1:1,3:1}/3'), ('{1:1,3:-1}/3', '{1:1}/3'), ('{}/3', '{}/4'), ('{}/4', '{4:1}/4'), ('{}/3', '{4:1}/4'), ('{}/3', '{4:-1}/4'),
             ('{4:-1}/4', '{}/3'), ('{3:1}/3', '{4:1}/4'), ('{1:1,2:2}/2', '{1:1,2:2}/3')) t(a, b);
SELECT count(*) AS pairs, bool_and(vector_cmp(a, b) = sparsevec_cmp(a, b) AND vector_cmp(b, a) = sparsevec_cmp(b, a)) AS like_vector
FROM (SELECT ('[' || array_to_string(x, ',') || ']')::vector AS a FROM (SELECT ARRAY[i, j, k] AS x FROM generate_series(-1, 1) i, generate_series(-1, 1) j, generate_series(-1, 1) k
      UNION ALL SELECT ARRAY[i, j] FROM generate_series(-1, 1) i, generate_series(-1, 1) j UNION ALL SELECT ARRAY[i] FROM generate_series(-1, 1) i) s) l,
     (SELECT ('[' || array_to_string(x, ',') || ']')::vector AS b FROM (SELECT ARRAY[i, j, k] AS x FROM generate_series(-1, 1) i, generate_series(-1, 1) j, generate_series(-1, 1) k
      UNION ALL SELECT ARRAY[i, j] FROM generate_series(-1, 1) i, generate_series(-1, 1) j UNION ALL SELECT ARRAY[i] FROM generate_series(-1, 1) i) s) r;
CREATE TABLE items AS SELECT i, format('{%s:%s,%s:1}/30', i % 7 + 1, i % 3 - 1, i % 11 + 10)::sparsevec AS s FROM generate_series(1, 500) i;
CREATE INDEX items_s ON items (s);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS off) SELECT i FROM items WHERE s = '{1:1,18:1}/30';
SELECT i, s FROM items WHERE s = '{1:1,18:1}/30' ORDER BY i;
SELECT DISTINCT s FROM items WHERE s > '{1:1,13:1}/30' ORDER BY s;
RESET ALL;
SELECT count(DISTINCT s), count(*) FILTER (WHERE s = s::vector::sparsevec) AS dense_and_back FROM items;
SELECT opcname, opcdefault FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod WHERE opcname = 'sparsevec_ops' AND amname = 'btree' AND amvalidate(c.oid);

-- Casts.
SELECT '[1,0,-2.5]'::vector::sparsevec, '[0,0,6e-8]'::halfvec::sparsevec, '{1:1,3:-2.5}/3'::sparsevec::vector, '{1:1,3:0.1}/3'::sparsevec::halfvec, '{1:1}/3'::sparsevec::sparsevec(3);
SELECT ARRAY[1,0,2]::sparsevec, '{0,-0,1.5}'::real[]::sparsevec, '{0,1e-50,1}'::float8[]::sparsevec, '{0.0,0.1}'::numeric[]::sparsevec, ARRAY[0]::sparsevec;
SELECT '{1:70000,2:1e-10}/2'::sparsevec::vector, '{1:1e-10}/2'::sparsevec::halfvec AS underflows;
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast WHERE 'sparsevec'::regtype IN (castsource, casttarget)
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT oprname, proname, oprresult::regtype, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin
FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode WHERE oprleft = 'sparsevec'::regtype AND oprright = 'sparsevec'::regtype ORDER BY oprname COLLATE "C";

DROP TABLE pairs, items;
