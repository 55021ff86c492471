-- Orders that come down to that of a distance: arithmetic around it, and what follows it.
CREATE TABLE o (id int PRIMARY KEY, kind int, v vector(3) NOT NULL, w vector(3));
INSERT INTO o SELECT i, i % 10, ARRAY[i % 50, i / 50, 1], ARRAY[i % 50, i / 50, 1] FROM generate_series(0, 2499) i;
UPDATE o SET w = NULL WHERE id = 7;
CREATE INDEX o_v ON o USING hnsw (v vector_l2_ops, kind);
CREATE INDEX o_w ON o USING hnsw (w vector_cosine_ops);
CREATE INDEX o_ip ON o USING ivfflat (v vector_ip_ops, kind) WITH (lists = 10);
ANALYZE o;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line !~ '^ *Disabled: true$' THEN RETURN NEXT line; END IF;  -- PostgreSQL 18 says so, and none before
    END LOOP;
END $$;
-- 1: the index gives other rows, or in another order, than a sort of all.
CREATE FUNCTION differences(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE through_index text; exact text;
BEGIN
    SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
    EXECUTE format('SELECT string_agg(s::text, '';'') FROM (%s) s', query) INTO through_index;
    SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on;
    EXECUTE format('SELECT string_agg(s::text, '';'') FROM (%s) s', query) INTO exact;
    RETURN (through_index IS DISTINCT FROM exact)::int;
END $$;
SET enable_seqscan = off;

-- What grows as the distance falls, the other way round.
SELECT plan_of($$SELECT id FROM o ORDER BY 10 - (v <-> '[20.1,20.2,1]') DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o WHERE kind = 3 ORDER BY (v <#> '[20.1,20.2,1]') * -1 DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY -(v <-> '[20.1,20.2,1]') / 2 + 1 DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY (v <-> '[20.1,20.2,1]') * 100 LIMIT 5$$);
SELECT differences($$SELECT id, 10 - (v <-> '[20.1,20.2,1]') FROM o ORDER BY 2 DESC LIMIT 20$$),
    differences($$SELECT id, (v <#> '[20.1,20.2,1]') * -1 FROM o WHERE kind = 3 ORDER BY 2 DESC LIMIT 20$$),
    differences($$SELECT id FROM o ORDER BY -(v <-> '[20.1,20.2,1]') / 2 + 1 DESC LIMIT 20$$),
    differences($$SELECT id FROM o ORDER BY -3 * ('[20.1,20.2,1]' <-> v) DESC LIMIT 20$$),
    differences($$SELECT id FROM o ORDER BY (v <-> '[20.1,20.2,1]') * 100 LIMIT 20$$);
-- The farthest first, what is not arithmetic with constants, and a factor of nothing.
SELECT plan_of($$SELECT id FROM o ORDER BY 10 - (v <-> '[20,20,1]') LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY (v <-> '[20,20,1]') * -1 LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY (v <-> '[20,20,1]') - id DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY (v <-> '[20,20,1]') * 0 LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY 1 / (1 + (v <-> '[20,20,1]')) DESC LIMIT 5$$);
-- The order of NULLs: rows without a vector are in no index, so there must be none, or they come last.
SELECT plan_of($$SELECT id FROM o ORDER BY 1 - (w <=> '[20,20,1]') DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o ORDER BY 1 - (w <=> '[20,20,1]') DESC NULLS LAST LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o WHERE w IS NOT NULL ORDER BY 1 - (w <=> '[20,20,1]') DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o WHERE 1 - (w <=> '[20,20,1]') > 0.9 ORDER BY 1 - (w <=> '[20,20,1]') DESC LIMIT 5$$);
SELECT id FROM o ORDER BY 1 - (w <=> '[20,20,1]') DESC LIMIT 1;
SELECT differences($$SELECT id FROM o ORDER BY 1 - (w <=> '[20.1,20.2,1]') DESC NULLS LAST LIMIT 20$$),
    differences($$SELECT id FROM o WHERE w IS NOT NULL ORDER BY 1 - (w <=> '[20.1,20.2,1]') DESC LIMIT 20$$);
-- Bounds that are written the same way end the scan.
SELECT differences($$SELECT id FROM o WHERE 10 - (v <-> '[20.1,20.2,1]') > 6.5 ORDER BY 10 - (v <-> '[20.1,20.2,1]') DESC, id$$),
    differences($$SELECT id FROM o WHERE 3 <= (v <-> '[20.1,20.2,1]') * -2 + 10 ORDER BY v <-> '[20.1,20.2,1]', id$$);
SELECT plan_of($$SELECT id FROM o WHERE 3 <= (v <-> '[20.1,20.2,1]') * -2 + 10 ORDER BY v <-> '[20.1,20.2,1]'$$);
SELECT plan_of($$SELECT id FROM o WHERE (v <-> '[20.1,20.2,1]') * -2 < 10 ORDER BY v <-> '[20.1,20.2,1]' LIMIT 1$$);
PREPARE above(vector) AS SELECT count(*) FROM (SELECT id FROM o WHERE 1 - (w <=> $1) > 0.9 ORDER BY w <=> $1) s;
SET plan_cache_mode = force_generic_plan;
SELECT plan_of($$EXECUTE above('[20,20,1]')$$);
RESET plan_cache_mode;
-- Without a direction distances are NaN, the greatest number.
SELECT count(*) FROM (SELECT id FROM o WHERE 1 - (w <=> '[0,0,0]') > 0.5 ORDER BY 1 - (w <=> '[0,0,0]') DESC NULLS LAST) s;
SELECT count(*) FROM (SELECT id FROM o WHERE w <=> '[0,0,0]' < 0.5 ORDER BY w <=> '[0,0,0]') s;

-- What decides between rows at the same distance.
SELECT plan_of($$SELECT id FROM o ORDER BY v <-> '[20,20,1]', id LIMIT 5$$);
SELECT plan_of($$SELECT id FROM o WHERE kind IN (3, 4) ORDER BY 10 - (v <-> '[20,20,1]') DESC, id DESC LIMIT 5$$);
SELECT id, v <-> '[20,20,1]' AS d FROM o ORDER BY d, id DESC LIMIT 5;
SELECT id, 10 - (v <-> '[20,20,1]') AS s FROM o WHERE kind IN (0, 1) ORDER BY s DESC, id LIMIT 4;
SELECT differences($$SELECT id FROM o ORDER BY v <-> '[20,20,1]', id LIMIT 50$$), differences($$SELECT id FROM o ORDER BY v <-> '[20,20,1]', kind DESC, id LIMIT 50$$);

-- Parameters, joins, partitions.
SET plan_cache_mode = force_generic_plan;
PREPARE best(vector, float8) AS SELECT id FROM o ORDER BY $2 - (v <-> $1) DESC LIMIT 3;
SELECT plan_of($$EXECUTE best('[20,20,1]', 1)$$);
EXECUTE best('[20.1,20.2,1]', 1);
SELECT count(*) FROM (SELECT id FROM o ORDER BY NULL - (v <-> '[1,1,1]') DESC LIMIT 3) s;
RESET plan_cache_mode;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_sort = off;
SELECT plan_of($$SELECT a.id, n.id FROM o a, LATERAL (SELECT b.id FROM o b ORDER BY 1 - (b.v <-> a.v) DESC LIMIT 2) n WHERE a.id < 2$$);
CREATE TABLE p (id int, v vector(3) NOT NULL) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT id, v FROM o;
CREATE INDEX ON p USING hnsw (v vector_l2_ops);
ANALYZE p;
SELECT plan_of($$SELECT id FROM p ORDER BY 10 - (v <-> '[20,20,1]') DESC LIMIT 5$$);
SELECT plan_of($$SELECT id FROM p ORDER BY v <-> '[20,20,1]', id LIMIT 5$$);
RESET enable_sort;
SELECT differences($$SELECT id FROM p ORDER BY 10 - (v <-> '[20.1,20.2,1]') DESC LIMIT 20$$), differences($$SELECT id FROM p ORDER BY v <-> '[20,20,1]', id LIMIT 20$$);

DROP TABLE o, p;
DROP FUNCTION plan_of, differences;
