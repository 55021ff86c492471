-- ivfflat.recall_target: probes by what an index has measured of its recall.
SET enable_seqscan = off;
CREATE FUNCTION vec(i int) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(hashint8extended(i % 40 * 100 + d, 1) / 9.3e18 + 2 * (hashint8extended(i * 100 + d, 2) / 9.3e18))::real[]::vector FROM generate_series(1, 64) d $$;
CREATE TABLE t (id int, v vector(64));
INSERT INTO t SELECT i, vec(i) FROM generate_series(1, 4000) i;
CREATE INDEX t_idx ON t USING ivfflat (v vector_l2_ops) WITH (lists = 60);

-- Measured by the build; recall ascends with probes, up to all that there is.
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
CREATE TEMP TABLE curve AS SELECT * FROM vectorext_calibrate('t_idx');
SELECT DISTINCT setting FROM curve;
SELECT count(*) BETWEEN 4 AND 12 AS steps, min(recall) < 0.9 AS little, max(recall) AS most, max(value) <= 60 AS possible FROM curve;
SELECT count(*) FROM curve a JOIN curve b ON a.value < b.value AND a.recall >= b.recall;

-- What a target costs and brings: more of both than a lower one. Queries are no rows.
CREATE FUNCTION found(target float8, k int, OUT recall float8, OUT visited float8) LANGUAGE plpgsql AS $$
DECLARE q vector; truth int[]; ids int[];
BEGIN
	recall := 0; visited := 0;
	FOR i IN 10001..10100 LOOP
		q := vec(i);
		PERFORM set_config('enable_indexscan', 'off', true);
		SELECT array_agg(id) INTO truth FROM (SELECT id FROM t ORDER BY v <-> q LIMIT k) s;
		PERFORM set_config('enable_indexscan', 'on', true), set_config('ivfflat.recall_target', target::text, true);
		SELECT array_agg(id) INTO ids FROM (SELECT id FROM t ORDER BY v <-> q LIMIT k) s;
		SELECT found.recall + count(*) / (100.0 * k) INTO recall FROM unnest(ids) x WHERE x = ANY (truth);
		SELECT found.visited + s.visited / 100.0 INTO visited FROM vectorext_last_scan() s;
	END LOOP;
END $$;
CREATE TEMP TABLE results AS SELECT target, k, f.* FROM unnest('{0.8, 0.9, 0.99}'::float8[]) target, unnest('{10, 50}'::int[]) k, found(target, k) f;
SELECT target, k, recall >= target - 0.03 AS enough FROM results ORDER BY 1, 2;
SELECT a.target, a.k FROM results a JOIN results b ON a.k = b.k AND a.target < b.target AND a.visited >= b.visited;

-- Many changes make it stale; it is measured again by hand.
INSERT INTO t SELECT i, vec(i) FROM generate_series(4001, 4500) i;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ '^calibration';
DELETE FROM t WHERE id <= 500;
VACUUM t;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ '^calibration';
SELECT count(*) > 0 FROM vectorext_calibrate('t_idx');
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';

-- Not measured: ivfflat.probes counts. An index of fewer than eleven rows has nothing to measure, nor has one without
-- codes of its rows.
SET ivfflat.calibration_samples = 0;
REINDEX INDEX t_idx;
RESET ivfflat.calibration_samples;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
SET ivfflat.recall_target = 0.99;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> vec(1) LIMIT 10) s;
CREATE TABLE e (v vector(3));
CREATE INDEX e_idx ON e USING ivfflat (v vector_l2_ops);
SELECT * FROM vectorext_calibrate('e_idx');
INSERT INTO e SELECT ARRAY[i, 1, 1]::vector FROM generate_series(1, 10) i;
SELECT * FROM vectorext_calibrate('e_idx');
INSERT INTO e VALUES ('[11,1,1]');
SELECT * FROM vectorext_calibrate('e_idx');
SELECT count(*) FROM (SELECT v FROM e ORDER BY v <-> '[3,3,3]' LIMIT 20) s;
RESET ivfflat.recall_target;

-- Codes and types of every kind, and more rows than all are looked at of.
CREATE TABLE s (v vector(64), h halfvec(64), b bit(64));
INSERT INTO s SELECT x, x, binary_quantize(x) FROM (SELECT vec(i) AS x FROM generate_series(1, 1500) i) y;
CREATE INDEX s_none ON s USING ivfflat (v vector_cosine_ops) WITH (lists = 30, quantization = none);
CREATE INDEX s_sq8 ON s USING ivfflat (v vector_ip_ops) WITH (lists = 30, quantization = sq8);
CREATE INDEX s_l1 ON s USING ivfflat (v vector_l1_ops) WITH (lists = 30);
CREATE INDEX s_half ON s USING ivfflat (h halfvec_l2_ops) WITH (lists = 30);
CREATE INDEX s_half_none ON s USING ivfflat (h halfvec_ip_ops) WITH (lists = 30, quantization = none);
CREATE INDEX s_bit ON s USING ivfflat (b bit_hamming_ops) WITH (lists = 30);
CREATE INDEX s_bits ON s USING ivfflat (v vector_l2_ops) WITH (lists = 30, quantization = bits);
SELECT i, (SELECT min(recall) < 0.9 AND max(recall) = 1 AND max(value) BETWEEN 5 AND 30 FROM vectorext_calibrate(i))
	FROM unnest('{s_none,s_sq8,s_l1,s_half,s_half_none,s_bit,s_bits}'::regclass[]) i;
CREATE TABLE l (v vector(4));
INSERT INTO l SELECT ARRAY[i % 7, i % 11, i % 13, i % 31]::vector FROM generate_series(1, 21000) i;
CREATE INDEX l_idx ON l USING ivfflat (v vector_l2_ops) WITH (lists = 50);
SELECT max(recall), max(value) BETWEEN 2 AND 50 FROM vectorext_calibrate('l_idx');

-- Errors.
SET ivfflat.recall_target = 1;
CREATE ROLE ivf_calibrate_nobody;
SET ROLE ivf_calibrate_nobody;
SELECT vectorext_calibrate('t_idx');
RESET ROLE;
DROP ROLE ivf_calibrate_nobody;
DROP TABLE t, e, s, l, curve, results;
DROP FUNCTION found(float8, int), vec(int);
RESET enable_seqscan;
