-- Text form: read like vector, rounded once to a half, printed as the float of the same value.
SELECT '[1,2,3]'::halfvec, E' \t\n\r\x0b\f[ 1 ,2\n,\t3 ] '::halfvec AS spaces, '[+1,-2,.5,5.,1e2,0x1F]'::halfvec AS notations;
SELECT '[0,-0,0.1,65504,-65504,6e-8,-6e-8,0.00006103515625]'::halfvec AS range_ends;
-- Ties to even; just beside a tie, to the nearer one. 65520 is the first that does not fit.
SELECT '[2049,2051,2049.001,2050.999,4098,4102]'::halfvec AS ties, '[65519.99,-65519.99]'::halfvec AS largest,
    '[2.9802322e-8,2.9802326e-8,1e-8,-1e-8,1e-46]'::halfvec AS smallest;

-- All finite halves: text and binary give back the same bits.
CREATE TABLE halves AS
    SELECT b, ('\x00010000'::bytea || substr(int4send(b), 3)) AS wire FROM generate_series(0, 65535) b WHERE b & 31744 <> 31744;
SELECT current_setting('data_directory') || '/halfvec_io.bin' AS file,
    format('cat > /dev/null; rm %L', current_setting('data_directory') || '/halfvec_io.bin') AS remove \gset
-- As a file of binary COPY that one column of type bytea and one of type halfvec have alike.
COPY (SELECT b, wire FROM halves) TO :'file' WITH (FORMAT binary);
CREATE TABLE received (b int, h halfvec(1));
COPY received FROM :'file' WITH (FORMAT binary);
COPY (SELECT) TO PROGRAM :'remove';
SELECT count(*), count(*) FILTER (WHERE halfvec_send(h) = wire) AS same_bits,
    count(*) FILTER (WHERE halfvec_send(h::text::halfvec) = wire) AS read_again,
    count(*) FILTER (WHERE halfvec_send(h::vector::halfvec) = wire) AS by_vector,
    count(*) FILTER (WHERE halfvec_send(h::real[]::halfvec) = wire) AS by_array,
    count(*) FILTER (WHERE h::text = h::vector::text) AS same_text
FROM received JOIN halves USING (b);
-- Rounding of what lies between: the nearer neighbour, or the even one.
SELECT count(*), count(*) FILTER (WHERE halfvec_send(middle::vector::halfvec) = CASE WHEN a.b % 2 = 0 THEN a.wire ELSE c.wire END) AS ties,
    count(*) FILTER (WHERE halfvec_send(ARRAY[a.f + (c.f - a.f) * 0.498]::halfvec) = a.wire) AS down,
    count(*) FILTER (WHERE halfvec_send(ARRAY[a.f + (c.f - a.f) * 0.502]::halfvec) = c.wire) AS up
FROM (SELECT b, wire, (h::real[])[1]::float8 AS f FROM received JOIN halves USING (b) WHERE b < 31743) a
    JOIN (SELECT b, wire, (h::real[])[1]::float8 AS f FROM received JOIN halves USING (b)) c ON c.b = a.b + 1,
    LATERAL (SELECT ARRAY[(a.f + c.f) / 2] AS middle) m;

-- Stored form: header and elements; short values take a short header in tables, long ones go out of line.
SELECT pg_column_size('[1]'::halfvec) AS one, pg_column_size('[1,2,3]'::halfvec) AS three;
CREATE TABLE stored (id int, h halfvec);
INSERT INTO stored SELECT n, array_fill(n + 0.5, ARRAY[n])::halfvec FROM unnest('{1,2,59,60,61,1000,1001,4000}'::int[]) n;
INSERT INTO stored VALUES (16000, array_fill(0.1, ARRAY[16000])::halfvec);
SELECT id, pg_column_size(h) AS bytes, vector_dims(h), (h::real[])[id] AS last, h = h::text::halfvec AS same FROM stored ORDER BY id;
SELECT typlen, typalign, typstorage, typcategory FROM pg_type WHERE typname = 'halfvec';

-- Binary form and type modifier.
SELECT halfvec_send('[1,-2.5,65504,-0,6e-8]');
CREATE TABLE modified (a halfvec(3), b halfvec(16000), c halfvec, d halfvec(2)[]);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'modified'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO modified (a, c, d) VALUES ('[1,2,3]', '[1]', ARRAY['[1,2]', '[3,4]']::halfvec(2)[]);
COPY modified TO STDOUT;

DROP TABLE halves, received, stored, modified;
