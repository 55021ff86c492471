-- Searches through an ivfflat index: settings, iterative scans, NULL and zero queries, filters, cursors, joins, plans.
SET enable_seqscan = off;
CREATE TABLE t (id int PRIMARY KEY, v vector(3), c int);
INSERT INTO t SELECT i, ARRAY[cos(i), sin(i), i / 1000.0]::vector * 10::real, i % 10 FROM generate_series(1, 2000) i;
INSERT INTO t VALUES (2001, NULL, 0);
CREATE INDEX t_idx ON t USING ivfflat (v) WITH (lists = 20);
ANALYZE t;

SHOW ivfflat.probes;
SHOW ivfflat.iterative_scan;
SHOW ivfflat.max_probes;
SET ivfflat.probes = 0;
SET ivfflat.probes = 32769;
SET ivfflat.iterative_scan = on;
SET ivfflat.max_probes = 0;
SET ivfflat.unknown = 1;

EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 5;
SELECT id, round((v <-> '[1,2,3]')::numeric, 4) AS distance FROM t ORDER BY v <-> '[1,2,3]' LIMIT 5;

-- all lists: the exact answer
SET ivfflat.probes = 20;
SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 5;
CREATE TEMP TABLE through_index AS SELECT row_number() OVER () AS n, id FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 100) s;
SET enable_seqscan = on;
SET enable_indexscan = off;
CREATE TEMP TABLE exact AS SELECT row_number() OVER () AS n, id FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 100) s;
SET enable_indexscan = on;
SET enable_seqscan = off;
SELECT count(*) FROM exact JOIN through_index USING (n, id);

-- LIMIT above what one list holds
SET ivfflat.probes = 1;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 1000) s;
SELECT count(*) >= 1000 AS most_of_them, count(*) = count(DISTINCT id) AS once FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]') s;
SET ivfflat.iterative_scan = relaxed_order;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]') s;
SET ivfflat.max_probes = 10;
SELECT count(*) BETWEEN 500 AND 1500 AS about_half FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]') s;
SET ivfflat.iterative_scan = off;
SELECT count(*) BETWEEN 20 AND 500 AS one_list FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]') s;
RESET ivfflat.max_probes;
RESET ivfflat.iterative_scan;

-- filters
SELECT count(*), bool_and(c = 3) FROM (SELECT c FROM t WHERE c = 3 ORDER BY v <-> '[1,2,3]' LIMIT 50) s;
SELECT count(*) FROM (SELECT c FROM t WHERE c = 77 ORDER BY v <-> '[1,2,3]' LIMIT 5) s;

-- the order is that of the distances
SELECT count(*) FROM (SELECT d, lag(d) OVER () AS before FROM (SELECT v <-> '[5,5,5]' AS d FROM t ORDER BY v <-> '[5,5,5]' LIMIT 500) s) s WHERE d < before;

-- NULL, and queries of other dimensions
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> (SELECT NULL::vector)) s;
SELECT id FROM t ORDER BY v <-> '[1,2]' LIMIT 1;

-- cursors and rescans
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> '[1,2,3]';
FETCH 2 FROM c;
FETCH 3 FROM c;
MOVE 500 FROM c;
CLOSE c;
COMMIT;
SELECT q.id, (SELECT id FROM t ORDER BY v <-> q.v LIMIT 1) = q.id AS itself FROM t q WHERE q.id IN (5, 500, 1500) ORDER BY 1;

-- for all of the table, another plan is better
SET enable_seqscan = on;
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[1,2,3]';

-- deletes and updates
DELETE FROM t WHERE id % 2 = 0;
UPDATE t SET v = '[100,100,100]' WHERE id = 1;
SET enable_seqscan = off;
SELECT id FROM t ORDER BY v <-> '[99,99,99]' LIMIT 1;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 500) s;
DROP TABLE t;
