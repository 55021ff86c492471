-- hnsw over halfvec and bit.
SET enable_seqscan = off;
CREATE TABLE t (id int PRIMARY KEY, v halfvec(3));
INSERT INTO t VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[1,1,1]'), (4, NULL);
CREATE INDEX t_l2 ON t USING hnsw (v halfvec_l2_ops);
INSERT INTO t VALUES (5, '[1,2,4]');
EXPLAIN (COSTS OFF) SELECT id FROM t ORDER BY v <-> '[3,3,3]' LIMIT 10;
SELECT id, v <-> '[3,3,3]' AS distance FROM t ORDER BY v <-> '[3,3,3]' LIMIT 10;
SELECT id FROM t ORDER BY v <-> '[1,2]' LIMIT 1;
DROP INDEX t_l2;
CREATE INDEX t_ip ON t USING hnsw (v halfvec_ip_ops) WITH (quantization = none);
SELECT id, v <#> '[3,3,3]' AS distance FROM t ORDER BY v <#> '[3,3,3]' LIMIT 10;
DROP INDEX t_ip;
CREATE INDEX t_cosine ON t USING hnsw (v halfvec_cosine_ops);
SELECT id, round((v <=> '[3,3,3]')::numeric, 6) AS distance FROM t ORDER BY v <=> '[3,3,3]' LIMIT 10;
DROP INDEX t_cosine;
CREATE INDEX t_l1 ON t USING hnsw (v halfvec_l1_ops);
SELECT id, v <+> '[3,3,3]' AS distance FROM t ORDER BY v <+> '[3,3,3]' LIMIT 10;
DROP TABLE t;

-- The rows of the exact scan, by every metric.
CREATE FUNCTION wide(seed int, n int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
    'SELECT array_agg(((hashint4(seed * 65537 + d) % 1000) / 1000.0)::real ORDER BY d) FROM generate_series(1, n) d';
CREATE TABLE h (id int PRIMARY KEY, v halfvec(100));
INSERT INTO h SELECT i, wide(i, 100)::halfvec FROM generate_series(1, 1000) i;
SET hnsw.ef_search = 1000;
CREATE FUNCTION wrong(op text, options text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format('CREATE INDEX h_idx ON h USING hnsw (v %s) WITH (%s)',
        CASE op WHEN '<->' THEN 'halfvec_l2_ops' WHEN '<=>' THEN 'halfvec_cosine_ops' WHEN '<#>' THEN 'halfvec_ip_ops' ELSE 'halfvec_l1_ops' END, options);
    EXECUTE format('SELECT count(*) FROM generate_series(2001, 2020) q,
        LATERAL (SELECT array_agg(d ORDER BY d) AS found FROM (SELECT v %1$s wide(q, 100)::halfvec AS d FROM h ORDER BY v %1$s wide(q, 100)::halfvec LIMIT 20) s) i,
        LATERAL (SELECT array_agg(d ORDER BY d) AS exact FROM (SELECT v %1$s wide(q, 100)::halfvec AS d FROM h ORDER BY 1 + (v %1$s wide(q, 100)::halfvec) LIMIT 20) s) e
        WHERE found IS DISTINCT FROM exact', op) INTO n;
    DROP INDEX h_idx;
    RETURN n;
END $$;
SELECT op, options, wrong(op, options) FROM unnest(ARRAY['<->', '<=>', '<#>', '<+>']) op, unnest(ARRAY['m = 16', 'quantization = none', 'quantization = sq4']) options;
CREATE TABLE x (v halfvec(4000), w halfvec(16000));
CREATE INDEX ON x USING hnsw (v halfvec_l2_ops) WITH (quantization = none);
CREATE INDEX ON x USING hnsw (w halfvec_l2_ops);
CREATE INDEX ON x USING hnsw (w halfvec_l2_ops) WITH (quantization = sq4);
DROP TABLE x;

-- bit
CREATE TABLE b (id int PRIMARY KEY, v bit(4), w varbit(4));
INSERT INTO b VALUES (1, '0000', '00'), (2, '1111', '1'), (3, '1110', '0'), (4, '0011', '1'), (5, NULL, NULL);
CREATE INDEX b_hamming ON b USING hnsw (v bit_hamming_ops);
INSERT INTO b VALUES (6, '1100', '1');
SELECT id, v <~> B'1110' AS distance FROM b ORDER BY v <~> B'1110' LIMIT 3;
SELECT id FROM b ORDER BY v <~> B'111' LIMIT 3;
DROP INDEX b_hamming;
CREATE INDEX b_jaccard ON b USING hnsw (v bit_jaccard_ops);
SELECT id, round((v <%> B'1110')::numeric, 4) AS distance FROM b ORDER BY v <%> B'1110' LIMIT 4;
DROP INDEX b_jaccard;
CREATE INDEX ON b USING hnsw (w bit_hamming_ops);
CREATE INDEX ON b USING hnsw (v bit_hamming_ops) WITH (quantization = sq8);
DROP TABLE b;
CREATE TABLE b (id int PRIMARY KEY, v bit(64000));
INSERT INTO b SELECT i, (SELECT string_agg((('x' || md5((i * 1000 + d)::text))::bit(128))::text, '') FROM generate_series(1, 500) d)::bit(64000) FROM generate_series(1, 30) i;
CREATE INDEX ON b USING hnsw (v bit_hamming_ops);
INSERT INTO b SELECT i, (SELECT string_agg((('x' || md5((i * 1000 + d)::text))::bit(128))::text, '') FROM generate_series(1, 500) d)::bit(64000) FROM generate_series(31, 60) i;
SELECT count(*) FROM b q WHERE id = (SELECT id FROM b ORDER BY v <~> q.v LIMIT 1);
DROP TABLE b, h;
CREATE TABLE b (v bit(64001));
CREATE INDEX ON b USING hnsw (v bit_hamming_ops);
DROP TABLE b;
DROP FUNCTION wide, wrong;
