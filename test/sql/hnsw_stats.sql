-- vectorext_index_stats: what it says, and to whom.
CREATE TABLE t (id int, v vector(3));
INSERT INTO t SELECT i, ARRAY[i, i * i % 7, 1]::vector FROM generate_series(1, 50) i;
INSERT INTO t SELECT 100 + i, '[1,1,1]' FROM generate_series(1, 20) i;
INSERT INTO t VALUES (200, NULL);
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops) WITH (m = 4);
SELECT * FROM vectorext_index_stats('t_idx') WHERE name NOT IN ('fingerprint', 'format version') AND name !~ '^bytes|^nodes of|calibration';
SELECT sum(value::float8) = (SELECT sum(value::float8) FROM vectorext_index_stats('t_idx') WHERE name = 'nodes') AS nodes_by_level
	FROM vectorext_index_stats('t_idx') WHERE name ~ '^nodes of level';
SELECT abs(sum(value::float8) FILTER (WHERE name ~ ':') - sum(value::float8) FILTER (WHERE name !~ ':')) < 1 AS parts_add_up
	FROM vectorext_index_stats('t_idx') WHERE name ~ '^bytes';

-- The fingerprint is of the graph, wherever its nodes lie.
CREATE TEMP TABLE before AS SELECT value FROM vectorext_index_stats('t_idx') WHERE name = 'fingerprint';
REINDEX INDEX t_idx;
SELECT count(*) FROM before JOIN vectorext_index_stats('t_idx') s USING (value) WHERE s.name = 'fingerprint';
INSERT INTO t VALUES (300, '[3,3,3]');
SELECT count(*) FROM before JOIN vectorext_index_stats('t_idx') s USING (value) WHERE s.name = 'fingerprint';

-- After deletes: dead rows leave, and slots become free.
DELETE FROM t WHERE id BETWEEN 10 AND 19 OR id > 100;
VACUUM t;
SELECT * FROM vectorext_index_stats('t_idx') WHERE name IN ('rows', 'rows of equal codes', 'nodes', 'dead nodes');

-- Nothing in it.
CREATE TABLE e (v vector(3));
CREATE INDEX e_idx ON e USING hnsw (v vector_cosine_ops);
SELECT * FROM vectorext_index_stats('e_idx') WHERE name IN ('rows', 'nodes', 'pages', 'fingerprint', 'links per node');

-- Not for everyone, not of everything.
CREATE INDEX t_id ON t (id);
SELECT * FROM vectorext_index_stats('t_id');
SELECT * FROM vectorext_index_stats('t');
CREATE ROLE regress_stats_reader;
SET ROLE regress_stats_reader;
SELECT count(*) > 0 FROM vectorext_index_stats('t_idx');
RESET ROLE;
GRANT SELECT ON t TO regress_stats_reader;
SET ROLE regress_stats_reader;
SELECT count(*) > 0 FROM vectorext_index_stats('t_idx');
RESET ROLE;
REVOKE SELECT ON t FROM regress_stats_reader;
DROP ROLE regress_stats_reader;
DROP TABLE t, e;
