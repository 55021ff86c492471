-- vector to vector(n): implicit, checks only.
SELECT '[1,2,3]'::vector::vector(3);
CREATE TABLE plain (v vector);
CREATE TABLE three (v vector(3));
INSERT INTO plain VALUES ('[1,2,3]'), (array_fill(1, ARRAY[3])::vector);
INSERT INTO three SELECT v FROM plain;
INSERT INTO three VALUES (ARRAY[1, 2, 3]), (ARRAY[1.5, 2, 3]), ('{4,5,6}'::real[]), ('{7,8,9}'::float8[]);
SELECT * FROM three ORDER BY v;

-- Arrays to vector: by assignment or explicitly, not implicitly.
SELECT ARRAY[1, -2, 2147483647]::vector AS from_int, '{1.5,-0,1e-45}'::real[]::vector AS from_real,
    '{0.1,1e-46,-1e-46,3.4028235677973362e38}'::float8[]::vector AS from_double,
    '{0.1,123456789012345678901234567890,-1e-30}'::numeric[]::vector AS from_numeric;
SELECT '[3:5]={1,2,3}'::int[]::vector(3) AS other_lower_bound;
SELECT (ARRAY[1, NULL, 2])[3:3]::vector AS slice_without_null;
SELECT castsource::regtype, casttarget::regtype, castcontext, castfunc::regprocedure
FROM pg_cast WHERE ('vector'::regtype IN (castsource, casttarget))
    AND castsource::regtype::text IN ('vector', 'integer[]', 'real[]', 'double precision[]', 'numeric[]')
    AND casttarget::regtype::text IN ('vector', 'real[]')
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

-- vector to real[]: implicit.
SELECT '[1,2.5,-0]'::vector::real[];
CREATE FUNCTION shape(real[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT array_ndims($1) || ' ' || array_dims($1) $$;
SELECT shape('[1,2,3]'::vector), shape('[7]'::vector);
CREATE TABLE arrays (a real[]);
INSERT INTO arrays VALUES ('[1,2,3]'::vector);
SELECT a FROM arrays;
SELECT ('[1,2,3]'::vector::real[])[2];
SELECT '[1,2.5]'::vector::real[]::vector = '[1,2.5]' AS same;
SELECT unnest('[1,2]'::vector::real[]);
SELECT vector_dims(array_fill(0.5::real, ARRAY[16000])::vector), cardinality(array_fill(1, ARRAY[16000])::vector::real[]);

-- Values that lie out of line, and values with a short header, convert the same.
INSERT INTO plain SELECT array_fill(n + 0.25, ARRAY[n])::vector FROM unnest('{29,30,2100,16000}'::int[]) n;
SELECT vector_dims(v), v::real[]::vector = v AS same, v::vector = v AS same_vector, (v::real[])[vector_dims(v)] AS last
FROM plain ORDER BY vector_dims(v), v;

DROP TABLE plain, three, arrays;
DROP FUNCTION shape;
