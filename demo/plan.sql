-- How the server executes a search.   psql -v name=postgresql -f demo/plan.sql
EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, SUMMARY OFF)
SELECT name
FROM packages
ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = :'name')
LIMIT 5;
