-- Building hnsw: options, limits, layouts, errors; kinds of tables.
CREATE TABLE t (id int PRIMARY KEY, v vector(3), w vector);
INSERT INTO t SELECT i, ARRAY[i, i % 7, i % 11]::vector, ARRAY[i]::vector FROM generate_series(1, 200) i;

-- Options.
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 32, quantization = none);
SELECT reloptions FROM pg_class WHERE relname = 't_idx';
DROP INDEX t_idx;
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (m = 1);
\set VERBOSITY default
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (m = 101);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (ef_construction = 3);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (ef_construction = 1001);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 31);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (quantization = sq3);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) WITH (lists = 3);
SHOW hnsw.ef_search;
SET hnsw.ef_search = 0;
SET hnsw.ef_search = 65536;
SET hnsw.iterative_scan = on;
SET hnsw.max_scan_tuples = 0;
SET hnsw.scan_mem_multiplier = 0;
SET vectorext.simd = mmx;

-- What cannot be indexed.
\set VERBOSITY sqlstate
CREATE INDEX ON t USING hnsw (w vector_l2_ops);
CREATE INDEX ON t USING hnsw (v);
CREATE INDEX ON t USING hnsw (id vector_l2_ops);
CREATE UNIQUE INDEX ON t USING hnsw (v vector_l2_ops);
CREATE INDEX ON t USING hnsw (v vector_l2_ops, w vector_l2_ops);
CREATE INDEX ON t USING hnsw (v vector_l2_ops) INCLUDE (id);
\set VERBOSITY default
CREATE INDEX ON t USING hnsw (w vector_l2_ops);
-- Mixed dimensions by an expression and a predicate.
INSERT INTO t VALUES (1000, '[1,2,3]', '[1,2]');
CREATE INDEX t_idx ON t USING hnsw ((w::vector(2)) vector_l2_ops) WHERE vector_dims(w) = 2;
SET enable_seqscan = off;
SELECT id FROM t WHERE vector_dims(w) = 2 ORDER BY w::vector(2) <-> '[0,0]' LIMIT 5;
DROP INDEX t_idx;
-- A row of other dimensions than the index.
CREATE INDEX t_idx ON t USING hnsw ((w::vector(2)) vector_l2_ops) WHERE id >= 1000;
INSERT INTO t VALUES (1001, '[1,2,3]', '[1,2,3]');
DROP INDEX t_idx;
-- A query of other dimensions.
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops);
SELECT id FROM t ORDER BY v <-> '[1,2]' LIMIT 1;
SELECT amname, opcname FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE amname = 'hnsw' AND NOT amvalidate(c.oid);
DROP TABLE t;

-- Dimensions: one; links beside the code; links in pages of their own; too many.
CREATE FUNCTION wide(seed int, n int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
    'SELECT array_agg(((hashint4(seed * 65537 + d) % 1000) / 1000.0)::real ORDER BY d) FROM generate_series(1, n) d';
CREATE FUNCTION check_index(dims int, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    wrong int := 0;
    n int;
BEGIN
    EXECUTE format('CREATE TABLE x (id int PRIMARY KEY, v vector(%s))', dims);
    INSERT INTO x SELECT i, wide(i, dims) FROM generate_series(1, 60) i;
    EXECUTE format('CREATE INDEX ON x USING hnsw (v vector_l2_ops) WITH (%s)', options);
    INSERT INTO x SELECT i, wide(i, dims) FROM generate_series(61, 120) i;
    DELETE FROM x WHERE id % 5 = 0;
    FOR i IN 1..120 LOOP
        SELECT id INTO n FROM x ORDER BY v <-> wide(i, dims)::vector LIMIT 1;
        IF dims > 1 AND i % 5 <> 0 AND n <> i THEN wrong := wrong + 1; END IF;
        IF i % 5 <> 0 AND (SELECT v <-> wide(i, dims)::vector FROM x WHERE id = n) > 1e-6 THEN wrong := wrong + 1; END IF;
    END LOOP;
    SELECT count(*) INTO n FROM (SELECT id FROM x ORDER BY v <-> wide(1, dims)::vector LIMIT 1000) s;
    DROP TABLE x;
    RETURN format('%s wrong, %s rows', wrong, n);
END $$;
SELECT check_index(1, 'm = 4');
SELECT check_index(2000, 'quantization = none');
SELECT check_index(2001, 'quantization = sq4');
SELECT check_index(16000, 'quantization = sq4');
SELECT check_index(2000, 'quantization = none, m = 100, ef_construction = 200');
SELECT check_index(2000, 'm = 100, ef_construction = 200');
SELECT check_index(7500, 'm = 16');
SELECT check_index(8000, 'm = 40, ef_construction = 100');
CREATE TABLE x (v vector(16000));
CREATE INDEX ON x USING hnsw (v vector_l2_ops);
CREATE INDEX ON x USING hnsw (v vector_l2_ops) WITH (quantization = none);
DROP TABLE x;

-- A build that does not fit into maintenance_work_mem goes on over pages.
CREATE TABLE m (id int PRIMARY KEY, v vector(100));
INSERT INTO m SELECT i, wide(i, 100) FROM generate_series(1, 5000) i;
SET maintenance_work_mem = '1MB';
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE INDEX ON m USING hnsw (v vector_l2_ops);
RESET client_min_messages;
RESET maintenance_work_mem;
SELECT count(*) >= 48 AS found FROM generate_series(1, 5000, 97) i WHERE i = (SELECT id FROM m ORDER BY v <-> wide(i, 100)::vector LIMIT 1);
REINDEX INDEX m_v_idx;
SELECT count(*) >= 48 AS found FROM generate_series(1, 5000, 97) i WHERE i = (SELECT id FROM m ORDER BY v <-> wide(i, 100)::vector LIMIT 1);
REINDEX INDEX CONCURRENTLY m_v_idx;
SELECT count(*) >= 48 AS found FROM generate_series(1, 5000, 97) i WHERE i = (SELECT id FROM m ORDER BY v <-> wide(i, 100)::vector LIMIT 1);
DROP TABLE m;

-- Wide vectors: searches of a build look at one-bit codes first, where maintenance_work_mem holds them beside the graph,
-- which makes another graph, though the same one by any number of workers.
CREATE TABLE m (id int, v vector(600)) WITH (parallel_workers = 2);
INSERT INTO m SELECT i, wide(i % 40, 600)::vector + wide(i, 600)::vector FROM generate_series(1, 1250) i;
CREATE FUNCTION built(memory text, workers int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('maintenance_work_mem', memory, true), set_config('max_parallel_maintenance_workers', workers::text, true);
    DROP INDEX IF EXISTS m_v;
    CREATE INDEX m_v ON m USING hnsw (v vector_l2_ops);
    PERFORM vectorext_index_assert('m_v', true);
    RETURN (SELECT value FROM vectorext_index_stats('m_v') WHERE name = 'fingerprint');
END $$;
SET client_min_messages = warning;
SELECT built('1MB', 0) AS without, built('128MB', 0) AS alone, built('128MB', 2) AS together \gset
RESET client_min_messages;
SELECT :'alone' = :'together' AS same, :'alone' = :'without' AS same_without;
SELECT count(*) >= 48 AS found FROM generate_series(1, 1250, 25) i WHERE i = (SELECT id FROM m ORDER BY v <-> wide(i % 40, 600)::vector + wide(i, 600)::vector LIMIT 1);
DROP TABLE m;
DROP FUNCTION built;

-- Unlogged, temporary and partitioned tables.
CREATE UNLOGGED TABLE u (id int, v vector(2));
CREATE INDEX ON u USING hnsw (v vector_l2_ops);
INSERT INTO u SELECT i, ARRAY[i, i]::vector FROM generate_series(1, 100) i;
SELECT id FROM u ORDER BY v <-> '[50,50]' LIMIT 1;
DROP TABLE u;
CREATE TEMP TABLE u (id int, v vector(2));
INSERT INTO u SELECT i, ARRAY[i, i]::vector FROM generate_series(1, 100) i;
CREATE INDEX ON u USING hnsw (v vector_l2_ops);
INSERT INTO u SELECT i, ARRAY[i, i]::vector FROM generate_series(101, 200) i;
DELETE FROM u WHERE id = 150;
VACUUM u;
SELECT id FROM u ORDER BY v <-> '[150.1,150.1]' LIMIT 2;
DROP TABLE u;
CREATE TABLE q (id int, part int, v vector(2)) PARTITION BY LIST (part);
CREATE TABLE q0 PARTITION OF q FOR VALUES IN (0);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
INSERT INTO q SELECT i, i % 2, ARRAY[i, i]::vector FROM generate_series(1, 100) i;
CREATE INDEX ON q USING hnsw (v vector_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM q ORDER BY v <-> '[50,50]' LIMIT 3;
SELECT id FROM q ORDER BY v <-> '[50.1,50]' LIMIT 3;
DROP TABLE q;
DROP FUNCTION check_index, wide;
