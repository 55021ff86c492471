-- The distance that a query sorts by and does not show is computed by the index scan alone: the plan has NULL for it. The
-- first statement loads the library, whose hook that is.
SELECT '[1]'::vector;
CREATE TABLE t (id int PRIMARY KEY, v vector(2) NOT NULL);
INSERT INTO t SELECT i, ARRAY[i, i % 7]::vector FROM generate_series(1, 200) i;
CREATE INDEX ON t USING hnsw (v vector_l2_ops);
CREATE TABLE other (id int PRIMARY KEY, name text);
INSERT INTO other SELECT i, 'n' || i FROM generate_series(1, 200) i;
SET enable_seqscan = off;
CREATE FUNCTION computed(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
        IF line ~ 'Index Scan using t_v_idx' OR line ~ 'Output: .*(NULL|<->)' THEN RETURN NEXT ltrim(line, ' ->'); END IF;
    END LOOP;
END $$;

-- nobody reads it
SELECT computed($$SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3$$);
SELECT computed($$SELECT id FROM t ORDER BY v <-> '[50,3]'$$);
SELECT computed($$SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3 FOR UPDATE$$);
SELECT computed($$WITH near AS MATERIALIZED (SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3) SELECT * FROM near$$);
SELECT computed($$SELECT name FROM other JOIN (SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3) near USING (id)$$);
SELECT computed($$SELECT ARRAY(SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3)$$);
SELECT computed($$(SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3) UNION ALL SELECT 7$$);
SELECT computed($$SELECT id FROM t ORDER BY 10 - (v <-> '[50,3]') DESC LIMIT 3$$);

-- somebody does
SELECT computed($$SELECT id, v <-> '[50,3]' AS distance FROM t ORDER BY distance LIMIT 3$$);
SELECT computed($$SELECT id FROM t ORDER BY v <-> '[50,3]' FETCH FIRST 3 ROWS WITH TIES$$);
SELECT computed($$SELECT id FROM t ORDER BY v <-> '[50,3]', id LIMIT 3$$);
SELECT computed($$SELECT DISTINCT ON (v <-> '[50,3]') id FROM t ORDER BY v <-> '[50,3]' LIMIT 3$$);

-- and the rows are the same
SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3;
SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3 FOR UPDATE;
WITH near AS MATERIALIZED (SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3) SELECT * FROM near;
SELECT name FROM other JOIN (SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3) near USING (id) ORDER BY id;
SELECT ARRAY(SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3);
SELECT id FROM t ORDER BY v <-> '[50,3]' FETCH FIRST 3 ROWS WITH TIES;
SELECT id FROM t ORDER BY v <-> '[50,3]', id LIMIT 3;
INSERT INTO other SELECT 1000 + id, 'near' FROM t ORDER BY v <-> '[50,3]' LIMIT 3 RETURNING id;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM t ORDER BY v <-> '[50,3]' LIMIT 3;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
PREPARE near(vector) AS SELECT id FROM t ORDER BY v <-> $1 LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXECUTE near('[50,3]');
EXECUTE near('[100,3]');
DROP TABLE t, other;
DROP FUNCTION computed;
