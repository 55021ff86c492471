CREATE TABLE items (id int, v vector);
INSERT INTO items SELECT i, ARRAY[i * 37 % 101, i % 3]::vector FROM generate_series(1, 300) i;
INSERT INTO items VALUES (1001, '[5]'), (1002, '[5,1,0]'), (1003, NULL), (1004, '[-5]'), (1005, array_fill(5, ARRAY[2000])::vector),
    (1006, '[-0,0]');
CREATE INDEX items_v ON items (v) WHERE vector_dims(v) < 600;
SELECT id FROM items WHERE v IS NOT NULL ORDER BY v, id LIMIT 12;
SELECT id, left(v::text, 20) AS v FROM items WHERE v >= '[5]' AND v < '[6]' ORDER BY v, id;
DROP INDEX items_v;
DELETE FROM items WHERE id = 1005;
CREATE INDEX items_v ON items (v);

SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT id FROM items WHERE v = '[5,1]';
SELECT id, v FROM items WHERE v = '[5,1]';
SELECT id, v FROM items WHERE v = '[0,0]' ORDER BY id;
SELECT id, v FROM items WHERE v > '[99,1]' ORDER BY v, id;
SELECT id, v FROM items WHERE v <= '[0,1]' ORDER BY v, id;
SELECT id, v FROM items WHERE v IN ('[5]', '[5,1,0]', '[7]') ORDER BY v;
EXPLAIN (COSTS off) SELECT v FROM items ORDER BY v DESC LIMIT 4;
SELECT v FROM items ORDER BY v DESC LIMIT 4;
SELECT id FROM items WHERE v IS NULL;
RESET enable_seqscan;
RESET enable_sort;
RESET enable_bitmapscan;

SELECT count(*) AS all, count(DISTINCT v) FROM items;
SELECT v, count(*) FROM items WHERE v < '[2]' GROUP BY v ORDER BY v;
SELECT count(*) FROM items a JOIN items b ON a.v = b.v WHERE a.id < 10;
SELECT count(*) AS all, count(v) FROM (SELECT v FROM items UNION SELECT v FROM items) u;

-- Unique, and the same order by sorting as by index.
CREATE UNIQUE INDEX items_unique ON items (v, id);
INSERT INTO items VALUES (1001, '[5]');
SELECT bool_and(by_sort = by_hand) AS same_order
FROM (SELECT row_number() OVER (ORDER BY v, id) AS by_sort,
             row_number() OVER (ORDER BY v::real[], id) AS by_hand
      FROM items WHERE v IS NOT NULL) s;
CREATE TABLE parts (v vector(2)) PARTITION BY RANGE (v);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('[5,0]');
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM ('[5,0]') TO (MAXVALUE);
INSERT INTO parts VALUES ('[4,9]'), ('[5,0]'), ('[9,9]');
SELECT tableoid::regclass, v FROM parts ORDER BY v;
SELECT opcname, opcdefault, amname, opcintype::regtype FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
WHERE opcname = 'vector_ops';
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'vector_ops';

DROP TABLE items, parts;
