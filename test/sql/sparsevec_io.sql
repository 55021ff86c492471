-- Text form: indices from 1, in any order; zeros are dropped; printed in order.
SELECT '{1:1.5,3:-2}/5'::sparsevec, E' \t\n\r\x0b\f{ 3 : 2 ,\n1\t:\t1 } / 4 '::sparsevec AS spaces, '{5:5,1:1,3:3}/5'::sparsevec AS unordered,
    '{1:0,2:-0,3:0.0}/3'::sparsevec AS zeros, '{}/3'::sparsevec AS empty, '{ } / 1'::sparsevec AS empty_too;
SELECT '{1:+1,2:.5,3:5.,4:1e2,5:0x1F,+6:6, 007:7}/7'::sparsevec AS notations, '{1:1}/1000000000'::sparsevec AS wide, '{1000000000:1}/1000000000'::sparsevec AS last;
SELECT '{1:0.1,2:3.4028235e38,3:1e-45,4:16777217}/4'::sparsevec AS shortest, '{0:0}/1'::sparsevec AS zero_anywhere;
SELECT length(s::text), s = s::text::sparsevec AS read_again, pg_column_size(s)
FROM (SELECT array_agg(i)::sparsevec AS s FROM generate_series(1, 16000) i) t;

-- Stored form: header, indices, values; short values take a short header in tables, long ones go out of line.
SELECT pg_column_size('{}/5'::sparsevec) AS none, pg_column_size('{2:1,4:2}/5'::sparsevec) AS two;
CREATE TABLE stored (id int, s sparsevec);
INSERT INTO stored SELECT n, array_agg(i + 0.5 ORDER BY i)::sparsevec FROM unnest('{1,2,13,14,15,250,251,2000,16000}'::int[]) n, generate_series(1, n) i GROUP BY n;
INSERT INTO stored VALUES (0, '{}/7');
SELECT id, pg_column_size(s) AS bytes, l2_norm(s)::numeric(12,3), s = s::text::sparsevec AS same, s <-> s AS distance FROM stored ORDER BY id;
SELECT typlen, typalign, typstorage, typcategory FROM pg_type WHERE typname = 'sparsevec';

-- Binary form: indices from 0.
SELECT sparsevec_send('{1:1,3:-2}/5'), sparsevec_send('{}/1000000000');
SELECT current_setting('data_directory') || '/sparsevec_io.bin' AS file,
    format('cat > /dev/null; rm %L', current_setting('data_directory') || '/sparsevec_io.bin') AS remove \gset
COPY (SELECT id, s FROM stored ORDER BY id) TO :'file' WITH (FORMAT binary);
CREATE TABLE copied (id int, s sparsevec);
COPY copied FROM :'file' WITH (FORMAT binary);
COPY (SELECT) TO PROGRAM :'remove';
SELECT count(*), bool_and(sparsevec_send(s.s) = sparsevec_send(c.s)) AS same FROM stored s JOIN copied c USING (id);

-- Type modifier.
CREATE TABLE modified (a sparsevec(3), b sparsevec(1000000000), c sparsevec, d sparsevec(2)[]);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'modified'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO modified (a, c, d) VALUES ('{1:1}/3', '{2:2}/9', ARRAY['{1:1}/2', '{}/2']::sparsevec(2)[]);
COPY modified TO STDOUT;

DROP TABLE stored, copied, modified;
