-- What each quantization costs: size of the index, and recall at 10 with the same effort.
--   psql -d demo -f demo/quantization.sql       (./demo/run psql gives such a session)
\set QUIET on
SET client_min_messages = warning;
CREATE TEMP TABLE quantizations (method text, quantization text, effort int, bytes_per_row bigint, recall float8, rechecked float8);
CREATE TEMP TABLE kinds AS SELECT * FROM (VALUES ('hnsw', 'none'), ('hnsw', 'sq8'), ('hnsw', 'sq4'),
    ('ivfflat', 'none'), ('ivfflat', 'sq8'), ('ivfflat', 'rabitq'), ('ivfflat', 'bits')) k(method, quantization);
SELECT format('CREATE INDEX quantization_idx ON packages USING %s (embedding vector_cosine_ops) WITH (quantization = %s%s)',
              method, quantization, CASE method WHEN 'ivfflat' THEN ', lists = 100' ELSE '' END),
       format('INSERT INTO quantizations SELECT %L, %L, value, pg_relation_size(''quantization_idx'') / 10000, recall,
               (SELECT rechecked FROM vectorext_last_scan()) FROM set_config(''%s'', ''%s'', false), vectorext_recall(''quantization_idx'', 10, 1000)',
              method, quantization, CASE method WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END,
              CASE method WHEN 'hnsw' THEN 40 ELSE 10 END),
       format('INSERT INTO quantizations SELECT %L, %L, value, pg_relation_size(''quantization_idx'') / 10000, recall,
               (SELECT rechecked FROM vectorext_last_scan()) FROM set_config(''%s'', ''%s'', false), vectorext_recall(''quantization_idx'', 10, 1000)',
              method, quantization, CASE method WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END,
              CASE method WHEN 'hnsw' THEN 160 ELSE 40 END),
       'DROP INDEX quantization_idx'
FROM kinds \gexec
SELECT method, quantization, min(bytes_per_row) AS bytes_per_row,
       min(effort) || ': ' || min(recall) || ', ' || max(effort) || ': ' || max(recall) AS "recall at 10, by ef_search or probes"
FROM quantizations GROUP BY method, quantization ORDER BY method, bytes_per_row DESC;
DROP TABLE quantizations, kinds;
