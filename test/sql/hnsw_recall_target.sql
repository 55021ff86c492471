-- hnsw.recall_target: ef_search by what an index has measured of its recall.
SET enable_seqscan = off;
CREATE FUNCTION vec(i int) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(hashint8extended(i % 20 * 100 + d, 1) / 9.3e18 + hashint8extended(i * 100 + d, 2) / 9.3e18)::real[]::vector FROM generate_series(1, 24) d $$;
CREATE TABLE t (id int, v vector(24));
INSERT INTO t SELECT i, vec(i) FROM generate_series(1, 3000) i;
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops) WITH (m = 6, ef_construction = 20);

-- Measured by the build; recall ascends with ef_search.
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
CREATE TEMP TABLE curve AS SELECT * FROM vectorext_calibrate('t_idx');
SELECT min(value), count(*) BETWEEN 4 AND 12 AS steps, min(recall) < 0.95 AS little, max(recall) > 0.99 AS nearly_all FROM curve;
SELECT count(*) FROM curve a JOIN curve b ON a.value < b.value AND a.recall > b.recall;

-- What a target costs and brings: more of both than a lower one. Queries are no rows.
CREATE FUNCTION found(target float8, k int, OUT recall float8, OUT scored float8) LANGUAGE plpgsql AS $$
DECLARE q vector; truth int[]; ids int[]; n int := 0;
BEGIN
	recall := 0; scored := 0;
	FOR i IN 10001..10100 LOOP
		q := vec(i);
		PERFORM set_config('enable_indexscan', 'off', true);
		SELECT array_agg(id) INTO truth FROM (SELECT id FROM t ORDER BY v <-> q LIMIT k) s;
		PERFORM set_config('enable_indexscan', 'on', true), set_config('hnsw.recall_target', target::text, true);
		SELECT array_agg(id) INTO ids FROM (SELECT id FROM t ORDER BY v <-> q LIMIT k) s;
		SELECT found.recall + count(*) / (100.0 * k) INTO recall FROM unnest(ids) x WHERE x = ANY (truth);
		SELECT found.scored + s.scored / 100.0 INTO scored FROM vectorext_last_scan() s;
	END LOOP;
END $$;
CREATE TEMP TABLE results AS SELECT target, k, f.* FROM unnest('{0.8, 0.95, 0.99}'::float8[]) target, unnest('{10, 50}'::int[]) k, found(target, k) f;
SELECT target, k, recall >= target - 0.02 AS enough FROM results ORDER BY 1, 2;
SELECT a.target, a.k FROM results a JOIN results b ON a.k = b.k AND a.target < b.target AND a.scored >= b.scored;

-- Many changes make it stale; it is measured again by hand.
INSERT INTO t SELECT i, vec(i) FROM generate_series(3001, 3500) i;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
DELETE FROM t WHERE id <= 300;
VACUUM t;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
SELECT count(*) > 0 FROM vectorext_calibrate('t_idx');
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';

-- Not measured: hnsw.ef_search counts. An index of fewer than eleven nodes has nothing to measure.
SET hnsw.calibration_samples = 0;
REINDEX INDEX t_idx;
RESET hnsw.calibration_samples;
SELECT name, value FROM vectorext_index_stats('t_idx') WHERE name ~ 'calibration';
SET hnsw.recall_target = 0.99;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> vec(1) LIMIT 60) s;
CREATE TABLE e (v vector(3));
CREATE INDEX e_idx ON e USING hnsw (v vector_l2_ops);
SELECT * FROM vectorext_calibrate('e_idx');
INSERT INTO e SELECT ARRAY[i, 1, 1]::vector FROM generate_series(1, 10) i;
SELECT * FROM vectorext_calibrate('e_idx');
INSERT INTO e VALUES ('[11,1,1]');
SELECT count(*) > 0 FROM vectorext_calibrate('e_idx');
SELECT count(*) FROM (SELECT v FROM e ORDER BY v <-> '[3,3,3]' LIMIT 20) s;
RESET hnsw.recall_target;

-- Codes of every kind.
CREATE TABLE s (v vector(24), b bit(24), sp sparsevec(24));
INSERT INTO s SELECT x, binary_quantize(x), x::sparsevec FROM (SELECT vec(i) AS x FROM generate_series(1, 600) i) y;
CREATE INDEX s_none ON s USING hnsw (v vector_cosine_ops) WITH (quantization = none);
CREATE INDEX s_sq4 ON s USING hnsw (v vector_ip_ops) WITH (quantization = sq4);
CREATE INDEX s_bit ON s USING hnsw (b bit_hamming_ops);
CREATE INDEX s_sparse ON s USING hnsw (sp sparsevec_l1_ops);
SELECT i, (SELECT max(recall) > 0.95 FROM vectorext_calibrate(i)) FROM unnest('{s_none,s_sq4,s_bit,s_sparse}'::regclass[]) i;
SELECT name, value FROM vectorext_index_stats('s_sparse') WHERE name ~ 'calibration';

-- Errors.
SET hnsw.recall_target = 1;
SELECT vectorext_calibrate('t');
CREATE ROLE calibrate_nobody;
SET ROLE calibrate_nobody;
SELECT vectorext_calibrate('t_idx');
RESET ROLE;
DROP ROLE calibrate_nobody;
DROP TABLE t, e, s, curve, results;
DROP FUNCTION found(float8, int), vec(int);
RESET enable_seqscan;
