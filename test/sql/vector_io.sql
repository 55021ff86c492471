-- Text form: what is read, what is printed.
SELECT '[1,2,3]'::vector;
SELECT E' \t\n\r\x0b\f[ \t\n\r\x0b\f1 \t\n\r\x0b\f,\x0b2,3 ] \n'::vector;
SELECT '[+1,-2,.5,-.5,5.,007,1e2,1E+2,1e-2,0x1F,0x1p-2,-0X.8p1]'::vector;
SELECT '[0,-0,+0,0.0,-0.0,0e99,-0e-99]'::vector;

-- The shortest digits that read back as the same float.
SELECT '[0.1,0.30000001192092896,16777216,16777217,1e6,1e7,123456789,0.0001,0.00001,1e-7]'::vector;
SELECT '[3.4028235e38,-3.4028235e38,1.17549435e-38,1.4e-45,1e-45,8e-46,7e-46,1e-46]'::vector;
SELECT '[3.4028235677973362e38,340282346638528859811704183484516925440]'::vector;

-- Ties between two floats, and what lies just beside them, are rounded once.
SELECT '[1.000000059604644775390625,1.000000059604644775390624,1.000000059604644775390626]'::vector;
SELECT '[1.000000178813934326171875,1.00000017881393432617187499,1.00000017881393432617187501]'::vector;
SELECT '[7.038531e-26,9007199791611905,16777219.0000000000000001]'::vector;
SELECT '[0.1234567890123456789012345678901234567890,12345678901234567890123456789012345678]'::vector;
SELECT ('[' || repeat('0', 500) || '1.' || repeat('0', 500) || '1,' || '0.' || repeat('0', 44) || '3]')::vector;

-- Read as real reads and printed as real prints: numbers of 1 to 25 digits, over the whole range.
CREATE TABLE numbers AS
    SELECT i, CASE WHEN i % 2 = 0 THEN '-' ELSE '' END
        || CASE i % 4 WHEN 0 THEN left(digits, 1) || '.' || substr(digits, 2, i % 25) || 'e' || exponent
                      WHEN 1 THEN '0.' || repeat('0', exponent % 7) || left(digits, 1 + i % 25)
                      WHEN 2 THEN left(digits, 1 + i % 9) || '.' || substr(digits, 10, i % 16)
                      ELSE left(digits, 1 + i % 25) || 'E' || exponent - i % 25 END AS number
    FROM (SELECT i, '1' || translate(md5(i::text), 'abcdef', '123456') AS digits,
              ('x' || left(md5(i || 'e'), 6))::bit(24)::int % 82 - 44 AS exponent
          FROM generate_series(1, 20000) i) s;
SELECT count(*) AS numbers, count(*) FILTER (WHERE vector_send(v) = '\x00010000' || float4send(f)) AS same_bits,
    count(*) FILTER (WHERE v::text = '[' || f || ']') AS same_text,
    count(*) FILTER (WHERE vector_send(v::text::vector) = vector_send(v)) AS read_again
FROM (SELECT number::real AS f, ('[' || number || ']')::vector AS v FROM numbers) s;
SELECT vector_dims(v), v::text = replace(replace(v::real[]::text, '{', '['), '}', ']') AS same_text
FROM (SELECT ('[' || string_agg(number, E',\t ' ORDER BY i) || ']')::vector AS v FROM numbers WHERE i <= 16000) s;

-- Stored form: header and elements, as wide as pgvector's; small values take a short header in tables.
SELECT pg_column_size('[1]'::vector) AS one, pg_column_size('[1,2,3]'::vector) AS three;
CREATE TABLE stored (id int, v vector);
INSERT INTO stored SELECT n, array_fill(n + 0.5, ARRAY[n])::vector FROM unnest('{1,2,29,30,31,500,501,2000,16000}'::int[]) n;
SELECT id, pg_column_size(v) AS bytes, vector_dims(v), v = array_fill(id + 0.5, ARRAY[id])::vector AS same,
    vector_norm(v) - (id + 0.5) * sqrt(id) < 1e-6 * id AS norm
FROM stored ORDER BY id;
SELECT typlen, typalign, typstorage, typcategory FROM pg_type WHERE typname = 'vector';

-- Binary form.
SELECT vector_send('[1,-2.5,3e38]'::vector);
SELECT encode(vector_send('[-0,1e-45]'::vector), 'hex');
SELECT current_setting('data_directory') || '/vector_io.bin' AS file,
    format('cat > /dev/null; rm %L', current_setting('data_directory') || '/vector_io.bin') AS remove \gset
COPY (SELECT id, v FROM stored ORDER BY id) TO :'file' WITH (FORMAT binary);
CREATE TABLE copied (id int, v vector);
COPY copied FROM :'file' WITH (FORMAT binary);
COPY (SELECT) TO PROGRAM :'remove';
SELECT count(*), bool_and(vector_send(s.v) = vector_send(c.v)) AS same FROM stored s JOIN copied c USING (id);
CREATE TABLE copied_3 (v vector(3));
INSERT INTO copied_3 VALUES ('[1,2,3]'), (NULL);
COPY copied_3 TO STDOUT;
SELECT * FROM copied_3;

-- Type modifier.
SELECT '[1,2,3]'::vector(3);
CREATE TABLE modified (a vector(3), b vector(16000), c vector, d vector(2)[]);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'modified'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO modified (a, c, d) VALUES ('[1,2,3]', '[1]', ARRAY['[1,2]', '[3,4]']::vector(2)[]);
SELECT * FROM modified;
ALTER TABLE modified ALTER c TYPE vector(1);
SELECT c FROM modified;

DROP TABLE numbers, stored, copied, copied_3, modified;
