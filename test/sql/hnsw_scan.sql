-- Scans of hnsw: every metric, order, NULL and zero vectors, duplicates, iteration.
SET enable_seqscan = off;

CREATE TABLE t (id int PRIMARY KEY, v vector(3));
INSERT INTO t VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[1,1,1]'), (4, NULL);

CREATE INDEX t_l2 ON t USING hnsw (v vector_l2_ops);
INSERT INTO t VALUES (5, '[1,2,4]'), (6, '[1,2,3]');
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[3,3,3]' LIMIT 10;
SELECT id, v <-> '[3,3,3]' AS distance FROM t WHERE v IS NOT NULL ORDER BY v <-> '[3,3,3]', id LIMIT 10;
SELECT id FROM t ORDER BY v <-> '[1,2,3]' LIMIT 2;
-- A NULL query orders nothing and returns all indexed rows.
SELECT count(*) FROM (SELECT * FROM t ORDER BY v <-> (SELECT NULL::vector) LIMIT 100) s;
DROP INDEX t_l2;

CREATE INDEX t_cosine ON t USING hnsw (v vector_cosine_ops);
INSERT INTO t VALUES (7, '[0,0,0]'), (8, '[-1,-1,-1]');
-- Zero vectors have no direction: they are not in the index.
SELECT id, round((v <=> '[3,3,3]')::numeric, 6) AS distance FROM t ORDER BY v <=> '[3,3,3]' LIMIT 10;
-- To a zero vector every distance is NaN.
SELECT count(*), min(d), max(d) FROM (SELECT v <=> '[0,0,0]' AS d FROM t ORDER BY v <=> '[0,0,0]' LIMIT 100) s;
DROP INDEX t_cosine;

CREATE INDEX t_ip ON t USING hnsw (v vector_ip_ops);
SELECT id, v <#> '[3,3,3]' AS distance FROM t WHERE id <> 6 ORDER BY v <#> '[3,3,3]' LIMIT 4;
DROP INDEX t_ip;

CREATE INDEX t_l1 ON t USING hnsw (v vector_l1_ops);
SELECT id, v <+> '[3,3,3]' AS distance FROM t WHERE id <> 6 ORDER BY v <+> '[3,3,3]' LIMIT 4;
DROP INDEX t_l1;

-- The same with the values themselves in the index.
CREATE INDEX t_none ON t USING hnsw (v vector_l2_ops) WITH (quantization = none);
SELECT id, v <-> '[3,3,3]' AS distance FROM t WHERE id <> 6 ORDER BY v <-> '[3,3,3]' LIMIT 4;
DROP TABLE t;

-- An empty index, then rows.
CREATE TABLE e (id int, v vector(2));
CREATE INDEX ON e USING hnsw (v vector_l2_ops);
SELECT id FROM e ORDER BY v <-> '[1,1]' LIMIT 1;
INSERT INTO e VALUES (1, NULL);
SELECT id FROM e ORDER BY v <-> '[1,1]' LIMIT 1;
INSERT INTO e VALUES (2, '[1,1]');
SELECT id FROM e ORDER BY v <-> '[1,1]' LIMIT 1;
TRUNCATE e;
SELECT id FROM e ORDER BY v <-> '[1,1]' LIMIT 1;
DROP TABLE e;

-- Rows of one vector share a node, by build and by insert; all of them come back, and go by vacuum.
CREATE TABLE d (id int PRIMARY KEY, v vector(2));
INSERT INTO d SELECT i, ARRAY[i % 3, 1]::vector FROM generate_series(1, 300) i;
CREATE INDEX d_idx ON d USING hnsw (v vector_l2_ops);
INSERT INTO d SELECT i, ARRAY[i % 3, 1]::vector FROM generate_series(301, 600) i;
SELECT count(*), count(DISTINCT id), min(x), max(x) FROM
    (SELECT id, v <-> '[0,1]' AS x FROM d ORDER BY v <-> '[0,1]' LIMIT 200) s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM d ORDER BY v <-> '[0,1]' LIMIT 1000) s;
DELETE FROM d WHERE id <= 450;
VACUUM d;
SELECT count(*), count(DISTINCT id), min(id) FROM (SELECT id FROM d ORDER BY v <-> '[0,1]' LIMIT 1000) s;
DELETE FROM d;
VACUUM d;
SELECT count(*) FROM (SELECT id FROM d ORDER BY v <-> '[0,1]' LIMIT 1000) s;
INSERT INTO d VALUES (1, '[5,5]');
SELECT id FROM d ORDER BY v <-> '[0,1]' LIMIT 10;
DROP TABLE d;

-- A LIMIT beyond hnsw.ef_search is filled by iterating; off gives at most what one search finds.
CREATE TABLE g (id int PRIMARY KEY, v vector(2));
INSERT INTO g SELECT i, ARRAY[i % 40, i / 40]::vector FROM generate_series(0, 1599) i;
CREATE INDEX ON g USING hnsw (v vector_l2_ops);
SET hnsw.ef_search = 10;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY v <-> '[3,3]' LIMIT 500) s;
SELECT count(*) FROM (SELECT id FROM g WHERE id % 50 = 7 ORDER BY v <-> '[3,3]' LIMIT 10) s;
SET hnsw.iterative_scan = relaxed_order;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY v <-> '[3,3]' LIMIT 1600) s;
SET hnsw.iterative_scan = off;
SELECT count(*) < 20 AS few FROM (SELECT id FROM g ORDER BY v <-> '[3,3]' LIMIT 500) s;
RESET hnsw.iterative_scan;
RESET hnsw.ef_search;

-- Cursors, rescans with another query, and lateral joins.
BEGIN;
DECLARE c CURSOR FOR SELECT id, v <-> '[0.4,0.3]' AS x FROM g ORDER BY v <-> '[0.4,0.3]';
FETCH 3 FROM c;
MOVE 50 FROM c;
FETCH 1 FROM c;
COMMIT;
SELECT q.x, n.id FROM (VALUES (0), (20), (39)) q (x) CROSS JOIN LATERAL
    (SELECT id FROM g ORDER BY v <-> ARRAY[q.x, q.x]::vector LIMIT 1) n ORDER BY 1;

-- The planner: an index for ORDER BY ... LIMIT, not without LIMIT, not for a filter, not for another operator.
RESET enable_seqscan;
CREATE TABLE p (id int PRIMARY KEY, v vector(64));
INSERT INTO p SELECT i, (SELECT array_agg(sin(i * d)) FROM generate_series(1, 64) d)::real[]::vector FROM generate_series(1, 5000) i;
CREATE INDEX ON p USING hnsw (v vector_cosine_ops);
ANALYZE p;
-- PostgreSQL 17 writes an InitPlan's result in another way.
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        RETURN NEXT regexp_replace(replace(line, '(InitPlan 1).col1', '$0'), ' \(returns .*\)$', '');
    END LOOP;
END $$;
SELECT plan($$SELECT id FROM p ORDER BY v <=> (SELECT v FROM p WHERE id = 1) LIMIT 10$$);
SELECT plan($$SELECT id FROM p ORDER BY v <=> (SELECT v FROM p WHERE id = 1)$$);
SELECT plan($$SELECT id FROM p ORDER BY v <-> (SELECT v FROM p WHERE id = 1) LIMIT 10$$);
EXPLAIN (COSTS OFF) SELECT count(*) FROM p;
SELECT plan($$SELECT id FROM p WHERE id = 7 ORDER BY v <=> (SELECT v FROM p WHERE id = 1) LIMIT 10$$);
DROP TABLE p, g;

-- While an index is empty a query of other dimensions finds nothing, as in a sequential scan.
SET enable_seqscan = off;
CREATE TABLE empty (v vector(3));
CREATE INDEX ON empty USING hnsw (v vector_l2_ops);
SELECT * FROM empty ORDER BY v <-> '[1,2]';
INSERT INTO empty VALUES ('[1,2,3]');
SELECT * FROM empty ORDER BY v <-> '[1,2]';

-- Vectors in TOAST make the table look small beside the index: that is no reason to read them all.
CREATE TABLE toasted (id int, v vector(1536));
INSERT INTO toasted SELECT i, array_fill(i::real, ARRAY[1536]) FROM generate_series(1, 1000) i;
CREATE INDEX ON toasted USING hnsw (v vector_l2_ops);
ANALYZE toasted;
RESET enable_seqscan;
SELECT plan($$SELECT id FROM toasted ORDER BY v <-> (SELECT v FROM toasted WHERE id = 7) LIMIT 10$$);

-- hnsw.max_scan_tuples: near, not far beyond. Ten of 20,000 rows pass the filter.
CREATE TABLE many (id int, v vector(3));
INSERT INTO many SELECT i, ARRAY[hashint4(i), hashint4(i + 100000), hashint4(i + 200000)]::vector * 1e-9
    FROM generate_series(1, 20000) i;
CREATE INDEX ON many USING hnsw (v vector_l2_ops);
SET enable_seqscan = off;
SET hnsw.max_scan_tuples = 12000;
SELECT count(*) BETWEEN 3 AND 9 AS enough FROM (SELECT id FROM many WHERE id % 2000 = 0 ORDER BY v <-> '[0,0,0]' LIMIT 11) s;
SET hnsw.max_scan_tuples = 20000;
SELECT count(*) FROM (SELECT id FROM many WHERE id % 2000 = 0 ORDER BY v <-> '[0,0,0]' LIMIT 11) s;
