-- The same among the packages of one section.   psql -v name=gimp -v section=python -f demo/like_in_section.sql
SELECT round(distance::numeric, 3) AS distance, name, section, left(description, 60) AS description
FROM (SELECT *, embedding <=> (SELECT embedding FROM packages WHERE name = :'name') AS distance
      FROM packages WHERE name <> :'name' AND section = :'section') p
ORDER BY p.distance
LIMIT 5;
