-- A search that knows its LIMIT ends by the distances that it finds.
SET enable_seqscan = off;
CREATE TABLE t (id int PRIMARY KEY, kind int, v vector(16));
-- Clusters of very different density.
INSERT INTO t SELECT i, i % 3, (SELECT array_agg(hashint8extended(i % 40 * 100 + d, 1) / 9.3e18 + (1 + i % 40) / 40.0 * hashint8extended(i * 100 + d, 2) / 9.3e18)
	FROM generate_series(1, 16) d)::real[]::vector FROM generate_series(1, 8000) i;
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops);
SELECT value::float8 BETWEEN 0.05 AND 1 AS growth FROM vectorext_index_stats('t_idx') WHERE name = 'growth of distances';

-- Nodes that searches for rows of the table expand, all of them, and how many of its ten nearest are found.
CREATE FUNCTION searches(query text, OUT visited int[], OUT fewest int, OUT most int, OUT recall float8) LANGUAGE plpgsql AS $$
DECLARE n int; found int[]; exact int[]; hits int := 0;
BEGIN
	FOR i IN 1..40 LOOP
		EXECUTE query INTO found USING i * 150;
		SELECT s.visited INTO n FROM vectorext_last_scan() s;
		visited[i] := n;
		SELECT array_agg(id) INTO exact FROM (SELECT id FROM t ORDER BY 1 + (v <-> (SELECT v FROM t WHERE id = i * 150)) LIMIT 10) e;
		hits := hits + (SELECT count(*) FROM unnest(exact) e WHERE e = ANY (found));
	END LOOP;
	SELECT min(x), max(x), hits / 400.0 INTO fewest, most, recall FROM unnest(visited) x;
END $$;
CREATE FUNCTION nearest(rest text) RETURNS text LANGUAGE sql AS $$
	SELECT 'SELECT array_agg(id) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = $1) ' || rest || ') s' $$;
CREATE TABLE adaptive AS SELECT * FROM searches(nearest('LIMIT 10'));
SET hnsw.adaptive_beam = off;
CREATE TABLE fixed AS SELECT * FROM searches(nearest('LIMIT 10'));
RESET hnsw.adaptive_beam;
SELECT a.fewest < 40 AS fewer, a.most > a.fewest AS differ, a.fewest >= 10 AND a.most <= 400 AS within, f.fewest >= 40 AS beam,
	a.recall >= f.recall - 0.02 AS recall FROM adaptive a, fixed f;

-- With a target of recall the beam is what was measured.
SET hnsw.recall_target = 0.9;
CREATE TABLE aimed AS SELECT * FROM searches(nearest('LIMIT 10'));
SET hnsw.adaptive_beam = off;
SELECT f.visited = a.visited AS as_measured FROM aimed a, searches(nearest('LIMIT 10')) f;
RESET hnsw.adaptive_beam;
RESET hnsw.recall_target;

-- OFFSET counts, and a LIMIT that is a parameter. Where so many are wanted as the beam has, it is the beam.
PREPARE q (int, int, int) AS SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = $1) LIMIT $2 OFFSET $3;
SET plan_cache_mode = force_generic_plan;
CREATE FUNCTION visited_by(l int, o int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE total bigint := 0;
BEGIN
	FOR i IN 1..40 LOOP
		EXECUTE format('EXECUTE q (%s, %s, %s)', i * 150, l, o);
		total := total + (SELECT visited FROM vectorext_last_scan());
	END LOOP;
	RETURN total;
END $$;
SET hnsw.iterative_scan = off;
SELECT visited_by(1, 0) < visited_by(15, 0) AS limit_counts, visited_by(1, 14) = visited_by(15, 0) AS offset_counts, visited_by(40, 0) >= 1600 AS beam;
RESET hnsw.iterative_scan;

-- Not known: without LIMIT, with rows dropped, and below a LIMIT that is not of these rows.
SELECT fewest >= 40 AS plain FROM searches(nearest(''));
SELECT fewest >= 40 AS filter FROM searches('SELECT array_agg(id) FROM (SELECT id FROM t WHERE kind < 2 ORDER BY v <-> (SELECT v FROM t WHERE id = $1) LIMIT 10) s');
SELECT fewest >= 40 AS subplan FROM searches('SELECT ARRAY(SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = $1)) FROM generate_series(1, 3) LIMIT 1');

-- Two scans of one index, each with its LIMIT.
CREATE FUNCTION two(first int, second int) RETURNS text LANGUAGE sql AS $$ SELECT format('SELECT array_agg(id) FROM (
	(SELECT id, 1 FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = $1 + 1) LIMIT %s) UNION ALL
	(SELECT id, 2 FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = $1) LIMIT %s)) s (id, place)', first, second) $$;
SELECT fewest < 40 AS own_limit FROM searches(two(40, 10));
SELECT fewest >= 40 AS own_limit FROM searches(two(10, 40));

-- Dead rows: where a first search has ended, another goes on, and there is no other way than by what that has handed out.
CREATE TABLE l (id int, v vector(2));
INSERT INTO l SELECT i, ARRAY[i, (i * 7) % 3]::vector FROM generate_series(1, 4000) i;
CREATE INDEX l_idx ON l USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 8);
CREATE TABLE q AS SELECT v FROM l WHERE id % 100 = 50;
DELETE FROM l WHERE id % 100 BETWEEN 10 AND 90;
SELECT ef, k, (SELECT count(*) FROM q, LATERAL (SELECT id FROM l ORDER BY 1 + (v <-> q.v) LIMIT k) e WHERE id IN (SELECT id FROM l ORDER BY v <-> q.v LIMIT k)) = 40 * k AS found
	FROM (VALUES (8, 1), (8, 3), (20, 1), (40, 10)) n (ef, k), set_config('hnsw.ef_search', ef::text, true);

-- An index that has measured nothing.
DROP INDEX t_idx;
SET hnsw.calibration_samples = 0;
CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops);
RESET hnsw.calibration_samples;
SELECT fewest >= 40 AS unmeasured FROM searches(nearest('LIMIT 10'));
SELECT count(*) > 0 AS measured FROM vectorext_calibrate('t_idx');
SELECT fewest < 40 AS measured FROM searches(nearest('LIMIT 10'));

-- Other distances. Inner products are negative, and in proportion to the length of the query.
DROP INDEX t_idx;
CREATE FUNCTION grown(opclass text, op text, factor float8) RETURNS TABLE (measured bool, adapts bool, as_many bool) LANGUAGE plpgsql AS $$
DECLARE adaptive bigint := 0; longer bigint := 0; fixed bigint := 0; query text;
BEGIN
	EXECUTE format('CREATE INDEX t_idx ON t USING hnsw (v %s)', opclass);
	FOR i IN 1..40 LOOP
		query := format('SELECT id FROM t ORDER BY v %s (SELECT v * array_fill(%s::real, ARRAY[16])::vector FROM t WHERE id = %s) LIMIT 10', op, '%s', i * 150);
		EXECUTE format(query, 1);
		adaptive := adaptive + (SELECT visited FROM vectorext_last_scan());
		EXECUTE format(query, factor);
		longer := longer + (SELECT visited FROM vectorext_last_scan());
		SET LOCAL hnsw.adaptive_beam = off;
		EXECUTE format(query, 1);
		fixed := fixed + (SELECT visited FROM vectorext_last_scan());
		RESET hnsw.adaptive_beam;
	END LOOP;
	RETURN QUERY SELECT value::float8 > 0, adaptive <> fixed, longer BETWEEN 0.9 * adaptive AND 1.1 * adaptive FROM vectorext_index_stats('t_idx') WHERE name = 'growth of distances';
	DROP INDEX t_idx;
END $$;
SELECT opclass, g.* FROM (VALUES ('vector_ip_ops', '<#>', 100), ('vector_cosine_ops', '<=>', 100), ('vector_l1_ops', '<+>', 1)) o (opclass, op, factor),
	LATERAL grown(opclass, op, factor) g;
DROP TABLE t, l, q, adaptive, fixed, aimed;
DROP FUNCTION searches, nearest, visited_by, two, grown;
