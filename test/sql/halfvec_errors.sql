-- Every error with its SQLSTATE, text and detail: applications match on them.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''));
END $$;
SELECT input, error_of(format('SELECT %L::halfvec', input))
FROM unnest(ARRAY['', 'x', '1,2,3', '{1}', '[', '[]', '[ ]', '[,1]', '[1', '[1,', '[1,]', '[1 2]', '[a]', '[1a]', '[0x]', '[1]]', '[1] x', '[--1]',
    '[nan]', '[inf]', '[-Infinity]', '[65520]', '[-65520]', '[65519.999]', '[ 1e5 , 2]', '[1e39]', '[1e400]', '[1,NaN,x]', '[1e5x]', '[1e-400]'])
    WITH ORDINALITY u(input, n) ORDER BY n;
SELECT error_of($$ SELECT ('[1' || repeat(',1', 16000) || ']')::halfvec $$), error_of($$ SELECT '[1,2]'::halfvec(3) $$);
SELECT type, error_of(format($$ SELECT '[1]'::%s $$, type)) FROM unnest(ARRAY['halfvec(0)', 'halfvec(16001)', 'halfvec(1,2)', 'halfvec(x)', 'halfvec(1)']) type;

-- Arrays and casts.
SELECT source, error_of(format('SELECT (%s)::halfvec', source))
FROM unnest(ARRAY['ARRAY[]::int[]', $$ '{{1,2}}'::int[] $$, 'ARRAY[1,NULL]', $$ '{1,NaN}'::real[] $$, $$ '{Infinity}'::real[] $$, 'ARRAY[65520]',
    $$ '{-65520}'::real[] $$, $$ '{1e39}'::float8[] $$, $$ '{NaN}'::numeric[] $$, $$ '{1e39}'::numeric[] $$, $$ '{123456.75}'::numeric[] $$,
    'array_fill(1, ARRAY[16001])', $$ '{x}'::text[] $$, $$ '[1,65520,1e6]'::vector $$, $$ '[3.4028235e38]'::vector $$]) source;
SELECT error_of($$ SELECT '[1,2]'::vector::halfvec(3) $$), error_of($$ SELECT '[1,2]'::halfvec::vector(3) $$), error_of($$ SELECT '[1,2]'::halfvec::halfvec(3) $$);

-- Binary, through COPY from a program that prints the bytes.
CREATE TABLE received (h halfvec);
CREATE FUNCTION error_of_wire(wire bytea) RETURNS text LANGUAGE sql AS $$
    SELECT error_of(format('COPY received FROM PROGRAM %L WITH (FORMAT binary)', 'printf ''' ||
        string_agg('\' || (get_byte(file, i) >> 6) || (get_byte(file, i) >> 3 & 7) || (get_byte(file, i) & 7), '' ORDER BY i) || ''''))
    FROM (SELECT '\x5047434f50590aff0d0a0000000000000000000001'::bytea || int4send(length(wire)) || wire || '\xffff' AS file) f,
        generate_series(0, length(file) - 1) i
$$;
SELECT wire, error_of_wire(wire)
FROM unnest('{"\\x000100003c00","\\x000200007bff8001","\\x","\\x0001","\\x00010000","\\x000100003c","\\x000200003c00","\\x000100003c0000","\\x00000000",
    "\\xffff00003c00","\\x3e8100003c00","\\x000100013c00","\\x000100007e00","\\x000100007c01","\\x000100007c00","\\x00010000fc00"}'::bytea[])
    WITH ORDINALITY u(wire, n) ORDER BY n;
SELECT h FROM received;

-- Operators and functions.
SELECT op, error_of(format($$ SELECT '[1,2]'::halfvec %s '[1,2,3]' $$, op)) FROM unnest('{<->,<#>,<=>,<+>,+,-,*}'::text[]) op;
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ '[65504]'::halfvec + '[16]' $$, $$ '[65504]'::halfvec + '[15]' $$, $$ '[-65504]'::halfvec - '[16]' $$, $$ '[256]'::halfvec * '[256]' $$,
    $$ '[1e-4]'::halfvec * '[1e-4]' $$, $$ '[1,1e-4,256]'::halfvec * '[1,1e-4,256]' $$, $$ array_fill(1, ARRAY[16000])::halfvec || '[1]' $$,
    $$ subvector('[1,2,3]'::halfvec, 1, 0) $$, $$ subvector('[1,2,3]'::halfvec, 4, 1) $$, $$ subvector('[1,2,3]'::halfvec, -5, 3) $$]) expression;
SELECT error_of($$ SELECT avg(h) FROM unnest(ARRAY['[1]', '[1,2]']::halfvec[]) h $$), error_of($$ SELECT sum(h) FROM unnest(ARRAY['[65504]', '[16]']::halfvec[]) h $$);
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ halfvec_accum('{}', '[1]') $$, $$ halfvec_accum('{1,2}', '[1,2]') $$, $$ halfvec_combine('{}', '{0}') $$, $$ halfvec_avg('{}') $$,
    $$ halfvec_avg('{1}') $$, $$ halfvec_avg('{1,65520}') $$, $$ halfvec_avg('{1,NaN}') $$, $$ halfvec_avg('{1,Infinity}') $$]) expression;

DROP TABLE received;
DROP FUNCTION error_of_wire, error_of;
