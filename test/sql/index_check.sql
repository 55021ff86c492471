-- vectorext_index_check and vectorext_index_assert: what they say of whole indexes, and to whom. What they find in
-- damaged ones: test/t/060_hnsw_damage.pl, 061_ivf_damage.pl.
CREATE TABLE t (id int, v vector(3));
INSERT INTO t SELECT i, ARRAY[i, i * i % 7, 1]::vector FROM generate_series(1, 200) i;
INSERT INTO t SELECT 300 + i, '[1,1,1]' FROM generate_series(1, 40) i;
INSERT INTO t VALUES (400, NULL), (401, '[0,0,0]');
CREATE INDEX t_hnsw ON t USING hnsw (v vector_cosine_ops) WITH (m = 4);
CREATE INDEX t_ivf ON t USING ivfflat (v vector_l2_ops) WITH (lists = 5);
SELECT severity, block, slot, regexp_replace(message, '\d+ pages', 'N pages') FROM vectorext_index_check('t_hnsw', true);
SELECT severity, block, slot, regexp_replace(message, '\d+ pages', 'N pages') FROM vectorext_index_check('t_ivf', true);

-- After changes of all kinds; an expression and a predicate.
DELETE FROM t WHERE id % 3 = 0;
VACUUM t;
UPDATE t SET v = v + '[1,0,0]' WHERE id % 5 = 0;
UPDATE t SET id = -id WHERE id % 7 = 0;
CREATE INDEX t_expression ON t USING hnsw (((v * v)::vector(3)) vector_l2_ops) WHERE id > 50;
INSERT INTO t SELECT 500 + i, ARRAY[i, 2, 3]::vector FROM generate_series(1, 50) i;
SELECT indexrelid::regclass, severity, message FROM pg_index, vectorext_index_check(indexrelid, true)
	WHERE indrelid = 't'::regclass AND severity <> 'info';
SELECT vectorext_index_assert('t_hnsw'), vectorext_index_assert('t_ivf', true), vectorext_index_assert('t_expression', true);

-- Rows in parts, as maintenance_work_mem has room.
CREATE TABLE packed (v vector(2));
INSERT INTO packed SELECT ARRAY[i, i % 17]::vector FROM generate_series(1, 70000) i;
CREATE INDEX packed_idx ON packed USING ivfflat (v vector_l2_ops) WITH (lists = 10);
SET maintenance_work_mem = '1MB';
SELECT severity, regexp_replace(message, '\d+ pages', 'N pages') FROM vectorext_index_check('packed_idx', true);
RESET maintenance_work_mem;
DROP TABLE packed;

-- Nothing in it; an unlogged one; a temporary one.
CREATE TABLE e (v vector(3));
CREATE INDEX e_idx ON e USING hnsw (v vector_l2_ops);
CREATE UNLOGGED TABLE u (v vector(3));
CREATE INDEX u_idx ON u USING ivfflat (v vector_l2_ops);
CREATE TEMP TABLE p (v sparsevec(3));
CREATE INDEX p_idx ON p USING hnsw (v sparsevec_l2_ops);
SELECT i, c.* FROM unnest('{e_idx,u_idx,p_idx}'::regclass[]) i, vectorext_index_check(i, true) c;

-- Not for everyone, not of everything.
CREATE INDEX t_id ON t (id);
SELECT * FROM vectorext_index_check('t_id');
SELECT * FROM vectorext_index_check('t');
SELECT * FROM vectorext_index_check(0);
SELECT * FROM vectorext_index_check(NULL);
CREATE ROLE regress_check_reader;
GRANT SELECT ON t TO regress_check_reader;
SET ROLE regress_check_reader;
SELECT * FROM vectorext_index_check('t_hnsw');
SELECT vectorext_index_assert('t_hnsw');
RESET ROLE;
REVOKE SELECT ON t FROM regress_check_reader;
ALTER TABLE t OWNER TO regress_check_reader;
SET ROLE regress_check_reader;
SELECT count(*) FROM vectorext_index_check('t_hnsw', true);
RESET ROLE;
DROP TABLE t, e, u;
DROP ROLE regress_check_reader;
