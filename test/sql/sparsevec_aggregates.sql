SELECT avg(s), sum(s) FROM unnest(ARRAY['{1:1,3:3}/5', NULL, '{2:2,3:4}/5']::sparsevec[]) s;
SELECT avg(s), sum(s) FROM unnest(ARRAY['{1:1,3:3}/5', '{1:-1}/5']::sparsevec[]) s;
SELECT avg(s), sum(s) FROM unnest(ARRAY['{}/5', '{}/5']::sparsevec[]) s;
SELECT avg(s) IS NULL AS no_avg, sum(s) IS NULL AS no_sum FROM unnest('{}'::sparsevec[]) s;
-- Both are computed in double precision and rounded once.
SELECT avg(s), sum(s) FROM unnest(ARRAY['{1:16777216}/1', '{1:1}/1', '{1:1}/1']::sparsevec[]) s;
SELECT avg(s) FROM unnest(ARRAY['{1:3e38}/1', '{1:3e38}/1']::sparsevec[]) s;
SELECT sum(s) FROM unnest(ARRAY['{1:3e38}/1', '{1:3e38}/1', '{1:-3e38}/1']::sparsevec[]) s;

-- Against vector, in groups, with windows, and in parallel.
CREATE TABLE items AS SELECT i, i % 4 AS g, format('{%s:%s,%s:1,%s:2}/40', i % 7 + 1, i % 3 + 1, i % 11 + 10, i % 17 + 23)::sparsevec AS s FROM generate_series(1, 1000) i;
SELECT g, count(*), sum(s) = sum(s::vector)::sparsevec AS sum, avg(s) = avg(s::vector)::sparsevec AS avg FROM items GROUP BY g ORDER BY g;
SELECT i, sum(s) OVER (ORDER BY i ROWS 1 PRECEDING), avg(s) OVER (ORDER BY i) FROM items WHERE i <= 3 ORDER BY i;
SELECT sum(s) AS unchanged_input FROM items WHERE i <= 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE items SET (parallel_workers = 2);
EXPLAIN (COSTS off) SELECT avg(s), sum(s) FROM items;
SELECT sum(s), sum(s) = sum(s::vector)::sparsevec AS like_vector, avg(s) = avg(s::vector)::sparsevec AS avg FROM items;
SELECT avg(s), sum(s) FROM items WHERE i < 0;
RESET ALL;
-- Many indices: the state grows by rows that overlap in part.
SELECT sum(s) = sum(v)::sparsevec AS sum, avg(s) = avg(v)::sparsevec AS avg, length(sum(s)::text) AS length
FROM (SELECT v, v::sparsevec AS s FROM (SELECT array_agg((x % (i + 50) = 0)::int ORDER BY x)::vector AS v
      FROM generate_series(1, 100) i, generate_series(1, 9999) x GROUP BY i) a) t;

-- The functions behind them.
SELECT sparsevec_accum('{0,0}', '{2:5}/3'), sparsevec_accum('{1,3,1,5}', '{1:1,2:1}/3'), sparsevec_accum('{1,3}', '{}/3');
SELECT sparsevec_combine('{0,0}', '{0,0}'), sparsevec_combine('{0,0}', '{2,3,1,5}'), sparsevec_combine('{2,3,1,5}', '{0,0}'), sparsevec_combine('{1,3,0,1,2,1}', '{1,3,1,1,2,1}');
SELECT sparsevec_sum('{0,0}') AS none, sparsevec_avg('{0,0}') AS none, sparsevec_sum('{2,3,0,1,2,1}'), sparsevec_avg('{2,3,0,1,2,1}'), sparsevec_avg('{2,3,0,1e-45}') AS underflows;

DROP TABLE items;
