-- Distance ranges: balls, their operators, and ORDER BY a distance that a condition bounds.
CREATE TABLE r (id int PRIMARY KEY, v vector(3));
INSERT INTO r SELECT i, ARRAY[i % 50, i / 50, 1]::vector FROM generate_series(0, 2499) i;
INSERT INTO r VALUES (2500, NULL);
CREATE INDEX r_idx ON r USING hnsw (v vector_l2_ops);
ANALYZE r;

-- The operators, without an index.
SELECT id, '[3,4,1]'::vector <<->> vectorext_ball('[0,0,1]'::vector, id) AS l2, '[3,4,1]'::vector <<+>> vectorext_ball('[0,0,1]'::vector, id) AS l1
    FROM generate_series(4, 8) id;
SELECT '[1,2]'::vector <<#>> vectorext_ball('[3,4]'::vector, -11) AS t, '[1,2]'::vector <<#>> vectorext_ball('[3,4]'::vector, -11.5) AS f,
    '[1,0]'::vector <<=>> vectorext_ball('[0,1]'::vector, 1) AS t, '[1,0]'::halfvec <<=>> vectorext_ball('[0,1]'::halfvec, 0.5) AS f,
    '{1:3,2:4}/5'::sparsevec <<->> vectorext_ball('{}/5'::sparsevec, 5) AS t, B'1100' <<~>> vectorext_ball(B'1010', 2) AS t,
    B'1100' <<%>> vectorext_ball(B'1010', 0.5) AS f;
-- NaN is the greatest number; what is not known is not known.
SELECT '[0,0]'::vector <<=>> vectorext_ball('[1,1]'::vector, 2) AS f, '[0,0]'::vector <<=>> vectorext_ball('[1,1]'::vector, 'NaN') AS t,
    '[1,1]'::vector <<->> vectorext_ball('[1,1]'::vector, NULL) AS n, '[1,1]'::vector <<->> vectorext_ball(NULL::vector, 1) AS n,
    vectorext_within('[1,1]'::vector, '[1,1]', 0) AS t;
SELECT '[1,1]'::vector <<->> vectorext_ball('[1,1,1]'::vector, 1);

-- A bound on the distance that orders, written in any way, ends the scan.
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[20,20,1]' < 1.5 ORDER BY v <-> '[20,20,1]'$$);
SELECT id, v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 1.5 ORDER BY v <-> '[20,20,1]', id;
SELECT id, v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 1 ORDER BY v <-> '[20,20,1]';
SELECT count(*) FROM (SELECT id FROM r WHERE 1.5::real >= '[20,20,1]' <-> v ORDER BY v <-> '[20,20,1]') s;
SELECT plan_of($$SELECT id FROM r WHERE 1.5::real >= '[20,20,1]' <-> v ORDER BY v <-> '[20,20,1]'$$);
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[20,20,1]' BETWEEN 0.5 AND 1.5 AND id > 1000 ORDER BY v <-> '[20,20,1]' LIMIT 3$$);
-- Not these: another distance, a lower bound, a bound that changes from row to row.
SET enable_seqscan = off;
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[21,20,1]' < 1.5 ORDER BY v <-> '[20,20,1]'$$);
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[20,20,1]' > 1.5 ORDER BY v <-> '[20,20,1]' LIMIT 1$$);
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[20,20,1]' < id ORDER BY v <-> '[20,20,1]' LIMIT 1$$);
RESET enable_seqscan;
-- Parameters, and a generic plan.
SET plan_cache_mode = force_generic_plan;
PREPARE near(vector, float8) AS SELECT count(*) FROM (SELECT id FROM r WHERE v <-> $1 <= $2 ORDER BY v <-> $1) s;
SELECT plan_of($$EXECUTE near('[20,20,1]', 1)$$);
EXECUTE near('[20,20,1]', 1);
EXECUTE near('[0,0,1]', 2);
EXECUTE near('[0,0,1]', -1);
EXECUTE near('[0,0,1]', NULL);
EXECUTE near(NULL, 1);
RESET plan_cache_mode;

-- The form that says it by itself, with ORDER BY and without, and as a join.
SELECT plan_of($$SELECT id FROM r WHERE vectorext_within(v, '[20,20,1]', 1)$$);
SELECT id FROM r WHERE vectorext_within(v, '[20,20,1]', 1) ORDER BY id;
SELECT plan_of($$SELECT id FROM r WHERE v <<->> vectorext_ball('[20,20,1]'::vector, 1) ORDER BY v <-> '[20,20,1]' LIMIT 3$$);
-- Around something else than what orders: all rows are looked at.
SET enable_seqscan = off;
SELECT id, v <-> '[0,0,1]' AS d FROM r WHERE vectorext_within(v, '[3,4,1]', 1) ORDER BY v <-> '[0,0,1]' LIMIT 2;
RESET enable_seqscan;
SELECT plan_of($$SELECT count(*) FROM r a JOIN r b ON vectorext_within(b.v, a.v, 1) WHERE a.id IN (0, 1275)$$);
SELECT a.id, count(*) FROM r a JOIN r b ON vectorext_within(b.v, a.v, 1) WHERE a.id IN (0, 1275) GROUP BY a.id ORDER BY a.id;
-- The same answers, by every kind of index.
SET enable_seqscan = off;
DROP INDEX r_idx;
CREATE INDEX r_idx ON r USING hnsw (v vector_l2_ops) WITH (quantization = sq4);
SELECT count(*), max(d) FROM (SELECT v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 3.5 ORDER BY v <-> '[20,20,1]') s;
DROP INDEX r_idx;
CREATE INDEX r_idx ON r USING hnsw (v vector_l1_ops) WITH (quantization = none);
SELECT count(*), max(d) FROM (SELECT v <+> '[20,20,1]' AS d FROM r WHERE v <+> '[20,20,1]' <= 3 ORDER BY v <+> '[20,20,1]') s;
DROP INDEX r_idx;
CREATE INDEX r_idx ON r USING ivfflat (v vector_l2_ops) WITH (lists = 10);
SELECT plan_of($$SELECT id FROM r WHERE v <-> '[20,20,1]' < 3.5 ORDER BY v <-> '[20,20,1]'$$);
SELECT count(*), max(d) FROM (SELECT v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 3.5 ORDER BY v <-> '[20,20,1]') s;
SELECT count(*) FROM r WHERE vectorext_within(v, '[20,20,1]', 3.5);
PREPARE within(float8) AS SELECT count(*) FROM r WHERE v <<->> vectorext_ball('[20,20,1]'::vector, $1);
EXECUTE within(NULL);
SET ivfflat.iterative_scan = relaxed_order;
SELECT count(*), max(d) FROM (SELECT v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 3.5 ORDER BY v <-> '[20,20,1]') s;
RESET ivfflat.iterative_scan;
DROP INDEX r_idx;
CREATE INDEX r_idx ON r USING hnsw (v vector_l2_ops);
SET hnsw.iterative_scan = relaxed_order;
SELECT count(*), max(d) FROM (SELECT v <-> '[20,20,1]' AS d FROM r WHERE v <-> '[20,20,1]' < 3.5 ORDER BY v <-> '[20,20,1]' LIMIT 100) s;
RESET hnsw.iterative_scan;

-- A scan that a limit stopped says so, when the query had to do with fewer rows for it.
SET vectorext.notice_unfilled = notice;
SET hnsw.max_scan_tuples = 100;
SELECT count(*) < 2000 AS fewer FROM (SELECT id FROM r WHERE v <-> '[20,20,1]' < 100 ORDER BY v <-> '[20,20,1]') s;
SELECT count(*) FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 10) s;
RESET hnsw.max_scan_tuples;
SET hnsw.iterative_scan = off;
SELECT count(*) FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 40) s;
SELECT count(*) FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 41) s;
SET vectorext.notice_unfilled = off;
SELECT count(*) FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 41) s;
-- The same of ivfflat.
SET enable_seqscan = off;
DROP INDEX r_idx;
CREATE INDEX r_idx ON r USING ivfflat (v vector_l2_ops) WITH (lists = 10);
SET vectorext.notice_unfilled = notice;
SET ivfflat.max_probes = 2;
SELECT count(*) < 2000 AS fewer FROM (SELECT id FROM r WHERE v <-> '[20,20,1]' < 100 ORDER BY v <-> '[20,20,1]') s;
SELECT count(*) FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 10) s;
RESET ivfflat.max_probes;
SET ivfflat.iterative_scan = off;
SELECT count(*) < 2000 AS fewer FROM (SELECT id FROM r ORDER BY v <-> '[20,20,1]' LIMIT 2000) s;

DROP TABLE r;
DROP FUNCTION plan_of;
