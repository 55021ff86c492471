-- hnsw over sparsevec
SET enable_seqscan = off;
CREATE TABLE s (id int PRIMARY KEY, v sparsevec(5));
INSERT INTO s VALUES (1, '{}/5'), (2, '{1:1,3:2}/5'), (3, '{1:1,3:2.5}/5'), (4, '{2:-3,5:1}/5'), (5, NULL), (6, '{}/5');
CREATE INDEX s_idx ON s USING hnsw (v sparsevec_l2_ops);
INSERT INTO s VALUES (7, '{1:2,2:1,3:2,4:1,5:1}/5'), (8, '{1:1,3:2}/5'), (9, NULL);
EXPLAIN (COSTS OFF) SELECT v FROM s ORDER BY v <-> '{1:1,3:2}/5';
SELECT v, round((v <-> '{1:1,3:2}/5')::numeric, 5) AS distance FROM s ORDER BY v <-> '{1:1,3:2}/5';
SELECT v FROM s ORDER BY v <-> '{}/5' LIMIT 3;
SELECT count(*) FROM (SELECT v FROM s ORDER BY v <-> (SELECT NULL::sparsevec)) n;
SELECT id FROM s ORDER BY v <-> '{1:1}/6' LIMIT 3;
DROP INDEX s_idx;
CREATE INDEX s_idx ON s USING hnsw (v sparsevec_ip_ops);
SELECT v, v <#> '{1:1,2:1,3:2}/5' AS distance FROM s ORDER BY v <#> '{1:1,2:1,3:2}/5';
DROP INDEX s_idx;
-- Those of zero length are not there.
CREATE INDEX s_idx ON s USING hnsw (v sparsevec_cosine_ops);
INSERT INTO s VALUES (10, '{}/5'), (11, '{2:6,5:-2}/5');
SELECT v, round((v <=> '{2:1,3:2}/5')::numeric, 5) AS distance FROM s ORDER BY v <=> '{2:1,3:2}/5';
SELECT count(*) FROM (SELECT v FROM s ORDER BY v <=> '{}/5') n;
SELECT count(*) FROM (SELECT v FROM s ORDER BY v <=> (SELECT NULL::sparsevec)) n;
DROP INDEX s_idx;
CREATE INDEX s_idx ON s USING hnsw (v sparsevec_l1_ops);
SELECT v, v <+> '{1:1,3:1}/5' AS distance FROM s ORDER BY v <+> '{1:1,3:1}/5';
TRUNCATE s;
SELECT id FROM s ORDER BY v <+> '{1:1,3:1}/5';
DROP TABLE s;

-- The rows of the exact scan, by every metric: of 30,000 dimensions with many and few elements, of all there may be,
-- and of more elements than a code holds.
CREATE FUNCTION sparse(seed int, dims int, n int) RETURNS sparsevec LANGUAGE sql IMMUTABLE AS $$
    SELECT ('{' || string_agg(i || ':' || w, ',') || '}/' || dims)::sparsevec FROM (
        SELECT 1 + (hashint8(seed % 20 * 100000 + d % (n / 2 + 1))::bigint + 2147483648 + (d > n / 2)::int * hashint8(seed * 100000 + d)::bigint * 7
                    + 20000000000) % dims AS i,
               max(round((0.05 + (hashint4(seed * 65537 + d) % 1000 + 1000) / 1000.0), 3)) AS w
        FROM generate_series(1, n) d GROUP BY 1) e $$;
CREATE FUNCTION wrong(op text, opclass text) RETURNS TABLE (missed bigint, misplaced bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE INDEX w_idx ON w USING hnsw (v %s)', opclass);
    RETURN QUERY EXECUTE format('SELECT count(*) FILTER (WHERE found[1] IS DISTINCT FROM exact[1]), count(*) FILTER (WHERE found IS DISTINCT FROM exact)
        FROM queries q,
        LATERAL (SELECT array_agg(d) AS found FROM (SELECT v %1$s q.v AS d FROM w ORDER BY v %1$s q.v LIMIT 20) s) i,
        LATERAL (SELECT array_agg(d ORDER BY d) AS exact FROM (SELECT v %1$s q.v AS d FROM w ORDER BY 1 + (v %1$s q.v) LIMIT 20) s) e', op);
    DROP INDEX w_idx;
END $$;
SET hnsw.ef_search = 1000;
CREATE TABLE w (id int PRIMARY KEY, v sparsevec(30000));
CREATE TABLE queries (v sparsevec);
INSERT INTO w SELECT i, sparse(i, 30000, 5 + i % 90) FROM generate_series(1, 1000) i;
INSERT INTO queries SELECT sparse(5000 + i, 30000, 40) FROM generate_series(1, 20) i;
SELECT op, opclass, (wrong(op, opclass)).* FROM (VALUES ('<->', 'sparsevec_l2_ops'), ('<#>', 'sparsevec_ip_ops'), ('<=>', 'sparsevec_cosine_ops'), ('<+>', 'sparsevec_l1_ops')) o (op, opclass);
DROP TABLE w;
CREATE TABLE w (id int PRIMARY KEY, v sparsevec(1000000000));
INSERT INTO w SELECT i, sparse(i, 1000000000, 5 + i % 90) FROM generate_series(1, 500) i;
TRUNCATE queries;
INSERT INTO queries SELECT sparse(5000 + i, 1000000000, 40) FROM generate_series(1, 20) i;
SELECT op, opclass, (wrong(op, opclass)).* FROM (VALUES ('<->', 'sparsevec_l2_ops'), ('<#>', 'sparsevec_ip_ops'), ('<=>', 'sparsevec_cosine_ops'), ('<+>', 'sparsevec_l1_ops')) o (op, opclass);
DROP TABLE w;
CREATE TABLE w (id int PRIMARY KEY, v sparsevec(100000));
INSERT INTO w SELECT i, sparse(i, 100000, 2700 + 2000 * (i % 4)) FROM generate_series(1, 30) i;
TRUNCATE queries;
INSERT INTO queries SELECT sparse(5000 + i, 100000, 5000) FROM generate_series(1, 5) i;
SELECT op, opclass, (wrong(op, opclass)).* FROM (VALUES ('<->', 'sparsevec_l2_ops'), ('<#>', 'sparsevec_ip_ops'), ('<=>', 'sparsevec_cosine_ops'), ('<+>', 'sparsevec_l1_ops')) o (op, opclass);
CREATE INDEX ON w USING hnsw (v sparsevec_cosine_ops) WITH (m = 100, ef_construction = 200);
INSERT INTO w SELECT i, sparse(i, 100000, 2600) FROM generate_series(61, 90) i;
SELECT count(*) FROM w q WHERE id = (SELECT id FROM w ORDER BY v <=> q.v LIMIT 1);
DROP TABLE w;

-- A graph that does not fit the memory: the rest is inserted.
SET client_min_messages = warning;
SET maintenance_work_mem = '1MB';
CREATE TABLE w (id int PRIMARY KEY, v sparsevec(3000));
INSERT INTO w SELECT i, sparse(i, 3000, 5 + i % 90) FROM generate_series(1, 4000) i;
CREATE INDEX ON w USING hnsw (v sparsevec_l2_ops) WITH (m = 8, ef_construction = 32);
RESET maintenance_work_mem;
RESET client_min_messages;
SELECT count(*) >= 190 AS found FROM w q WHERE id % 20 = 0 AND q.v <-> (SELECT v FROM w ORDER BY v <-> q.v LIMIT 1) = 0;
DROP TABLE w;

-- Every element that a sparsevec may have.
CREATE TABLE w (id int PRIMARY KEY, v sparsevec(16000));
INSERT INTO w SELECT i, array_fill(i::real, ARRAY[16000])::vector::sparsevec FROM generate_series(1, 5) i;
CREATE INDEX ON w USING hnsw (v sparsevec_l2_ops) WITH (m = 100, ef_construction = 200);
INSERT INTO w SELECT i, array_fill(i::real, ARRAY[16000])::vector::sparsevec FROM generate_series(6, 10) i;
SELECT id FROM w ORDER BY v <-> array_fill(4.2::real, ARRAY[16000])::vector::sparsevec LIMIT 4;
DROP TABLE w;

CREATE TABLE w (v sparsevec, n sparsevec(1000000000));
CREATE INDEX ON w USING hnsw (v sparsevec_l2_ops);
CREATE INDEX ON w USING hnsw (n sparsevec_l2_ops) WITH (quantization = none);
CREATE INDEX ON w USING hnsw (n sparsevec_l2_ops);
DROP TABLE w, queries;
DROP FUNCTION sparse, wrong;
