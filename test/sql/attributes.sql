-- Attribute columns: every operator of every type, by the index and by a sequential scan, over edge values.
CREATE SCHEMA attributes;
SET search_path = attributes, public;
SET client_min_messages = warning;
SET hnsw.iterative_scan = relaxed_order;
SET hnsw.ef_search = 200;
SET ivfflat.iterative_scan = relaxed_order;
SET timezone = 'America/New_York';
SET datestyle = 'ISO';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');

-- The values of each type, as literals; NULL stands for itself in every list.
CREATE TABLE edges (kind text PRIMARY KEY, type text, operators text[], others text[], literals text[]);
INSERT INTO edges VALUES
('b', 'bool', '{<,<=,=,>=,>}', '{bool}', '{t,f}'),
('i2', 'int2', '{<,<=,=,>=,>}', '{int2,int4,int8}', '{-32768,-1,0,1,32767}'),
('i4', 'int4', '{<,<=,=,>=,>}', '{int2,int4,int8}', '{-2147483648,-32769,-1,0,1,32768,2147483647}'),
('i8', 'int8', '{<,<=,=,>=,>}', '{int2,int4,int8}', '{-9223372036854775808,-2147483649,-1,0,1,2147483648,9223372036854775806,9223372036854775807}'),
('f4', 'float4', '{<,<=,=,>=,>}', '{float4,float8}', '{-Infinity,-3.4e38,-1.1,-1e-45,-0,0,1e-45,1.1,3.4e38,Infinity,NaN}'),
('f8', 'float8', '{<,<=,=,>=,>}', '{float4,float8}', '{-Infinity,-1.7e308,-1.1,-5e-324,-0,0,5e-324,1.1,1.100000023841858,1.7e308,Infinity,NaN}'),
('d', 'date', '{<,<=,=,>=,>}', '{date,timestamp,timestamptz}', '{-infinity,4714-11-24 BC,1969-12-31,1970-01-01,2000-01-01,2023-03-11,2023-03-12,2023-03-13,2023-11-05,294276-12-31,5874897-12-31,infinity}'),
('ts', 'timestamp', '{<,<=,=,>=,>}', '{date,timestamp,timestamptz}', '{-infinity,4714-11-24 00:00 BC,1969-12-31 23:59:59.999999,2000-01-01,2023-03-12 01:30,2023-03-12 02:30,2023-03-12 03:00,2023-11-05 00:30,2023-11-05 01:30,2023-11-05 02:00,294276-12-31 23:59:59,infinity}'),
('tz', 'timestamptz', '{<,<=,=,>=,>}', '{date,timestamp,timestamptz}', '{-infinity,4714-11-25 00:00 BC,2000-01-01 05:00+00,2023-03-12 06:59+00,2023-03-12 07:00+00,2023-03-12 07:30+00,2023-11-05 05:30+00,2023-11-05 06:30+00,294276-12-31 00:00+00,infinity}'),
('n', 'numeric', '{=}', '{numeric,int4}', '{-Infinity,-1,0,0.0,1,1.0,1.00,123456789012345678901234567890.5,Infinity,NaN}'),
('t', 'text', '{=}', '{text,varchar}', '{"",a,A,"a ",ä}'),
('vc', 'varchar(20)', '{=}', '{text,varchar}', '{"",a,A,"a ",ä}'),
('bp', 'char(3)', '{=}', '{bpchar}', '{"",a,A,"a "}'),
('u', 'uuid', '{=}', '{uuid}', '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}'),
('e', 'mood', '{=}', '{mood}', '{sad,ok,happy}'),
('ai', 'int4[]', '{&&,@>}', '{int4[]}', '{"{}","{1}","{1,2}","{2,3,NULL}","{NULL}","{1,2,3,4,5,6,7,8,9,10}"}'),
('al', 'int8[]', '{&&,@>}', '{int8[]}', '{"{}","{1}","{1,2}","{2,9223372036854775807}","{NULL}"}'),
('at', 'text[]', '{&&,@>}', '{text[]}', '{"{}","{a}","{a,b}","{A}","{\"\"}","{NULL}"}');

-- A row for each value of the longest list and a few more, each type's values over and over.
DO $$
DECLARE columns text; fields text; n int; k int;
BEGIN
    SELECT string_agg(format('%s %s', kind, type), ', '), max(cardinality(literals)) + 2 INTO columns, n FROM edges;
    EXECUTE 'CREATE TABLE items (id int PRIMARY KEY, v vector(3), ' || columns || ')';
    FOR k IN 1 .. 3 * n LOOP
        SELECT string_agg(CASE WHEN k % (cardinality(literals) + 1) = 0 THEN 'NULL'
                ELSE quote_literal(literals[k % (cardinality(literals) + 1)]) END, ', ' ORDER BY kind) INTO fields FROM edges;
        -- three rows share each vector, and so a node
        EXECUTE format('INSERT INTO items (id, v, %s) VALUES (%s, %L, %s)',
            (SELECT string_agg(kind, ', ' ORDER BY kind) FROM edges), k, ARRAY[k / 3, k / 3 % 5, 1]::vector(3), fields);
    END LOOP;
    INSERT INTO items (id) VALUES (0);  -- without a vector: in no index
END $$;

-- Compares the rows that a condition lets through by each index with those of a sequential scan. indexed: conditions
-- that are tested inside the index.
CREATE FUNCTION compare(condition text, OUT wrong bool, OUT indexed bool) LANGUAGE plpgsql AS $$
DECLARE by_index int[]; by_scan int[]; line text;
BEGIN
    SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_sort = off;
    EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM items WHERE %s ORDER BY v <-> ''[1,2,3]'') i', condition) INTO by_index;
    indexed := false;
    FOR line IN EXECUTE format('EXPLAIN (COSTS off) SELECT id FROM items WHERE %s ORDER BY v <-> ''[1,2,3]''', condition) LOOP
        indexed := indexed OR line LIKE '%Index Cond%';
    END LOOP;
    SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_sort = on;
    EXECUTE format('SELECT array_agg(id) FROM items WHERE v IS NOT NULL AND (%s)', condition) INTO by_scan;
    SELECT array_agg(id ORDER BY id) INTO by_index FROM unnest(by_index) id;
    SELECT array_agg(id ORDER BY id) INTO by_scan FROM unnest(by_scan) id;
    wrong := by_index IS DISTINCT FROM by_scan;
END $$;

-- Conditions on a column with constants of all types that its family knows.
CREATE VIEW conditions AS
    SELECT kind, o, format('%s %s %L::%s', kind, o, l, other) AS condition
    FROM edges, unnest(operators) o, unnest(others) other,
        LATERAL (SELECT DISTINCT l FROM edges x, unnest(x.literals) l WHERE x.type = other OR x.type = edges.type AND other = ANY ('{bpchar,varchar,bool}'::text[])) s
    UNION ALL
    SELECT kind, 'any ' || o, format('%s %s ANY (%L::%s[])', kind, o, part, other)
    FROM edges, unnest(operators) o, unnest(others) other,
        LATERAL (SELECT ARRAY(SELECT DISTINCT l FROM edges x, unnest(x.literals) l WHERE x.type = other ORDER BY l) AS all_of_them) s,
        LATERAL (VALUES (all_of_them[1:1]), (all_of_them[1:2]), (all_of_them[2:]), (all_of_them[1:1] || NULL::text), (ARRAY[NULL::text]), ('{}')) p (part)
    WHERE type NOT LIKE '%[]'
    UNION ALL
    SELECT kind, 'is null', format('%s IS NULL', kind) FROM edges
    UNION ALL
    SELECT kind, 'is not null', format('%s IS NOT NULL', kind) FROM edges
    UNION ALL
    SELECT kind, 'null', format('%s %s NULL::%s', kind, operators[1], type) FROM edges
    UNION ALL
    SELECT kind, 'between', format('%s BETWEEN %L AND %L', kind, literals[2], literals[cardinality(literals) - 1]) FROM edges WHERE '<' = ANY (operators)
    UNION ALL
    SELECT kind, 'two', format('%s > %L AND i4 >= 0 AND %s IS NOT NULL', kind, literals[1], kind) FROM edges WHERE '<' = ANY (operators);

-- As many columns as fit an index at a time. not_indexed: what is tested outside of it (conditions that the planner knows
-- to be false, or writes in another way).
CREATE FUNCTION compare_all(columns text) RETURNS TABLE (method text, kind text, tested bigint, wrong bigint, not_indexed text) LANGUAGE plpgsql AS $$
DECLARE m text;
BEGIN FOREACH m IN ARRAY '{hnsw,ivfflat}'::text[] LOOP
    EXECUTE format('CREATE INDEX items_idx ON items USING %s (v vector_l2_ops, %s)', m, columns);
    RETURN QUERY SELECT m, c.kind, count(*), count(*) FILTER (WHERE r.wrong), string_agg(DISTINCT c.o, ', ' ORDER BY c.o) FILTER (WHERE NOT r.indexed)
        FROM (SELECT * FROM conditions x WHERE x.kind = ANY (string_to_array(columns, ', ')) OFFSET 0) c, compare(c.condition) r GROUP BY c.kind ORDER BY c.kind;
    DROP INDEX items_idx;
END LOOP; END $$;
SELECT * FROM compare_all('b, i2, i4, i8, f4, f8');
SELECT * FROM compare_all('i4, d, ts, tz');
SELECT * FROM compare_all('n, t, vc, bp, u, e');
SELECT * FROM compare_all('ai, al, at');

-- Collations that hold different bytes equal; where the server has none, there is nothing to compare.
CREATE TABLE words (id int PRIMARY KEY, v vector(3), w text);
INSERT INTO words SELECT i, ARRAY[i, i % 3, 1]::vector(3), (ARRAY['a', 'A', 'b', U&'\00e4', U&'a\0308'])[i % 5 + 1] FROM generate_series(1, 30) i;
CREATE FUNCTION compare_collation() RETURNS text LANGUAGE plpgsql AS $$
DECLARE by_index int[]; method text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') OR getdatabaseencoding() <> 'UTF8' THEN RETURN 'same'; END IF;
    CREATE COLLATION same_letter (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    ALTER TABLE words ALTER COLUMN w TYPE text COLLATE same_letter;
    SET LOCAL enable_seqscan = off;
    FOREACH method IN ARRAY '{hnsw,ivfflat}'::text[] LOOP
        EXECUTE format('CREATE INDEX words_idx ON words USING %s (v vector_l2_ops, w)', method);
        SELECT array_agg(id) INTO by_index FROM (SELECT id FROM words WHERE w = 'A' ORDER BY v <-> '[1,2,3]') i;
        IF cardinality(by_index) <> 24 THEN RETURN by_index::text; END IF;
        DROP INDEX words_idx;
    END LOOP;
    RETURN 'same';
END $$;
SELECT compare_collation();

-- What cannot be indexed.
CREATE TABLE odd (v vector(3), w vector(3), a int, j json, p point, aj point[],
    a1 int, a2 int, a3 int, a4 int, a5 int, a6 int, a7 int, a8 int);
CREATE INDEX ON odd USING hnsw (a, v vector_l2_ops);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, w vector_l2_ops);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, j);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, aj);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, a, a1, a2, a3, a4, a5, a6, a7, a8);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops) INCLUDE (a);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, a DESC);
CREATE INDEX ON odd USING hnsw (v vector_l2_ops, a1, a2, a3, a4, a5, a6, a7, a8);
CREATE INDEX ON odd USING ivfflat (v, w);
CREATE INDEX ON odd USING ivfflat (v, j);
CREATE INDEX ON odd USING ivfflat (v, aj);
CREATE INDEX ON odd USING ivfflat (v, a, a1, a2, a3, a4, a5, a6, a7, a8);
CREATE INDEX ON odd USING ivfflat (v) INCLUDE (a);
CREATE INDEX ON odd USING ivfflat (v, a1, a2, a3, a4, a5, a6, a7, a8);
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'odd'::regclass;

-- Rows without a vector are in no index; paths without an order neither.
CREATE INDEX items_idx ON items USING hnsw (v vector_l2_ops, i4, t);
SET enable_seqscan = off;
-- PostgreSQL 18 marks what is switched off.
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line !~ '^ *Disabled: true$' THEN RETURN NEXT line; END IF;
    END LOOP;
END $$;
SELECT plan_of($$SELECT id FROM items WHERE v IS NULL ORDER BY v <-> '[1,2,3]'$$);
SELECT plan_of($$SELECT id FROM items WHERE i4 = 1$$);
DROP FUNCTION plan_of;
EXPLAIN (COSTS off) SELECT id FROM items WHERE v IS NOT NULL AND i4 = 1 AND t = 'a' AND u IS NULL ORDER BY v <-> '[1,2,3]' LIMIT 5;
SELECT count(*) FROM (SELECT FROM items WHERE v IS NOT NULL AND i4 IS NULL ORDER BY v <-> '[1,2,3]') i;

-- A NULL query orders nothing, and filters all the same.
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM items WHERE i4 = -1 ORDER BY v <-> NULL::vector) i;
DROP INDEX items_idx;
CREATE INDEX items_idx ON items USING ivfflat (v, i4, t);
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM items WHERE i4 = -1 ORDER BY v <-> NULL::vector) i;
SELECT id FROM items WHERE i4 = -1 ORDER BY v <-> '[1,2,3]' LIMIT 3;
SELECT count(*) FROM (SELECT id FROM items WHERE i4 = 1 AND i4 = 0 ORDER BY v <-> '[1,2,3]') i;

-- Parameters.
PREPARE near(bigint, text) AS SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM items WHERE i4 = $1 AND t = $2 ORDER BY v <-> '[1,2,3]') i;
SET plan_cache_mode = force_generic_plan;
EXECUTE near(1, 'A'); EXECUTE near(99999999999, 'A'); EXECUTE near(NULL, 'A'); EXECUTE near(1, NULL);
RESET plan_cache_mode;

-- Rows of one vector have attributes of their own, by a build, by inserts and after a vacuum.
CREATE TABLE same (id int, v vector(3), a int, b text);
INSERT INTO same SELECT i, '[1,2,3]', i % 50, CASE WHEN i % 3 > 0 THEN 'b' || i % 7 END FROM generate_series(1, 1000) i;
CREATE INDEX same_hnsw ON same USING hnsw (v vector_l2_ops, a, b);
CREATE INDEX same_ivf ON same USING ivfflat (v, a, b);
INSERT INTO same SELECT i, '[1,2,3]', i % 50, CASE WHEN i % 3 > 0 THEN 'b' || i % 7 END FROM generate_series(1001, 2000) i;
-- With one index after the other: the planner uses none that is not valid.
CREATE FUNCTION of_same(condition text) RETURNS TABLE (method name, rows bigint, wrong bigint) LANGUAGE plpgsql AS $$
DECLARE one regclass;
BEGIN
    FOREACH one IN ARRAY '{same_hnsw,same_ivf}'::regclass[] LOOP
        UPDATE pg_index SET indisvalid = indexrelid = one WHERE indrelid = 'same'::regclass;
        RETURN QUERY EXECUTE format('SELECT %2$L::name, (SELECT count(*) FROM same WHERE %1$s), (SELECT count(*) FROM (SELECT id FROM same WHERE %1$s
            EXCEPT ALL SELECT id FROM (SELECT id FROM same WHERE %1$s ORDER BY v <-> ''[3,2,1]'') i) d)', condition, one);
    END LOOP;
    UPDATE pg_index SET indisvalid = true WHERE indrelid = 'same'::regclass;
END $$;
SELECT * FROM of_same('a = 7');
SELECT * FROM of_same('a < 3 AND b = ''b2''');
SELECT * FROM of_same('b IS NULL AND a >= 40');
UPDATE same SET a = 100 + a WHERE id % 4 = 0;
DELETE FROM same WHERE id % 5 = 0;
SELECT * FROM of_same('a >= 100');
VACUUM same;
INSERT INTO same SELECT i, '[1,2,3]', i % 50, 'b0' FROM generate_series(2001, 2100) i;
SELECT * FROM of_same('a >= 100');
SELECT * FROM of_same('a = 7 AND b = ''b0''');
SELECT * FROM of_same('b IS NULL');
