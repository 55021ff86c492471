-- Words and meaning together: packages that say :words, and packages like :name, put in one order by their ranks in both.
--   psql -v words='image OR photo' -v name=gimp -f demo/hybrid.sql
WITH words AS (
    SELECT id, row_number() OVER (ORDER BY ts_rank_cd(to_tsvector('english', description), query) DESC, id) AS rank
    FROM packages, websearch_to_tsquery('english', :'words') query
    WHERE to_tsvector('english', description) @@ query
    ORDER BY rank LIMIT 50
), meaning AS (
    SELECT id, row_number() OVER () AS rank
    FROM (SELECT id FROM packages ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = :'name') LIMIT 50) s
)
SELECT round(rrf(words.rank, meaning.rank)::numeric, 4) AS score, words.rank AS words, meaning.rank AS meaning,
       name, left(description, 60) AS description
FROM words FULL JOIN meaning USING (id) JOIN packages USING (id)
ORDER BY rrf(words.rank, meaning.rank) DESC, id
LIMIT 8;
