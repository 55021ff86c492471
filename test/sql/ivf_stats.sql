-- vectorext_index_stats of ivfflat: what it says.
CREATE TABLE t (id int, v vector(3));
INSERT INTO t SELECT i, ARRAY[i % 5 * 10, i % 3, i % 7]::vector FROM generate_series(1, 2000) i;
INSERT INTO t VALUES (3000, NULL);
CREATE INDEX t_idx ON t USING ivfflat (v vector_l2_ops) WITH (lists = 5);
SELECT * FROM vectorext_index_stats('t_idx') WHERE name NOT IN ('fingerprint', 'format version') AND name !~ '^bytes|calibration';
SELECT abs(sum(value::float8) FILTER (WHERE name ~ ':') - sum(value::float8) FILTER (WHERE name !~ ':')) < 1 AS parts_add_up
	FROM vectorext_index_stats('t_idx') WHERE name ~ '^bytes';

-- The fingerprint is of rows and lists.
CREATE TEMP TABLE before AS SELECT value FROM vectorext_index_stats('t_idx') WHERE name = 'fingerprint';
REINDEX INDEX t_idx;
SELECT count(*) FROM before JOIN vectorext_index_stats('t_idx') s USING (value) WHERE s.name = 'fingerprint';
INSERT INTO t VALUES (3001, '[3,3,3]');
SELECT count(*) FROM before JOIN vectorext_index_stats('t_idx') s USING (value) WHERE s.name = 'fingerprint';

-- Lists that have become uneven, and rows that came later.
INSERT INTO t SELECT 4000 + i, ARRAY[40, i % 3, i % 7]::vector FROM generate_series(1, 6000) i;
SELECT * FROM vectorext_index_stats('t_idx') WHERE name !~ 'calibration' AND name ~ '^rows|^advice|^unevenness';
REINDEX INDEX t_idx;
SELECT * FROM vectorext_index_stats('t_idx') WHERE name !~ 'calibration' AND name ~ '^rows added|^advice';

-- Made of nothing.
CREATE TABLE e (v vector(3));
SET client_min_messages = warning;
CREATE INDEX e_idx ON e USING ivfflat (v vector_cosine_ops);
RESET client_min_messages;
SELECT * FROM vectorext_index_stats('e_idx') WHERE name !~ 'calibration' AND name ~ '^rows|^lists|^advice';
INSERT INTO e SELECT ARRAY[i, 1, 1]::vector FROM generate_series(1, 1500) i;
SELECT * FROM vectorext_index_stats('e_idx') WHERE name !~ 'calibration' AND name ~ '^rows|^lists|^advice';
DROP TABLE t, e;
