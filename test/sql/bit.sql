-- Hamming distance: bits that differ.
SELECT hamming_distance(B'111', B'110'), B'111' <~> B'000' AS op, hamming_distance(B'', B'') AS empty, hamming_distance(B'1', B'1') AS none;
-- Jaccard distance: 1 minus common bits by set bits.
SELECT jaccard_distance(B'1111', B'1111'), jaccard_distance(B'1111', B'1110'), B'1100' <%> B'1000' AS op, jaccard_distance(B'0011', B'1100') AS nothing_common,
    jaccard_distance(B'0000', B'0000') AS nothing_set, jaccard_distance(B'', B'') AS empty;
SELECT hamming_distance(B'1', NULL), B'1' <%> NULL AS jaccard;
SELECT B'1010'::varbit <~> B'1000'::varbit AS varbit;

-- Lengths around bytes and words, by every set of kernels; against counts of core.
CREATE TABLE pairs AS
    SELECT n, ~ ~string_agg((i % 3 % 2)::text, '' ORDER BY i)::varbit AS a, ~ ~string_agg((i % 5 / 2 % 2)::text, '' ORDER BY i)::varbit AS b
    FROM unnest('{1,7,8,9,63,64,65,127,128,129,1000,64000}'::int[]) n, generate_series(1, n) i GROUP BY n;
SELECT $$ SELECT n, a <~> b AS hamming, (a <~> b) = bit_count(a # b) AS same_hamming, round((a <%> b)::numeric, 6) AS jaccard,
    (a <%> b) = CASE WHEN bit_count(a & b) = 0 THEN 1 ELSE 1 - bit_count(a & b)::float8 / bit_count(a | b) END AS same_jaccard FROM pairs ORDER BY n $$ AS query \gset
:query;
SET vectorext.simd = baseline;
:query;
SET vectorext.simd = scalar;
:query;
RESET vectorext.simd;
SELECT n FROM pairs WHERE n = 1000 AND a <~> a = 0 AND a <~> ~a = n AND a <%> a = 0 AND a <%> ~a = 1;
SELECT n FROM pairs ORDER BY a::bit(8) <~> B'01101001', n LIMIT 3;

-- Different lengths.
SELECT hamming_distance(B'111', B'00');
SELECT B'111' <%> B'00';

-- bit to vector and halfvec, and back: explicit casts.
SELECT B'101'::vector, B'101'::vector(3), B'0000000010'::halfvec, B'1'::halfvec(1);
SELECT '[1,0,-1,0.5]'::vector::bit(4), '[1,0,-1,6e-8]'::halfvec::bit(4), '[0,0,0,0,0,0,0,0,1]'::vector::bit(9);
SELECT n, a::vector::text = '[' || rtrim(regexp_replace(a::text, '(.)', '\1,', 'g'), ',') || ']' AS as_text,
    binary_quantize(a::vector) = a AS quantized, binary_quantize(a::halfvec) = a AS half FROM pairs WHERE n <= 1000 ORDER BY n;
SELECT B'101'::vector(2);
SELECT '[1,2,3]'::vector::bit(4);
SELECT '[1,2,3]'::halfvec::bit;
SELECT B''::vector;
SELECT (SELECT a FROM pairs WHERE n = 64000)::vector;
CREATE TABLE assigned (v vector, b bit(3));
INSERT INTO assigned (v) VALUES (B'101');
INSERT INTO assigned (b) VALUES ('[1,0,1]'::vector);

SELECT oprname, proname, oprresult::regtype, oprcom::regoperator, oprrest, oprjoin
FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode WHERE oprleft = 'bit'::regtype AND oprname IN ('<~>', '<%>') ORDER BY oprname COLLATE "C";

DROP TABLE pairs, assigned;
