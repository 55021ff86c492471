-- The index beside the table (the table with its TOAST part, without its indexes).
SELECT pg_size_pretty(pg_relation_size('packages_embedding_idx')) AS index,
       pg_size_pretty(pg_table_size('packages')) AS "table",
       pg_relation_size('packages_embedding_idx') / count(*) AS index_bytes_per_vector,
       pg_table_size('packages') / count(*) AS table_bytes_per_row
FROM packages;
