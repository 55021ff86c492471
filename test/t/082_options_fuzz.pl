# Type modifiers and index options from random pieces: each is accepted or refused with an error that is meant for the
# user. 10 seconds; VECTOREXT_FUZZ_SECONDS=3600 for more, VECTOREXT_FUZZ_SEED for other pieces.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $seconds = $ENV{VECTOREXT_FUZZ_SECONDS} || 10;
my $seed = $ENV{VECTOREXT_FUZZ_SEED} || 1;
my $node = new_server('main', 'maintenance_work_mem = 4MB', 'fsync = off');
$node->safe_psql('postgres', q{
	CREATE TABLE t (v vector(3), h halfvec(3), s sparsevec(3), b bit(3), n int);
	INSERT INTO t SELECT v, v::halfvec, v::sparsevec, b'101', i FROM (SELECT i, ARRAY[i, i % 3, 1]::vector v FROM generate_series(1, 40) i) s;
	CREATE FUNCTION pick(VARIADIC a text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT a[1 + floor(random() * cardinality(a))::int]';
	CREATE FUNCTION piece() RETURNS text LANGUAGE sql VOLATILE AS $$
		SELECT CASE WHEN random() < 0.3 THEN floor(random() * 300)::text WHEN random() < 0.2 THEN ((random() - 0.5) * 5e9)::bigint::text
		ELSE pick('-1', '0', '1', '2', '3', '100', '101', '2000', '2001', '4000', '4001', '16000', '16001', '32768', '64000', '1000000000',
			'2147483647', '2147483648', '-2147483648', '9223372036854775808', '1e3', '3.5', 'NaN', '0x10', 'on', 'off', 'true', 'none', 'sq8', 'sq4',
			'rabitq', 'bits', 'x', 'null', '''''', ''' 3 ''', '''3a''', '''é''', '"a b"', '3, 3', '3,', '', '(3)', 'repeat', '''' || repeat('9', 400) || '''') END $$;
	CREATE FUNCTION statement() RETURNS text LANGUAGE sql VOLATILE AS $$
		SELECT CASE WHEN random() < 0.4 THEN format('SELECT %s::%s(%s)', pick('''[1,2,3]''', '''{1:1}/3''', '''[]''', 'NULL', '''101'''),
				pick('vector', 'halfvec', 'sparsevec', 'vector(3)::halfvec'), piece())
			WHEN random() < 0.1 THEN format('CREATE TABLE u (x %s(%s)[])', pick('vector', 'halfvec', 'sparsevec'), piece())
			WHEN random() < 0.1 THEN format('ALTER INDEX kept SET (%s = %s)', pick('m', 'ef_construction', 'quantization', 'lists'), piece())
			ELSE format('CREATE INDEX ON t USING %s (%s) WITH (%s = %s%s)', pick('hnsw', 'ivfflat'),
				pick('v vector_l2_ops', 'v vector_ip_ops', 'v vector_cosine_ops', 'h halfvec_l2_ops', 's sparsevec_l2_ops', 'b bit_hamming_ops'),
				pick('m', 'ef_construction', 'quantization', 'lists', 'fillfactor', 'M', '"m "'), piece(),
				CASE WHEN random() < 0.4 THEN format(', %s = %s', pick('m', 'ef_construction', 'quantization', 'lists'), piece()) ELSE '' END) END $$;
	CREATE INDEX kept ON t USING hnsw (v vector_l2_ops);
	CREATE TABLE outcome (state text, sql text, message text);});
$node->safe_psql('postgres', "SELECT setseed(1.0 / (1 + $seed));
	SET client_min_messages = error;" . q{ SET statement_timeout = 0;
	DO $$ DECLARE s text; m text; until timestamptz := clock_timestamp() + interval 'SECONDS s'; BEGIN
	WHILE clock_timestamp() < until LOOP
		s := statement();
		BEGIN
			EXECUTE s;
			RAISE EXCEPTION SQLSTATE 'ZZ000';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS m = MESSAGE_TEXT;
			INSERT INTO outcome VALUES (sqlstate, s, m);
		END;
	END LOOP; END $$} =~ s/SECONDS/$seconds/r);
note '= ', $node->safe_psql('postgres', q{SELECT sum(n) || ' statements, outcomes: ' || string_agg(state || ' ' || n, ', ') FROM (SELECT state, count(*) n FROM outcome GROUP BY 1 ORDER BY 1) s});
# what was accepted, syntax, wrong values, what is not there, what is not done, limits
is($node->safe_psql('postgres', q{SELECT DISTINCT ON (state, message) state, message, sql FROM outcome WHERE state !~ '^(ZZ000|22|42|0A|54)' LIMIT 20}),
	'', 'errors are those of wrong values');
is($node->safe_psql('postgres', q{SELECT count(*) > 10 FROM outcome WHERE state = 'ZZ000'}), 't', 'some were accepted');
is($node->safe_psql('postgres', q{SELECT count(*) > 10 FROM outcome WHERE state LIKE '22%'}), 't', 'some were refused');
log_is_clean($node);
$node->stop;
done_testing();
