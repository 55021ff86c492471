-- Every error with its SQLSTATE, text and detail: applications match on them.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    IF length(message) > 120 THEN
        message := left(message, 60) || ' ... ' || right(message, 20) || ' (' || length(message) || ' characters)';
    END IF;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''));
END $$;
SELECT input, error_of(format('SELECT %L::sparsevec', input))
FROM unnest(ARRAY['', 'x', '[1]', '{', '{ ', '{1', '{1:', '{1: ', '{1:1', '{1:1 ', '{1:1,', '{1:1,}/2', '{,}/2', '{,1:1}/2', '{1:1 2:2}/2', '{1:1,,2:2}/2', '{:1}/2', '{1 1}/2',
    '{a:1}/2', '{1:a}/2', '{1.5:1}/2', '{1:1a}/2', '{1:0x}/2', '{1:1}', '{1:1} ', '{1:1}x', '{1:1}/', '{1:1}/ ', '{1:1}/x', '{1:1}/2x', '{1:1}/2 x', '{1:1}/2/2', '{}', '{}/', '{}}/1']) WITH ORDINALITY u(input, n) ORDER BY n;
SELECT input, error_of(format('SELECT %L::sparsevec', input))
FROM unnest(ARRAY['{1:nan}/1', '{1:inf}/1', '{1:-Infinity}/1', '{1:4e38}/1', '{1:-1e400}/1', '{1:1e-46}/1', '{1:-1e-400}/1', '{1:1e-45}/1', '{0:1}/1', '{-1:1}/1', '{2:1}/1',
    '{1:1,1:2}/2', '{2:1,1:1,2:0}/2', '{2:1,1:1,2:2}/2', '{9999999999999999999999:1}/1', '{-9999999999999999999999:1}/1', '{2147483647:1}/1', '{2147483648:1}/5', '{-2147483648:1}/5',
    '{}/0', '{}/-1', '{}/1000000001', '{}/9999999999999999999', '{}/-9999999999999999999', '{1:1}/1000000000', '{1:nan,x', '{2:1}/0']) WITH ORDINALITY u(input, n) ORDER BY n;
-- Too many elements; the number of commas decides before anything else is looked at.
SELECT error_of(format('SELECT %L::sparsevec', '{' || string_agg(i || ':1', ',') || '}/20000')) FROM generate_series(1, 16001) i;
SELECT error_of(format('SELECT %L::sparsevec', '{' || string_agg(i || ':1', ',') || '}/20000')) FROM generate_series(1, 16000) i;
SELECT error_of(format('SELECT %L::sparsevec', repeat(',', 16000))), error_of(format('SELECT %L::sparsevec', repeat('x', 1000000)));

-- Type modifier, arrays, casts.
SELECT type, error_of(format($$ SELECT '{}/1'::%s $$, type)) FROM unnest(ARRAY['sparsevec(0)', 'sparsevec(1000000001)', 'sparsevec(1,2)', 'sparsevec(x)', 'sparsevec(2)', 'sparsevec(1)']) type;
SELECT source, error_of(format('SELECT (%s)::sparsevec', source))
FROM unnest(ARRAY['ARRAY[]::int[]', $$ '{{1,2}}'::int[] $$, 'ARRAY[1,NULL]', $$ '{1,NaN}'::real[] $$, $$ '{Infinity}'::real[] $$, $$ '{1e39}'::float8[] $$, $$ '{NaN}'::numeric[] $$,
    $$ '{1e39}'::numeric[] $$, 'array_fill(1, ARRAY[16001])', 'array_fill(0, ARRAY[16001])', 'array_fill(1, ARRAY[16000])', $$ '{x}'::text[] $$]) source;
SELECT error_of($$ SELECT '{1,2}'::int[]::sparsevec(3) $$), error_of($$ SELECT '[1,2]'::vector::sparsevec(3) $$), error_of($$ SELECT '[1,2]'::halfvec::sparsevec(3) $$),
    error_of($$ SELECT '{}/2'::sparsevec::sparsevec(3) $$);
SELECT error_of($$ SELECT '{}/16001'::sparsevec::vector $$), error_of($$ SELECT '{}/16001'::sparsevec::halfvec $$), error_of($$ SELECT '{}/3'::sparsevec::vector(2) $$),
    error_of($$ SELECT '{1:65520}/3'::sparsevec::halfvec $$), error_of($$ SELECT '{1:1}/3'::sparsevec::real[] $$);

-- Binary, through COPY from a program that prints the bytes.
CREATE TABLE received (s sparsevec);
CREATE FUNCTION error_of_wire(wire bytea) RETURNS text LANGUAGE sql AS $$
    SELECT error_of(format('COPY received FROM PROGRAM %L WITH (FORMAT binary)', 'printf ''' ||
        string_agg('\' || (get_byte(file, i) >> 6) || (get_byte(file, i) >> 3 & 7) || (get_byte(file, i) & 7), '' ORDER BY i) || ''''))
    FROM (SELECT '\x5047434f50590aff0d0a0000000000000000000001'::bytea || int4send(length(wire)) || wire || '\xffff' AS file) f,
        generate_series(0, length(file) - 1) i
$$;
SELECT dim, nnz, rest, error_of_wire(int4send(dim) || int4send(nnz) || rest)
FROM (VALUES (5, 0, '\x00000000'::bytea), (5, 1, '\x00000000000000043f800000'), (5, 2, '\x0000000000000000000000023f800000c0000000'), (5, 1, '\x'), (5, 1, '\x00000000'),
    (5, 1, '\x0000000000000004'), (5, 1, '\x00000000000000043f8000'), (5, 1, '\x00000000000000043f80000000'), (0, 0, '\x00000000'), (-1, 0, '\x00000000'), (1000000001, 0, '\x00000000'),
    (5, -1, '\x00000000'), (20000, 16001, '\x00000000'), (5, 6, '\x00000000'), (5, 0, '\x00000001'), (5, 0, '\xffffffff'), (5, 1, '\x00000000000000053f800000'),
    (5, 1, '\x00000000ffffffff3f800000'), (5, 2, '\x0000000000000001000000013f8000003f800000'), (5, 2, '\x0000000000000002000000013f8000003f800000'),
    (5, 1, '\x000000000000000400000000'), (5, 1, '\x000000000000000480000000'), (5, 1, '\x00000000000000047fc00000'), (5, 1, '\x0000000000000004ff800000')) v(dim, nnz, rest);
SELECT s FROM received;

-- Operators and aggregates.
SELECT op, error_of(format($$ SELECT '{}/2'::sparsevec %s '{}/3' $$, op)) FROM unnest('{<->,<#>,<=>,<+>,+,-,*}'::text[]) op;
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ '{1:3e38}/1'::sparsevec + '{1:3e38}/1' $$, $$ '{1:3e38}/1'::sparsevec - '{1:-3e38}/1' $$, $$ '{1:1e20}/1'::sparsevec * '{1:1e20}/1' $$,
    $$ '{1:1e-30}/1'::sparsevec * '{1:1e-30}/1' $$]) expression;
CREATE TABLE full_ones AS SELECT array_fill(1, ARRAY[16000])::sparsevec AS s;
SELECT error_of($$ SELECT (s::text || '0')::sparsevec + '{16001:1}/160000' FROM full_ones $$), error_of($$ SELECT sum(t) FROM full_ones, LATERAL (VALUES ((s::text || '0')::sparsevec), ('{16001:1}/160000')) v(t) $$);
SELECT error_of($$ SELECT avg(s) FROM unnest(ARRAY['{}/1', '{}/2']::sparsevec[]) s $$), error_of($$ SELECT sum(s) FROM unnest(ARRAY['{1:3e38}/1', '{1:3e38}/1']::sparsevec[]) s $$);
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ sparsevec_accum('{}', '{}/1') $$, $$ sparsevec_accum('{0}', '{}/1') $$, $$ sparsevec_accum('{0,0,0}', '{}/1') $$, $$ sparsevec_accum('{{0,0}}', '{}/1') $$,
    $$ sparsevec_accum('{0,NULL}', '{}/1') $$, $$ sparsevec_accum('{0,-1}', '{}/1') $$, $$ sparsevec_accum('{0,1.5}', '{}/1') $$, $$ sparsevec_accum('{0,1e10}', '{}/1') $$,
    $$ sparsevec_accum('{0,NaN}', '{}/1') $$, $$ sparsevec_accum('{1,2}', '{}/1') $$, $$ sparsevec_combine('{1,2}', '{1,3}') $$, $$ sparsevec_combine('{1,2}', '{1}') $$,
    $$ sparsevec_sum('{1,0}') $$, $$ sparsevec_sum('{1,2,0,1,0,1}') $$, $$ sparsevec_sum('{1,2,2,1}') $$, $$ sparsevec_sum('{1,2,-1,1}') $$, $$ sparsevec_sum('{1,2,0.5,1}') $$,
    $$ sparsevec_sum('{1,2,NaN,1}') $$, $$ sparsevec_sum('{1,2,0,NaN}') $$, $$ sparsevec_sum('{1,2,0,1e39}') $$, $$ sparsevec_avg('{1,2,1,1,0,1}') $$,
    $$ sparsevec_sum(sparsevec_accum('{1,2,NaN,1,NaN,1}', '{1:1,2:1}/2')) $$, $$ sparsevec_combine('{1,2,NaN,1,1,1}', '{1,2,NaN,1,0,1}') $$]) expression;

DROP TABLE received, full_ones;
DROP FUNCTION error_of_wire, error_of;
