SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]', '[3,5,7.5]']::vector[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]', NULL, '[3,5,7.5]', NULL]::vector[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[7,-0]']::vector[]) v;
SELECT avg(v) IS NULL AS no_avg, sum(v) IS NULL AS no_sum FROM unnest(ARRAY[NULL, NULL]::vector[]) v;
SELECT avg(v) IS NULL AS no_avg, sum(v) IS NULL AS no_sum FROM unnest('{}'::vector[]) v;
-- The average is computed in double precision, the sum in single.
SELECT avg(v) FROM unnest(ARRAY['[3e38]', '[3e38]', '[3e38]']::vector[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[16777216]', '[1]', '[1]']::vector[]) v;

-- Groups, filters, distinct, order, windows.
CREATE TABLE rows AS SELECT i, i % 3 AS g, ARRAY[i, i % 7, -i]::vector(3) AS v FROM generate_series(1, 1000) i;
SELECT g, count(*), avg(v), sum(v), avg(v) FILTER (WHERE i <= 10) AS few, sum(DISTINCT subvector(v, 2, 1)) AS different
FROM rows GROUP BY g ORDER BY g;
SELECT i, sum(v) OVER (ORDER BY i), avg(v) OVER (ORDER BY i),
    sum(v) OVER (ORDER BY i ROWS 1 PRECEDING) AS last_two, avg(v) OVER (ORDER BY i ROWS 1 PRECEDING) AS mean_of_two
FROM rows WHERE i <= 5 ORDER BY i;
-- The rows themselves stay as they were.
SELECT sum(v), (array_agg(v ORDER BY i))[1:3] FROM rows WHERE i <= 100;
SELECT sum(v) AS twice_the_same, sum(v) FROM rows;

-- Parallel: partial states are combined.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE rows SET (parallel_workers = 2);
EXPLAIN (COSTS off) SELECT avg(v), sum(v) FROM rows;
SELECT avg(v), sum(v) FROM rows;
SELECT g, avg(v), sum(v) FROM rows GROUP BY g ORDER BY g;
SELECT avg(v), sum(v) FROM rows WHERE i < 0;
RESET ALL;

-- Values out of line.
CREATE TABLE wide AS SELECT i, array_fill(i, ARRAY[3000])::vector AS v FROM generate_series(1, 5) i;
SELECT avg(v) = array_fill(3, ARRAY[3000])::vector AS avg, sum(v) = array_fill(15, ARRAY[3000])::vector AS sum FROM wide;
SELECT i, avg(v) = v AS avg, sum(v) = v AS sum FROM wide GROUP BY i, v ORDER BY i;

-- The functions behind avg, as functions: arguments are left alone.
SELECT vector_accum('{0}', '[1,2]'), vector_accum('{1,1,2}', '[3,4]'), vector_accum('{5}', '[3]');
SELECT vector_combine('{0}', '{0}'), vector_combine('{0}', '{2,3,4}'), vector_combine('{2,3,4}', '{0}'),
    vector_combine('{1,1,2}', '{2,3,4}');
SELECT vector_avg('{0}'), vector_avg('{0,1}') AS none, vector_avg('{2,3,4}'), vector_avg('{1e300,1}') AS small;
SELECT s, vector_accum(s, '[1]'), s AS unchanged, vector_combine(s, s), s AS still
FROM (SELECT '{1,2}'::float8[] AS s OFFSET 0) t;

DROP TABLE rows, wide;
