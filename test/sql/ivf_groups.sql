-- ivfflat with so many lists that they are in groups: searches look for near lists in the nearest groups first.
SET client_min_messages = warning;
SET enable_seqscan = off;
CREATE TABLE g (id int PRIMARY KEY, v vector(64), s vector(8), b bit(96));
INSERT INTO g SELECT i, v, ARRAY[v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]]::vector, left(binary_quantize(v)::text || binary_quantize(v)::text, 96)::bit(96) FROM (
	SELECT i, (SELECT array_agg(hashint8extended(i % 60 * 1000 + d, 1) / 9.3e18 + 0.5 * hashint8extended(i * 1000 + d, 2) / 9.3e18)
		FROM generate_series(1, 64) d)::real[]::vector AS v FROM generate_series(1, 5000) i) x;
CREATE FUNCTION stat(idx regclass, what text) RETURNS text LANGUAGE sql AS 'SELECT value FROM vectorext_index_stats($1) WHERE name = $2';

-- from 2,000 lists on
CREATE INDEX few ON g USING ivfflat (v vector_l2_ops) WITH (lists = 1999);
SELECT stat('few', 'lists') AS lists, stat('few', 'groups of lists') AS groups;
DROP INDEX few;
CREATE INDEX g_v ON g USING ivfflat (v vector_l2_ops) WITH (lists = 2500);
SELECT stat('g_v', 'lists') AS lists, stat('g_v', 'groups of lists')::int BETWEEN 80 AND 100 AS groups;
SELECT severity, message FROM vectorext_index_check('g_v', true) WHERE severity <> 'info';

-- a row is found in the first list
CREATE FUNCTION found(col text, op text, n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM (SELECT * FROM g ORDER BY id LIMIT %3$s) q WHERE EXISTS (SELECT FROM
		(SELECT %1$I AS x FROM g ORDER BY %1$I %2$s q.%1$I LIMIT 1) r WHERE r.x = q.%1$I)', col, op, n) INTO result;
	RETURN result;
END $$;
SET ivfflat.iterative_scan = off;
SELECT found('v', '<->', 300) >= 298 AS itself;

-- recall of a search of a part of the lists, and that of all
CREATE FUNCTION recall(op text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE q vector; truth int[]; result int[]; hits int := 0;
BEGIN
	FOR i IN 1..40 LOOP
		q := (SELECT avg(v) FROM g WHERE id IN (i, i + 60));
		SET LOCAL enable_indexscan = off;
		SET LOCAL enable_seqscan = on;
		EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM g ORDER BY v %s $1 LIMIT 10) s', op) INTO truth USING q;
		SET LOCAL enable_indexscan = on;
		SET LOCAL enable_seqscan = off;
		EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM g ORDER BY v %s $1 LIMIT 10) s', op) INTO result USING q;
		hits := hits + (SELECT count(*) FROM unnest(truth) t WHERE t = ANY (result));
	END LOOP;
	RETURN hits / 400.0;
END $$;
SET ivfflat.probes = 60;
SELECT recall('<->') >= 0.9 AS of_some;
SET ivfflat.probes = 2500;
SELECT recall('<->') >= 0.99 AS of_all;
SET ivfflat.probes = 1;
SET ivfflat.recall_target = 0.9;
SELECT recall('<->') >= 0.8 AS of_target;
RESET ivfflat.recall_target;

-- no row is lost: the scan goes on to further groups until all lists were scanned
SET ivfflat.iterative_scan = relaxed_order;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY v <-> (SELECT v FROM g WHERE id = 7) LIMIT 10000) s;
SET ivfflat.probes = 700;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY v <-> (SELECT v FROM g WHERE id = 8) LIMIT 10000) s;
SET ivfflat.iterative_scan = strict_order;
SELECT count(*) >= 4990, count(*) = count(DISTINCT id) AND bool_and(ordered) FROM (SELECT id, d >= lag(d, 1, 0) OVER () AS ordered FROM
	(SELECT id, v <-> (SELECT v FROM g WHERE id = 9) AS d FROM g ORDER BY v <-> (SELECT v FROM g WHERE id = 9) LIMIT 10000) s) s;
SET ivfflat.probes = 1;
SET ivfflat.max_probes = 40;
SELECT count(*) BETWEEN 41 AND 1000 FROM (SELECT id FROM g ORDER BY v <-> (SELECT v FROM g WHERE id = 9) LIMIT 10000) s;
RESET ivfflat.max_probes;

-- inserts go where a search looks first
INSERT INTO g SELECT id + 10000, v, s, b FROM g WHERE id <= 300;
SET ivfflat.iterative_scan = off;
SELECT count(*) FROM g q WHERE id > 10000 AND q.id IN (SELECT id FROM g ORDER BY v <-> q.v LIMIT 10);
RESET ivfflat.iterative_scan;
SELECT severity, message FROM vectorext_index_check('g_v', true) WHERE severity <> 'info';
DELETE FROM g WHERE id > 10000;
VACUUM g;
SELECT stat('g_v', 'rows') AS rows;
SELECT stat('g_v', 'fingerprint') AS fingerprint \gset
REINDEX INDEX g_v;
SELECT severity, message FROM vectorext_index_check('g_v', true) WHERE severity <> 'info';
SELECT stat('g_v', 'rows') AS rows, stat('g_v', 'calibration') AS calibration;
DROP INDEX g_v;

-- under other metrics, without 1-bit codes, and of bits
CREATE INDEX g_v ON g USING ivfflat (v vector_ip_ops) WITH (lists = 2500);
SET ivfflat.probes = 100;
SELECT recall('<#>') >= 0.9 AS inner_product;
SELECT severity, message FROM vectorext_index_check('g_v', true) WHERE severity <> 'info';
DROP INDEX g_v;
CREATE INDEX g_v ON g USING ivfflat (v vector_cosine_ops) WITH (lists = 2500, quantization = none);
SELECT recall('<=>') >= 0.9 AS cosine;
DROP INDEX g_v;
SET ivfflat.probes = 1;
CREATE INDEX g_s ON g USING ivfflat (s vector_l2_ops) WITH (lists = 2500);
SET ivfflat.iterative_scan = off;
SELECT stat('g_s', 'groups of lists')::int BETWEEN 80 AND 100 AS groups, found('s', '<->', 300) >= 298 AS itself;
SET ivfflat.iterative_scan = relaxed_order;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY s <-> (SELECT s FROM g WHERE id = 7) LIMIT 10000) s;
SELECT severity, message FROM vectorext_index_check('g_s', true) WHERE severity <> 'info';
CREATE INDEX g_b ON g USING ivfflat (b bit_hamming_ops) WITH (lists = 2500);
SELECT stat('g_b', 'groups of lists')::int BETWEEN 80 AND 100 AS groups, found('b', '<~>', 300) >= 298 AS itself;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM g ORDER BY b <~> (SELECT b FROM g WHERE id = 7) LIMIT 10000) s;
SELECT severity, message FROM vectorext_index_check('g_b', true) WHERE severity <> 'info';
DROP TABLE g;
DROP FUNCTION found(text, text, int), recall(text), stat(regclass, text);
