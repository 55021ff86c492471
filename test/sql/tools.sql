-- vectorext_recall, vectorext_advise, vectorext_indexes, vectorext_prewarm, vectorext_last_scan.
CREATE FUNCTION random_vector(i int, dims int) RETURNS vector LANGUAGE sql IMMUTABLE AS
	'SELECT array_agg(hashint4extended(i * 1000 + d, 7) / 9.3e18 ORDER BY d)::real[]::vector FROM generate_series(1, dims) d';
CREATE TABLE t (id int PRIMARY KEY, kind int, v vector(8));
INSERT INTO t SELECT i, i % 4, random_vector(i, 8) FROM generate_series(1, 1000) i;
INSERT INTO t VALUES (2000, 1, NULL);
CREATE INDEX t_l2 ON t USING hnsw (v vector_l2_ops);
CREATE INDEX t_cosine ON t USING ivfflat (v vector_cosine_ops) WITH (lists = 30);
CREATE INDEX t_part ON t USING hnsw ((v::halfvec(8)) halfvec_ip_ops) WHERE kind = 1;
CREATE INDEX t_plain ON t (id);
ANALYZE t;

-- ---- recall
SET hnsw.ef_search = 1000;
SELECT recall, low > 0.9 AS low, high, p50_ms > 0 AND p99_ms >= p50_ms AS timed, setting, value, queries, rows FROM vectorext_recall('t_l2');
SELECT recall, setting, value, queries, rows FROM vectorext_recall('t_part', 5, 30);
SET ivfflat.probes = 1;
SET ivfflat.iterative_scan = off;
SELECT recall < 0.9 AS less, low <= recall AND recall <= high AS within, setting, value, queries, rows FROM vectorext_recall('t_cosine', 10, 50);
SET ivfflat.probes = 30;
SELECT recall, value FROM vectorext_recall('t_cosine', 10, 50);
RESET ivfflat.iterative_scan;
RESET ivfflat.probes;
RESET hnsw.ef_search;
-- it leaves no trace in the session
SHOW enable_seqscan;
SELECT queries FROM vectorext_recall('t_l2', k => 2000, samples => 3);
-- samples: all rows where there are fewer; none
SELECT queries, rows FROM vectorext_recall('t_l2', 10, 5000);
CREATE TABLE e (v vector(3));
CREATE INDEX e_idx ON e USING hnsw (v vector_l2_ops);
SELECT * FROM vectorext_recall('e_idx');
INSERT INTO e VALUES ('[1,2,3]'), (NULL);
SELECT recall, queries, rows FROM vectorext_recall('e_idx');
INSERT INTO e VALUES ('[0,0,0]'), ('[1,2,4]');
CREATE INDEX e_cosine ON e USING hnsw (v vector_cosine_ops);
SELECT recall, queries, rows FROM vectorext_recall('e_cosine');
SELECT vectorext_recall('t_l2', 0);
SELECT vectorext_recall('t_l2', 10, 0);
SELECT vectorext_recall('t_l2', 10, 10001);
SELECT vectorext_recall('t_plain');
SELECT vectorext_recall('t');
SELECT vectorext_recall(NULL) IS NULL;
BEGIN;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_seqscan = on;
SELECT queries FROM vectorext_recall('t_l2', 10, 5);
ROLLBACK;
-- after an error the planner sees all indexes again
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t WHERE id = 5) s;
EXPLAIN (COSTS OFF) SELECT id FROM t WHERE id = 5;
RESET enable_seqscan;

-- ---- as the caller
CREATE ROLE regress_tools_user;
SET ROLE regress_tools_user;
SELECT vectorext_recall('t_l2');
SELECT * FROM vectorext_prewarm('t_l2');
SELECT vectorext_advise('t', 'v');
SELECT count(*) FROM vectorext_indexes WHERE "table" IN ('t'::regclass, 'e'::regclass);
RESET ROLE;
GRANT SELECT ON t TO regress_tools_user;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON t FOR SELECT TO regress_tools_user USING (id % 2 = 0);
SET ROLE regress_tools_user;
SET hnsw.ef_search = 1000;
SELECT recall, queries, rows FROM vectorext_recall('t_l2', 10, 1000);
RESET hnsw.ef_search;
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;

-- ---- what the last scan did
\c
SELECT * FROM vectorext_last_scan();
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = 7) LIMIT 10) s;
SELECT index, visited BETWEEN 10 AND 100 AS visited, scored >= visited AS scored, rechecked = returned AS rechecked, returned BETWEEN 10 AND 60 AS returned, batches FROM vectorext_last_scan();
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = 7) LIMIT 500) s;
SELECT index, returned >= 500 AS returned, batches > 2 AS batches FROM vectorext_last_scan();
SET ivfflat.probes = 3;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> (SELECT v FROM t WHERE id = 7) LIMIT 10) s;
SELECT index, visited, scored BETWEEN 10 AND 1000 AS scored, returned BETWEEN 10 AND 60 AS returned, batches FROM vectorext_last_scan();
RESET ivfflat.probes;
RESET enable_seqscan;

-- ---- all indexes
SELECT "table", index, method, opclass, options, valid, bytes > 0 AS bytes, rows FROM vectorext_indexes WHERE "table" IN ('t'::regclass, 'e'::regclass) ORDER BY index::text;

-- ---- prewarm
SELECT part, pages > 0 AS some FROM vectorext_prewarm('t_l2');
SELECT part, pages > 0 AS some FROM vectorext_prewarm('t_cosine');
SELECT sum(pages) = pg_relation_size('t_l2') / 8192 AS all FROM vectorext_prewarm('t_l2');
SELECT * FROM vectorext_prewarm('e_idx');
SELECT * FROM vectorext_prewarm('t_plain');

-- ---- advice
SELECT method, options, setting IS NOT NULL AS setting, recall >= 0.95 AS found, p50_ms > 0 AS timed, index_bytes > 0 AS bytes, build_memory > 0 AS memory, sql
	FROM vectorext_advise('t', 'v') ORDER BY method, options DESC;
CREATE TABLE h (id int, v halfvec);
INSERT INTO h SELECT i, random_vector(i, 64) FROM generate_series(1, 300) i;
SELECT method, options, sql FROM vectorext_advise('h', 'v', 'halfvec_ip_ops') ORDER BY method, options DESC;
SELECT count(*) FROM pg_class WHERE relname ~ 'vectorext_trial';
INSERT INTO h VALUES (0, '[1,2]');
SELECT * FROM vectorext_advise('h', 'v');
SELECT * FROM vectorext_advise('t', 'id');
SELECT * FROM vectorext_advise('t', 'nothing');
SELECT * FROM vectorext_advise('t', 'v', 'halfvec_l2_ops');
SELECT * FROM vectorext_advise('t', 'v', trial_rows => 5);
SELECT * FROM vectorext_advise('t_l2', 'v');
TRUNCATE e;
SELECT * FROM vectorext_advise('e', 'v');
CREATE TABLE b (v bit(16), s sparsevec(10));
INSERT INTO b SELECT i::bit(16), ARRAY[i % 7, 0, i % 5, 0, 0, 0, i % 3, 0, 1, 0]::real[]::sparsevec FROM generate_series(1, 200) i;
SELECT method, sql FROM vectorext_advise('b', 'v') ORDER BY method;
SELECT method, sql FROM vectorext_advise('b', 's') ORDER BY method;

-- ---- partitions: their indexes, with columns to filter on, by name; the index of the whole has no pages
CREATE TABLE p (id int, kind int, v vector(8)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (300);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (300) TO (1000);
INSERT INTO p SELECT i, i % 3, random_vector(i, 8) FROM generate_series(0, 899) i;
CREATE INDEX p_lists ON p USING ivfflat (v vector_l2_ops, kind) WITH (lists = 10);
CREATE INDEX p_graph ON p USING hnsw (v vector_cosine_ops, kind);
SELECT index, "table", method, rows FROM vectorext_indexes WHERE "table" IN ('p1'::regclass, 'p2'::regclass) ORDER BY index::text;
SET ivfflat.recall_target = 0.9;
SELECT i.index, r.recall >= 0.8 AS found, r.setting, r.value > 1 AS chosen, r.queries, r.rows
	FROM vectorext_indexes i, vectorext_recall(i.index, 10, 50) r WHERE "table" IN ('p1'::regclass, 'p2'::regclass) ORDER BY i.index::text;
RESET ivfflat.recall_target;
SELECT part, pages > 0 AS some FROM vectorext_prewarm('p1_v_kind_idx');
SELECT value FROM vectorext_index_stats('p1_v_kind_idx') WHERE name = 'attributes';
SELECT count(*) > 1 AS steps FROM vectorext_calibrate('p1_v_kind_idx');
SELECT method, recall >= 0.95 AS found, sql FROM vectorext_advise('p2', 'v', 'vector_l2_ops') ORDER BY method;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM p1 WHERE kind = 1 ORDER BY v <-> random_vector(5, 8) LIMIT 10) s;
SELECT index, visited, scored BETWEEN 10 AND 100 AS scored, returned >= 10 AS returned FROM vectorext_last_scan();
RESET enable_seqscan;
SELECT * FROM vectorext_recall('p_lists');
SELECT * FROM vectorext_prewarm('p_graph');
SELECT * FROM vectorext_index_stats('p_lists');
SELECT * FROM vectorext_calibrate('p_graph');
SELECT * FROM vectorext_index_check('p_lists');
SELECT * FROM vectorext_recall('p');
SELECT * FROM vectorext_index_check('p');
SELECT * FROM vectorext_advise('p', 'v');

DROP TABLE t, e, h, b, p;
DROP ROLE regress_tools_user;
DROP FUNCTION random_vector;
