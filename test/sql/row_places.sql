-- Rows that come from an index scan can be locked, changed and found again by their ctid: the executor's queue of rows
-- whose distance was below the truth used to lose it.
CREATE TABLE t (id int, n int DEFAULT 0, v vector(3));
INSERT INTO t SELECT i, 0, ARRAY[i, i % 3, 1]::vector FROM generate_series(1, 300) i;
SET enable_seqscan = off;
CREATE FUNCTION try(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index Scan' THEN RETURN NEXT 'index scan'; END IF;
	END LOOP;
	RETURN QUERY EXECUTE query;
END $$;

CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops) WITH (quantization = sq8);
SELECT count(*) FROM t JOIN (SELECT ctid AS place, id FROM t ORDER BY v <-> '[100.2,1.1,1]' LIMIT 20) s ON t.ctid = place AND t.id = s.id;
SELECT try($$SELECT id::text FROM t ORDER BY v <-> '[100.2,1.1,1]' LIMIT 3 FOR UPDATE$$);
SELECT try($$SELECT id::text FROM t WHERE ctid <> '(0,7)' ORDER BY v <-> '[7.2,1.1,1]' LIMIT 3$$);
DELETE FROM t WHERE ctid = ANY (ARRAY(SELECT ctid FROM t ORDER BY v <-> '[100.2,1.1,1]' LIMIT 3)) RETURNING id;
BEGIN;
DECLARE nearest CURSOR FOR SELECT * FROM t ORDER BY v <-> '[200.2,1.1,1]' FOR UPDATE;
FETCH 2 FROM nearest;
UPDATE t SET n = 1 WHERE CURRENT OF nearest RETURNING id, n;
COMMIT;
BEGIN;
DECLARE nearest CURSOR FOR SELECT * FROM t ORDER BY v <-> '[50.2,1.1,1]';
FETCH 2 FROM nearest;
DELETE FROM t WHERE CURRENT OF nearest RETURNING id;
COMMIT;
DROP INDEX t_idx;

CREATE INDEX t_idx ON t USING ivfflat (v vector_l2_ops) WITH (lists = 1, quantization = rabitq);
SELECT count(*) FROM t JOIN (SELECT ctid AS place, id FROM t ORDER BY v <-> '[100.2,1.1,1]' LIMIT 20) s ON t.ctid = place AND t.id = s.id;
SELECT try($$SELECT id::text FROM t ORDER BY v <-> '[250.2,1.1,1]' LIMIT 3 FOR UPDATE$$);
DELETE FROM t WHERE ctid = ANY (ARRAY(SELECT ctid FROM t ORDER BY v <-> '[250.2,1.1,1]' LIMIT 3)) RETURNING id;
BEGIN;
DECLARE nearest CURSOR FOR SELECT id FROM t ORDER BY v <-> '[150.2,1.1,1]' FOR UPDATE;
FETCH 2 FROM nearest;
UPDATE t SET n = 1 WHERE CURRENT OF nearest RETURNING id, n;
COMMIT;
DROP FUNCTION try;
DROP TABLE t;

-- A session looks for the page of a row in the buffer where it last saw it. What is there may be another by now.
CREATE TABLE wide (id int, v vector(1100));
ALTER TABLE wide ALTER v SET STORAGE plain;
CREATE FUNCTION fill(x float8) RETURNS vector LANGUAGE sql AS 'SELECT array_fill(x::real, ARRAY[1100])::vector';
INSERT INTO wide SELECT i, fill(i) FROM generate_series(1, 200) i;
CREATE INDEX ON wide USING hnsw (v vector_l2_ops);
CREATE FUNCTION nearest(x float8) RETURNS int[] LANGUAGE sql AS 'SELECT ARRAY(SELECT id FROM wide ORDER BY v <-> fill(x) LIMIT 5)';
SELECT nearest(50.2), nearest(150.2);
DELETE FROM wide WHERE id > 100;
VACUUM wide;
SELECT nearest(50.2), nearest(150.2);
INSERT INTO wide SELECT i, fill(i) FROM generate_series(200, 101, -1) i;
SELECT nearest(50.2), nearest(150.2);
UPDATE wide SET id = id + 1000;
SELECT nearest(50.2), nearest(150.2);
VACUUM FULL wide;
SELECT nearest(50.2), nearest(150.2);
TRUNCATE wide;
INSERT INTO wide SELECT i, fill(i) FROM generate_series(1, 200) i;
SELECT nearest(50.2), nearest(150.2);
-- A page that is found so is counted as any other.
SELECT pg_stat_force_next_flush();
SELECT heap_blks_hit + heap_blks_read AS before FROM pg_statio_user_tables WHERE relname = 'wide' \gset
SELECT count(nearest(i)) FROM generate_series(1, 100) i;
SELECT pg_stat_force_next_flush();
SELECT heap_blks_hit + heap_blks_read - :before BETWEEN 500 AND 3000 AS counted FROM pg_statio_user_tables WHERE relname = 'wide';
DROP FUNCTION nearest;
DROP TABLE wide;
DROP FUNCTION fill;
