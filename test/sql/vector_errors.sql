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
CREATE FUNCTION error_of_input(input text, type text DEFAULT 'vector') RETURNS text LANGUAGE sql AS $$
    SELECT error_of(format('SELECT %L::%s', input, type))
$$;

-- Text.
SELECT input, error_of_input(input)
FROM unnest(ARRAY['', ' ', 'x', '1,2,3', '(1)', '{1}', '[', '[ ', '[]', '[ ]', '[,', '[,1]', '[1', '[1 ', '[1,', '[1, ', '[1,]',
    '[1,,2]', '[1, ,2]', '[1 2]', '[1;2]', '[a]', '[1a]', '[1.a]', '[1e]', '[1e+]', '[e1]', '[.]', '[-]', '[+]', '[-.]', '[--1]',
    '[+-1]', '[- 1]', '[1.2.3]', '[1e5.5]', '[0x]', '[0xg]', '[1_000]', '[1f]', '["1"]', '[null]', '[[1]]', '[1]]', '[1][2]', '[1] x',
    '[1],', '[1]]]]', '[x]]', '[1,2,3']) WITH ORDINALITY u(input, n)
ORDER BY n;
-- A no-break space, an Arabic digit and an em space are neither space nor digit.
SELECT left(error_of_input(E'[1\xc2\xa0]'), 5), left(error_of_input(E'[\xd9\xa1]'), 5), left(error_of_input(E'[1,\xe2\x80\x83 2]'), 5);
SELECT input, error_of_input(input)
FROM unnest(ARRAY['[nan]', '[NaN]', '[-nan]', '[nan(abc)]', '[nan(]', '[nano]', '[inf]', '[-inf]', '[+Infinity]', '[INFINITY]', '[infin]',
    '[1,NaN,x]', '[x,NaN]', '[4e38]', '[-4e38]', '[1e39 ]', '[3.4028236e38]', '[3.4028235677973366e38]', '[1e400]', '[ 1e999999999999 , 2]',
    '[0x1p128]', '[1,-1e40,NaN]', '[1e40x]', '[1e-400,1e999]', '[1e-46]']) WITH ORDINALITY u(input, n)
ORDER BY n;

-- Large input: garbage, numbers without end, nothing but commas.
SELECT error_of_input(repeat('x', 1000000)), error_of_input('[' || repeat('x', 1000000));
SELECT error_of_input('[' || repeat('1', 1000000) || ']'), error_of_input('[' || repeat('1', 1000000) || 'x');
SELECT error_of_input('[' || repeat(',', 1000000)), error_of_input('[' || repeat('1,', 500000));
SELECT error_of_input('[1' || repeat(' ', 1000000) || 'x'), error_of_input(repeat(' ', 1000000));
SELECT error_of_input('[0.' || repeat('0', 1000000) || '1]'), error_of_input('[1e' || repeat('9', 1000000) || ']');

-- Dimensions.
SELECT error_of_input('[1' || repeat(',1', n - 1) || tail) FROM (VALUES (16000, ']'), (16001, ']'), (16001, 'x'), (16000, 'x'), (100000, ']')) t(n, tail);
SELECT error_of_input('[1,2]', 'vector(3)'), error_of_input('[1,2,3]', 'vector(2)'), error_of_input('[1,x]', 'vector(1)');
SELECT type, error_of_input('[1]', type)
FROM unnest(ARRAY['vector(0)', 'vector(-1)', 'vector(16001)', 'vector(1,2)', 'vector(x)', 'vector()', 'vector(99999999999)', 'vector(1)']) type;
CREATE TABLE three (v vector(3));
SELECT error_of($$ INSERT INTO three VALUES ('[1,2]') $$), error_of($$ INSERT INTO three VALUES (ARRAY[1,2]) $$),
    error_of($$ INSERT INTO three SELECT '[1,2,3,4]'::vector $$), error_of($$ UPDATE three SET v = '[1]' $$);
SELECT error_of($$ SELECT '[1,2]'::vector::vector(3) $$), error_of($$ SELECT '[1,2]'::vector::vector(2) $$);

-- Arrays.
SELECT source, error_of(format('SELECT (%s)::vector', source))
FROM unnest(ARRAY['ARRAY[]::int[]', $$ '{}'::real[] $$, $$ '{{1,2}}'::int[] $$, $$ '{{1},{2}}'::numeric[] $$, 'ARRAY[1,NULL]', $$ '{NULL}'::float8[] $$,
    $$ '{1,NaN}'::real[] $$, $$ '{Infinity}'::real[] $$, $$ '{-Infinity}'::float8[] $$, $$ '{NaN}'::float8[] $$, $$ '{1e39}'::float8[] $$,
    $$ '{NaN}'::numeric[] $$, $$ '{Infinity}'::numeric[] $$, $$ '{1e39}'::numeric[] $$, $$ '{1e-50}'::numeric[] $$, 'array_fill(1, ARRAY[16001])',
    'array_fill(NULL::int, ARRAY[16001])', $$ '{x}'::text[] $$, $$ '{1}'::bigint[] $$, $$ ARRAY['1']::varchar[] $$, '1', $$ '1'::text $$]) source;
SELECT error_of($$ SELECT '{1,2}'::int[]::vector(3) $$), error_of($$ SELECT '{1,2}'::int[] + '[1,2]'::vector $$),
    error_of($$ SELECT '[1]'::vector::float8[] $$), error_of($$ SELECT '[1]'::vector::int[] $$);
CREATE FUNCTION text_array_to_vector(text[], int, bool) RETURNS vector
    AS '$libdir/vectorext', 'array_to_vector' LANGUAGE C IMMUTABLE STRICT;
SELECT error_of($$ SELECT text_array_to_vector('{1}', -1, true) $$);

-- Binary. The wire bytes reach vector_recv through COPY from a program that prints them.
CREATE TABLE received (v vector);
CREATE TABLE received_3 (v vector(3));
CREATE FUNCTION error_of_wire(wire bytea, target text DEFAULT 'received', field_length int DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT error_of(format('COPY %s FROM PROGRAM %L WITH (FORMAT binary)', target, 'printf ''' ||
        string_agg('\' || (get_byte(file, i) >> 6) || (get_byte(file, i) >> 3 & 7) || (get_byte(file, i) & 7), '' ORDER BY i) || ''''))
    FROM (SELECT '\x5047434f50590aff0d0a0000000000000000000001'::bytea || int4send(coalesce(field_length, length(wire))) || wire || '\xffff' AS file) f,
        generate_series(0, length(file) - 1) i
$$;
SELECT wire, error_of_wire(wire)
FROM unnest('{"\\x000100003f800000","\\x0002000000000000ff7fffff","\\x","\\x00","\\x0001","\\x000100","\\x00010000","\\x000100003f8000",
    "\\x000200003f800000","\\x000100003f80000000","\\x000100003f8000003f800000","\\x00000000","\\xffff00003f800000","\\x800000003f800000",
    "\\x3e8100003f800000","\\x000100013f800000","\\x0001ffff3f800000","\\x000100007fc00000","\\x00010000ffc00001","\\x000100007f800000",
    "\\x00010000ff800000","\\x000200003f8000007f800001"}'::bytea[]) WITH ORDINALITY u(wire, n) ORDER BY n;
SELECT error_of_wire('\x000200003f8000003f800000', 'received_3'), error_of_wire('\x000300003f8000003f80000040000000', 'received_3');
SELECT error_of_wire('\x000100003f800000', 'received', 4), error_of_wire('\x000100003f800000', 'received', 1000);
SELECT v FROM received;
SELECT v FROM received_3;

-- Operators and functions.
SELECT op, error_of(format($$ SELECT '[1,2]'::vector %s '[1,2,3]' $$, op)) FROM unnest('{<->,<#>,<=>,<+>,+,-,*}'::text[]) op;
SELECT f, error_of(format($$ SELECT %s('[1]'::vector, '[1,2]') $$, f))
FROM unnest('{l2_distance,inner_product,cosine_distance,l1_distance,vector_l2_squared_distance,vector_negative_inner_product,vector_spherical_distance}'::text[]) f;
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ '[3e38]'::vector + '[3e38]' $$, $$ '[-3e38]'::vector + '[-3e38]' $$, $$ '[3e38]'::vector - '[-3e38]' $$,
    $$ '[1e20]'::vector * '[1e20]' $$, $$ '[1e-30]'::vector * '[1e-30]' $$, $$ '[1,1e-30,1e20]'::vector * '[1,1e-30,1e20]' $$,
    $$ '[1,1e20,1e-30]'::vector * '[1,1e20,1e-30]' $$, $$ array_fill(1, ARRAY[16000])::vector || '[1]' $$,
    $$ array_fill(1, ARRAY[16000])::vector || array_fill(1, ARRAY[16000])::vector $$]) expression;
SELECT first, count, error_of(format($$ SELECT subvector('[1,2,3,4,5]'::vector, %s, %s) $$, first, count))
FROM (VALUES (1, 0), (1, -1), (3, -2147483648), (6, 1), (2147483647, 2147483647), (-5, 3), (-2, 3), (0, 1),
             (-2147483648, 2147483647), (-2147483648, 1)) t(first, count);
SELECT error_of($$ SELECT avg(v) FROM unnest(ARRAY['[1]', '[1,2]']::vector[]) v $$),
    error_of($$ SELECT sum(v) FROM unnest(ARRAY['[1]', '[1,2]']::vector[]) v $$),
    error_of($$ SELECT sum(v) FROM unnest(ARRAY['[3e38]', '[3e38]']::vector[]) v $$);
SELECT expression, error_of('SELECT ' || expression)
FROM unnest(ARRAY[$$ vector_accum('{}', '[1]') $$, $$ vector_accum('{{1}}', '[1]') $$, $$ vector_accum('{1,NULL}', '[1]') $$,
    $$ vector_accum('{1,2}', '[1,2]') $$, $$ vector_accum('{1,1.7e308}'::float8[], '[1]') $$, $$ vector_accum('{1,Infinity}', '[1]') $$,
    $$ vector_combine('{}', '{0}') $$, $$ vector_combine('{0}', '{}') $$, $$ vector_combine('{1,1}', '{1,1,2}') $$,
    $$ vector_combine('{1,1e308}', '{1,1e308}') $$, $$ vector_combine('{0}', array_fill(1::float8, ARRAY[16002])) $$,
    $$ vector_combine(array_fill(1::float8, ARRAY[16002]), '{0}') $$, $$ vector_avg('{}') $$, $$ vector_avg('{1}') $$, $$ vector_avg('{1,NaN}') $$,
    $$ vector_avg('{1,1e300}') $$, $$ vector_avg('{1,Infinity}') $$, $$ vector_avg(array_fill(1::float8, ARRAY[16002])) $$]) expression;

-- Errors leave the session in order.
SELECT '[1,2]'::vector <-> '[3,4]' AS after;

DROP TABLE three, received, received_3;
DROP FUNCTION error_of_wire, error_of_input, error_of, text_array_to_vector;
