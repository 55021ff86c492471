-- CREATE INDEX USING ivfflat: options, operator classes, errors, tables without rows.
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, v vector(4), h halfvec(4), b bit(12));
INSERT INTO t SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17]::vector, ARRAY[i % 7, i % 11, i % 13, 1]::halfvec,
	(i * 37 % 4096)::bit(12) FROM generate_series(1, 1000) i;
RESET client_min_messages;

-- the default operator class is that of Euclidean distance
CREATE INDEX d ON t USING ivfflat (v);
SELECT pg_get_indexdef('d'::regclass);
DROP INDEX d;

-- all of them
SELECT opcname, opcintype::regtype, opcdefault FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod WHERE amname = 'ivfflat' ORDER BY 2, 1;
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod WHERE amname = 'ivfflat' AND NOT amvalidate(c.oid);

-- lists
CREATE INDEX i ON t USING ivfflat (v) WITH (lists = 10);
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (v) WITH (lists = 0);
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (v) WITH (lists = -1);
CREATE INDEX i ON t USING ivfflat (v) WITH (lists = 32769);
CREATE INDEX i ON t USING ivfflat (v) WITH (lists = 2000); -- more than rows
SET enable_seqscan = off;
SELECT id FROM t ORDER BY v <-> '[3,3,3,3]', id LIMIT 3;
DROP INDEX i;

-- quantization
CREATE INDEX i ON t USING ivfflat (v) WITH (quantization = none);
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (v) WITH (quantization = sq8);
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (v) WITH (quantization = rabitq);
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (v) WITH (quantization = sq4);
CREATE INDEX i ON t USING ivfflat (v vector_l1_ops) WITH (quantization = rabitq);
CREATE INDEX i ON t USING ivfflat (b bit_hamming_ops) WITH (quantization = rabitq);
CREATE INDEX i ON t USING ivfflat (b bit_hamming_ops) WITH (quantization = sq8);

-- what cannot be indexed
CREATE INDEX i ON t USING ivfflat (id);
CREATE INDEX i ON t USING ivfflat (v, h);
CREATE UNIQUE INDEX i ON t USING ivfflat (v);
CREATE TABLE u (v vector, s sparsevec(4), one vector(1), wide vector(8132), wider vector(8133), vb varbit(8));
CREATE INDEX ON u USING ivfflat (v);
CREATE INDEX ON u USING ivfflat (s);
CREATE INDEX ON u USING ivfflat (one vector_cosine_ops);
CREATE INDEX ON u USING ivfflat (one vector_ip_ops);
CREATE INDEX ON u USING ivfflat (wider);
CREATE INDEX ON u USING ivfflat (wide vector_l2_ops) WITH (quantization = none);
CREATE INDEX ON u USING ivfflat (vb bit_hamming_ops);
CREATE INDEX u_wide ON u USING ivfflat (wide);
INSERT INTO u (wide) SELECT array_agg(d * i % 10)::vector FROM generate_series(1, 3) i, generate_series(1, 8132) d GROUP BY i;
SELECT wide <-> (SELECT wide FROM u LIMIT 1) AS distance FROM u ORDER BY wide <-> (SELECT wide FROM u LIMIT 1) LIMIT 2;
REINDEX INDEX u_wide;
SELECT count(*) FROM (SELECT 1 FROM u ORDER BY wide <-> (SELECT wide FROM u LIMIT 1) LIMIT 3) s;

-- memory
SET maintenance_work_mem = '1MB';
CREATE TABLE m (v vector(1000));
INSERT INTO m SELECT array_fill(i, ARRAY[1000])::vector FROM generate_series(1, 2000) i;
CREATE INDEX m_idx ON m USING ivfflat (v);
SET maintenance_work_mem = '3 MB';
CREATE INDEX m_idx ON m USING ivfflat (v);
RESET maintenance_work_mem;

-- tables without rows, and rows that come later
CREATE TABLE e (id int, v vector(3));
CREATE INDEX e_idx ON e USING ivfflat (v vector_cosine_ops);
SELECT id FROM e ORDER BY v <=> '[1,2,3]' LIMIT 3;
INSERT INTO e SELECT i, ARRAY[i, i % 5, 1]::vector FROM generate_series(1, 500) i;
INSERT INTO e VALUES (501, '[0,0,0]'), (502, NULL);
SELECT id FROM e ORDER BY v <=> '[1,1,1]' LIMIT 3;
SELECT count(*) FROM (SELECT id FROM e ORDER BY v <=> '[1,1,1]') s;
REINDEX INDEX e_idx;
SELECT id FROM e ORDER BY v <=> '[1,1,1]' LIMIT 3;
INSERT INTO e VALUES (503, '[1,2]');
INSERT INTO e VALUES (503, '[1,1,1]');
SELECT id FROM e ORDER BY v <=> '[1,1,1]' LIMIT 2;
TRUNCATE e;
SELECT count(*) FROM (SELECT id FROM e ORDER BY v <=> '[1,1,1]') s;
DROP TABLE t, u, m, e;
