-- rrf_score, rrf and mmr: the results of several searches put together.
SELECT rrf_score(1), rrf_score(1, 0), rrf_score(40), rrf_score(NULL), rrf_score(1, NULL), rrf_score(9223372036854775807) > 0;
SELECT rrf_score(0);
SELECT rrf_score(-1, 60);
SELECT rrf_score(1, -1);
SELECT rrf(1, 1) = 2 * rrf_score(1) AS twice, rrf(3, NULL) = rrf_score(3) AS one, rrf(NULL, NULL), rrf(VARIADIC '{}'::bigint[]),
	rrf(VARIADIC NULL::bigint[]) IS NULL AS "null";
SELECT rrf(1, 0);

-- Full text and vectors.
CREATE TABLE docs (id int PRIMARY KEY, body text, embedding vector(3));
INSERT INTO docs VALUES (1, 'the cat sat on the mat', '[1,0,0]'), (2, 'a dog and a cat', '[0.9,0.1,0]'), (3, 'stock markets fell', '[0,1,0]'),
	(4, 'the dog barked', '[0.8,0,0.2]'), (5, 'cat cat cat', '[0,0,1]');
CREATE INDEX ON docs USING hnsw (embedding vector_cosine_ops);
WITH words AS (
	SELECT id, row_number() OVER (ORDER BY ts_rank_cd(to_tsvector('english', body), query) DESC, id) AS rank
	FROM docs, to_tsquery('english', 'cat') query WHERE to_tsvector('english', body) @@ query ORDER BY rank LIMIT 20
), meaning AS (
	SELECT id, row_number() OVER (ORDER BY distance, id) AS rank
	FROM (SELECT id, embedding <=> '[1,0,0]' AS distance FROM docs ORDER BY embedding <=> '[1,0,0]' LIMIT 3) s
)
SELECT id, words.rank AS words, meaning.rank AS meaning, round(rrf(words.rank, meaning.rank)::numeric, 5) AS score
FROM words FULL JOIN meaning USING (id) ORDER BY score DESC, id;

-- mmr: with lambda near 1 the nearest, with less what is new.
SELECT lambda, mmr('[1,0.2]', ARRAY['[1,0]', '[1,0.01]', '[0,1]', '[1,0.5]']::vector[], 3, lambda) FROM unnest(ARRAY[1, 0.9, 0.5, 0]) lambda;
SELECT mmr('[1,0.2]', ARRAY['[1,0]', '[1,0.01]', '[0,1]', '[1,0.5]']::vector[], 3);
-- more than there are, none, a NULL element, equal ones, a zero vector
SELECT mmr('[1,0]', ARRAY['[0,1]', NULL, '[1,0]']::vector[], 10);
SELECT mmr('[1,0]', '{}', 10), mmr('[1,0]', ARRAY[NULL]::vector[], 10), mmr('[1,0]', ARRAY['[1,0]']::vector[], 0), mmr(NULL, '{}', 1);
SELECT mmr('[1,0]', ARRAY['[0,0]', '[1,0]', '[1,0]', '[1,0]']::vector[], 4);
SELECT mmr('[1,0]', ARRAY['[1,0,0]']::vector[], 1);
SELECT mmr('[1,0]', ARRAY[ARRAY['[1,0]']]::vector[], 1);
SELECT mmr('[1,0]', ARRAY['[1,0]']::vector[], -1);
SELECT mmr('[1,0]', ARRAY['[1,0]']::vector[], 1, 1.5);
SELECT mmr('[1,0]', ARRAY['[1,0]']::vector[], 1, 'NaN');
-- vectors out of line
SELECT mmr(a, ARRAY[a, b], 2) FROM (SELECT array_fill(1, ARRAY[2000])::vector AS a, (array_fill(1, ARRAY[1000]) || array_fill(2, ARRAY[1000]))::vector AS b) s;
WITH near AS MATERIALIZED (
	SELECT id, embedding, row_number() OVER () AS n FROM (SELECT id, embedding FROM docs ORDER BY embedding <=> '[1,0,0]' LIMIT 4) s
)
SELECT id FROM unnest((SELECT mmr('[1,0,0]', array_agg(embedding ORDER BY n), 3, 0.3) FROM near)) WITH ORDINALITY AS m(n, place) JOIN near USING (n)
ORDER BY place;
DROP TABLE docs;

-- A search whose every partition has an order and a limit of its own.
CREATE TABLE parted (id int, kind text, v vector(2)) PARTITION BY LIST (kind);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE "parted B" PARTITION OF parted FOR VALUES IN ('b');
INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, ARRAY[i, 0]::vector FROM generate_series(1, 100) i;
SELECT vectorext_shard_query('parted', '{id,kind}', $$v <-> '[50,0]'$$, 3, 'id > 49') AS query \gset
\echo :query
:query;
SELECT vectorext_shard_query('parted', '{id}', NULL, 3);
DROP TABLE parted;
