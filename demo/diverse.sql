-- Packages like :name that are unlike each other: of the nearest 50, ten by maximal marginal relevance.
--   psql -v name=postgresql -f demo/diverse.sql
WITH query AS (SELECT embedding FROM packages WHERE name = :'name'),
near AS MATERIALIZED (
    SELECT id, embedding, row_number() OVER () AS n
    FROM (SELECT id, embedding FROM packages WHERE name <> :'name'
          ORDER BY embedding <=> (SELECT embedding FROM query) LIMIT 50) s
)
SELECT place, n AS nearest, name, left(description, 60) AS description
FROM unnest((SELECT mmr((SELECT embedding FROM query), array_agg(embedding ORDER BY n), 10, 0.5) FROM near))
     WITH ORDINALITY AS m(n, place) JOIN near USING (n) JOIN packages USING (id)
ORDER BY place;
