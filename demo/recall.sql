-- How many of the true ten nearest neighbours does the index find?  200 packages, asked twice: by scanning the
-- whole table, and through the index.  At equal distances either answer counts.
\set QUIET on
\timing off
CREATE TEMP TABLE query AS SELECT id, embedding FROM packages WHERE id % 50 = 0;

SET enable_indexscan = off;
SELECT clock_timestamp() AS begin_exact \gset
CREATE TEMP TABLE exact AS
SELECT q.id AS query, n.id, n.distance
FROM query q CROSS JOIN LATERAL (
    SELECT id, embedding <=> q.embedding AS distance FROM packages ORDER BY embedding <=> q.embedding LIMIT 11) n;

SET enable_indexscan = on;
SET enable_seqscan = off;
SELECT clock_timestamp() AS begin_index \gset
CREATE TEMP TABLE through_index AS
SELECT q.id AS query, n.id, n.distance
FROM query q CROSS JOIN LATERAL (
    SELECT id, embedding <=> q.embedding AS distance FROM packages ORDER BY embedding <=> q.embedding LIMIT 11) n;
SELECT clock_timestamp() AS end_index \gset
RESET enable_seqscan;

-- The package itself is its own nearest neighbour; it does not count.
WITH limits AS (SELECT query, max(distance) AS farthest, count(*) AS rows FROM exact WHERE id <> query GROUP BY query),
     found AS (SELECT l.query, least(l.rows, count(t.id)) AS hits, l.rows
               FROM limits l LEFT JOIN through_index t ON t.query = l.query AND t.id <> t.query AND t.distance <= l.farthest
               GROUP BY l.query, l.rows)
SELECT count(*) AS queries,
       round(sum(hits) / sum(rows), 4) AS recall_at_10,
       round(extract(epoch FROM :'end_index'::timestamptz - :'begin_index') * 1000 / count(*), 2) AS index_ms_per_query,
       round(extract(epoch FROM :'begin_index'::timestamptz - :'begin_exact') * 1000 / count(*), 2) AS exact_ms_per_query
FROM found;
