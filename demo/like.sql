-- The packages most like the one called :name.   psql -v name=tmux -f demo/like.sql
SELECT round(distance::numeric, 3) AS distance, name, section, left(description, 60) AS description
FROM (SELECT *, embedding <=> (SELECT embedding FROM packages WHERE name = :'name') AS distance
      FROM packages WHERE name <> :'name') p
ORDER BY p.distance
LIMIT 5;
