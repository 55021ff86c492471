-- Arithmetic: computed in single precision, rounded once to a half.
SELECT '[1,2,3]'::halfvec + '[4,5,6.5]', '[1,2,3]'::halfvec - '[4,5,6.5]', '[1,2,3]'::halfvec * '[4,5,6.5]', '[1,2]'::halfvec || '[3]';
SELECT '[2048,65504]'::halfvec + '[1,15]' AS rounded, '[0,-0]'::halfvec + '[-0,-0]' AS zeros, '[6e-8]'::halfvec - '[6e-8]' AS none,
    '[6e-8]'::halfvec * '[0.6]' AS smallest;
SELECT vector_dims(array_fill(1, ARRAY[8000])::halfvec || array_fill(2, ARRAY[8000])::halfvec);
SELECT '[1,2]'::halfvec + NULL AS add_null, NULL::halfvec || '[1]' AS concat_null;
SELECT n, a + b = array_fill(3.75, ARRAY[n])::halfvec AS add, a - b = array_fill(-1.25, ARRAY[n])::halfvec AS sub,
    a * b = array_fill(3.125, ARRAY[n])::halfvec AS mul, subvector(a || b, n + 1, n) = b AS second_half
FROM (SELECT n, array_fill(1.25, ARRAY[n])::halfvec AS a, array_fill(2.5, ARRAY[n])::halfvec AS b
      FROM unnest('{1,7,8,9,15,16,17,31,33,1000}'::int[]) n) s ORDER BY n;

-- Comparison: elements first, then the number of dimensions.
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, halfvec_cmp(a, b) AS cmp
FROM (VALUES ('[1,2,3]'::halfvec, '[1,2,3]'::halfvec), ('[1,2,3]', '[1,2,4]'), ('[1,2]', '[1,2,3]'), ('[1,2,3]', '[1,2]'), ('[2]', '[1,9]'),
             ('[0]', '[-0]'), ('[-1]', '[1]'), ('[-6e-8]', '[0]'), ('[-2]', '[-1]')) t(a, b);

-- Functions of one.
SELECT vector_dims('[1,2,3]'::halfvec), l2_norm('[3,4]'::halfvec), l2_norm('[0,0]'::halfvec) AS none, l2_norm('[65504,65504]'::halfvec)::int AS big;
SELECT l2_normalize('[3,4]'::halfvec), l2_normalize('[0,-0]'::halfvec), l2_normalize('[65504]'::halfvec), l2_normalize('[6e-8,0]'::halfvec);
SELECT first, count, subvector('[1,2,3,4,5]'::halfvec, first, count) FROM (VALUES (1, 3), (3, 9), (-1, 3), (5, 2147483647)) t(first, count);
SELECT binary_quantize('[1,0,-1]'::halfvec), binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::halfvec),
    binary_quantize('[-0,6e-8,-6e-8]'::halfvec);

-- Casts: vector to halfvec is implicit and rounds, the way back is exact.
SELECT '[1,2.0009766,-0]'::vector::halfvec AS rounded, '[0.1]'::vector::halfvec::vector AS back, '[1,2]'::vector::halfvec(2), '[1,2]'::halfvec::halfvec(2);
SELECT ARRAY[1, -2, 65504]::halfvec, '{1.5,-0,6e-8}'::real[]::halfvec, '{0.1,1e-30}'::float8[]::halfvec, '{0.1,-1e-30}'::numeric[]::halfvec;
SELECT '[1,2.5]'::halfvec::real[], ('[1,2]'::vector + '[1,2]'::halfvec) AS as_halves, pg_typeof('[1]'::vector + '[1]'::halfvec), pg_typeof('[1]'::vector <-> '[1]'::halfvec);
CREATE TABLE mixed (v vector(2), h halfvec(2), a real[]);
INSERT INTO mixed (v, h, a) VALUES ('[1,2]'::halfvec, '[3,4]'::vector, '[5,6]'::halfvec), (ARRAY[1,2], ARRAY[3,4], NULL);
SELECT * FROM mixed;
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
WHERE 'halfvec'::regtype IN (castsource, casttarget) AND castsource::regtype::text !~ 'sparse|bit' AND casttarget::regtype::text !~ 'sparse|bit'
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT n, array_fill(0.1, ARRAY[n])::vector::halfvec = array_fill(0.1, ARRAY[n])::halfvec AS same FROM unnest('{1,7,8,9,16,17,100,16000}'::int[]) n;

-- Aggregates: avg in double precision, sum in halves; partial states are combined.
SELECT avg(h), sum(h) FROM unnest(ARRAY['[1,2,3]', NULL, '[3,5,7.5]']::halfvec[]) h;
SELECT avg(h), sum(h), avg(h) IS NULL AS no_avg FROM unnest('{}'::halfvec[]) h;
SELECT avg(h) FROM unnest(ARRAY['[65504]', '[65504]', '[65504]']::halfvec[]) h;
SELECT avg(h), sum(h) FROM unnest(ARRAY['[2048]', '[1]', '[1]']::halfvec[]) h;
SELECT halfvec_accum('{1,1,2}', '[3,4]'), halfvec_combine('{0}', '{2,3,4}'), halfvec_combine('{1,1,2}', '{2,3,4}'), halfvec_avg('{0}'), halfvec_avg('{2,3,4}');
CREATE TABLE rows AS SELECT i, ARRAY[i % 10, i % 3, -1]::halfvec(3) AS h FROM generate_series(1, 700) i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE rows SET (parallel_workers = 2);
EXPLAIN (COSTS off) SELECT avg(h), sum(h) FROM rows;
SELECT avg(h), sum(subvector(h, 2, 2)) FROM rows;
RESET ALL;

-- btree.
CREATE INDEX rows_h ON rows (h);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT i FROM rows WHERE h = '[1,1,-1]';
SELECT i FROM rows WHERE h = '[1,1,-1]' ORDER BY i LIMIT 3;
SELECT h FROM rows WHERE h > '[9,1]' ORDER BY h DESC LIMIT 2;
RESET ALL;
SELECT count(DISTINCT h) FROM rows;
SELECT opcname, opcdefault FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod WHERE opcname = 'halfvec_ops' AND amname = 'btree' AND amvalidate(c.oid);
SELECT oprname, proname, oprresult::regtype, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin
FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode WHERE oprleft = 'halfvec'::regtype AND oprright = 'halfvec'::regtype ORDER BY oprname COLLATE "C";

DROP TABLE mixed, rows;
