-- Every operator class of ivfflat gives the exact scan's rows when all lists are probed.
CREATE TABLE t (id int PRIMARY KEY, v vector(20), h halfvec(20), b bit(64));
INSERT INTO t SELECT i, x, x::halfvec, (hashint8extended(i % 50, 1) # (1::bigint << (i % 60)))::bit(64) FROM (
	SELECT i, (SELECT array_agg(hashint8extended(i % 30 * 100 + d, 1) / 9.3e18 + hashint8extended(i * 100 + d, 2) / 3e19 ORDER BY d)
		FROM generate_series(1, 20) d)::vector AS x FROM generate_series(1, 3000) i) s;
INSERT INTO t VALUES (3001, array_fill(0, ARRAY[20])::vector, array_fill(0, ARRAY[20])::halfvec, 0::bit(64)), (3002, NULL, NULL, NULL);

-- How many of 20 nearest rows each of 20 queries finds, of 400; ties count.
CREATE FUNCTION found(col text, op text, class text, quantization text, probes int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE q int; far float8; n int; total int := 0; exact float8[] := '{}';
BEGIN
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_seqscan = on;
	FOR q IN 1..20 LOOP
		EXECUTE format('SELECT max(d) FROM (SELECT %1$I %2$s (SELECT %1$I FROM t WHERE id = %3$s) AS d FROM t ORDER BY d LIMIT 20) s', col, op, q * 97) INTO far;
		exact := exact || far;
	END LOOP;
	EXECUTE format('CREATE INDEX i ON t USING ivfflat (%I %s) WITH (lists = 12, quantization = %s)', col, class, quantization);
	SET LOCAL enable_indexscan = on;
	SET LOCAL enable_seqscan = off;
	PERFORM set_config('ivfflat.probes', probes::text, true);
	FOR q IN 1..20 LOOP
		EXECUTE format('SELECT count(*) FILTER (WHERE d <= $1) FROM (SELECT %1$I %2$s (SELECT %1$I FROM t WHERE id = %3$s) AS d FROM t
			ORDER BY %1$I %2$s (SELECT %1$I FROM t WHERE id = %3$s) LIMIT 20) s', col, op, q * 97) INTO n USING exact[q];
		total := total + n;
	END LOOP;
	DROP INDEX i;
	RETURN total;
END $$;

SELECT col, op, quantization, CASE WHEN quantization IN ('rabitq', 'bits') THEN n >= 396 ELSE n = 400 END AS all_found
FROM (VALUES ('v', '<->', 'vector_l2_ops'), ('v', '<#>', 'vector_ip_ops'), ('v', '<=>', 'vector_cosine_ops'), ('v', '<+>', 'vector_l1_ops'),
	('h', '<->', 'halfvec_l2_ops'), ('h', '<#>', 'halfvec_ip_ops'), ('h', '<=>', 'halfvec_cosine_ops'), ('h', '<+>', 'halfvec_l1_ops'),
	('b', '<~>', 'bit_hamming_ops'), ('b', '<%>', 'bit_jaccard_ops')) k(col, op, class),
	LATERAL unnest(CASE WHEN col = 'b' THEN '{none}' WHEN op = '<+>' THEN '{none,sq8}' ELSE '{none,sq8,rabitq,bits}' END::text[]) quantization,
	LATERAL found(col, op, class, quantization, 12) n;

-- Few lists find most.
SELECT found('v', '<->', 'vector_l2_ops', 'rabitq', 4) >= 380 AS l2, found('v', '<#>', 'vector_ip_ops', 'rabitq', 6) >= 340 AS ip,
	found('h', '<=>', 'halfvec_cosine_ops', 'rabitq', 4) >= 380 AS cosine, found('b', '<~>', 'bit_hamming_ops', 'none', 4) >= 340 AS hamming;

-- Rows that no distance orders are returned all the same.
CREATE INDEX i ON t USING ivfflat (v vector_cosine_ops) WITH (lists = 12);
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> array_fill(0, ARRAY[20])::vector) s;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> (SELECT NULL::vector)) s;
DROP INDEX i;
CREATE INDEX i ON t USING ivfflat (b bit_hamming_ops) WITH (lists = 12);
SELECT count(*) FROM (SELECT id FROM t ORDER BY b <~> (SELECT NULL::bit)) s;
SELECT id FROM t ORDER BY b <~> '101' LIMIT 1;
DROP INDEX i;

-- An index on an expression, a partial one, and one over rows of another type.
CREATE INDEX i ON t USING ivfflat ((v::halfvec(20)) halfvec_l2_ops) WITH (lists = 5) WHERE id <= 1000;
SELECT id FROM t WHERE id <= 1000 ORDER BY v::halfvec(20) <-> (SELECT h FROM t WHERE id = 77) LIMIT 1;
INSERT INTO t (id, v) SELECT -1, v FROM t WHERE id = 77;
SELECT id FROM t WHERE id <= 1000 ORDER BY v::halfvec(20) <-> (SELECT h FROM t WHERE id = 77), id LIMIT 2;
DROP TABLE t;
DROP FUNCTION found;
