# The extension under the name vector, in a server that never saw pgvector: installing and removing its files, CREATE
# EXTENSION by other extensions, dump and restore, both names in one server, and updates of a catalog as pgvector's
# versions have it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AsVector;

my $s = make_sandbox(PostgreSQL::Test::Utils::tempdir());
unlink "$s->{lib}/vector.so", "$s->{lib}/bitcode/vector.index.bc", glob("$s->{ext}/vector.control $s->{ext}/vector--*.sql");
my ($version) = text_of('vectorext.control') =~ /under the name vector = '(.*)'/;
my @pgvector = split / /, (text_of('sql/as_vector/objects') =~ /^versions (.*)$/m)[0];

# ---- files ------------------------------------------------------------------------------------------
append_to_file("$s->{lib}/vector.so", 'a library');
append_to_file("$s->{ext}/vector.control", "default_version = '0.8.0'\n");
append_to_file("$s->{ext}/vector--0.8.0.sql", "-- a script\n");
my ($ok, $err) = install_as_vector($s);
ok(!$ok, 'files of another extension vector are not overwritten');
like($err, qr{another extension vector.*\Q$s->{lib}\E/vector\.so.*/vector\.control}s, 'which are named');
like($err, qr/FORCE=1/, 'with the way to set them aside');
is(slurp_file("$s->{lib}/vector.so"), 'a library', 'the library is untouched');
($ok, $err) = install_as_vector($s, 1);
ok($ok, 'FORCE sets them aside') or diag $err;
is(readlink("$s->{lib}/vector.so"), 'vectorext.so', 'the library is a link');
is(slurp_file("$s->{lib}/vector.so.pgvector"), 'a library', 'what it replaced is kept');
($ok) = install_as_vector($s);
ok($ok, 'its own files it does overwrite');
($ok, $err) = uninstall_as_vector($s);
ok($ok, 'uninstall') or diag $err;
is(slurp_file("$s->{lib}/vector.so"), 'a library', 'gives the library back');
like(slurp_file("$s->{ext}/vector.control"), qr/0\.8\.0/, 'and the control file');
is(join(' ', map { s{.*/}{}r } glob("$s->{ext}/vector--*.sql")), 'vector--0.8.0.sql', 'and removes only its own scripts');
unlink "$s->{lib}/vector.so", "$s->{ext}/vector.control", "$s->{ext}/vector--0.8.0.sql";
ok((install_as_vector($s))[0], 'install where there is nothing');

# ---- CREATE EXTENSION -------------------------------------------------------------------------------
append_to_file("$s->{ext}/needs_vector.control", "default_version = '1'\nrequires = 'vector'\nrelocatable = true\n");
append_to_file("$s->{ext}/needs_vector--1.sql",
	"CREATE TABLE documents (id int, embedding vector(3));\nCREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops);\n");
my $node = server_on($s, 'main');
$node->safe_psql('postgres', 'CREATE EXTENSION needs_vector CASCADE');
is($node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), $version,
	'an extension that requires vector brings it along');
is($node->safe_psql('postgres', q{
	INSERT INTO documents VALUES (1, '[1,0,0]'), (2, '[0,1,0]');
	SET enable_seqscan = off;
	SELECT id FROM documents ORDER BY embedding <=> '[0,1,0.1]' LIMIT 1}), 2, 'and can use it');

# ---- both names -------------------------------------------------------------------------------------
my ($rc, $out);
($rc, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION vectorext');
like($err, qr/ERROR:  type "vector" already exists/, 'vectorext beside vector in one database is an error');
($rc, $out, $err) = $node->psql('postgres', 'CREATE SCHEMA other; CREATE EXTENSION vectorext SCHEMA other');
like($err, qr/ERROR:  access method "hnsw" already exists/, 'in another schema too');
$node->safe_psql('postgres', 'CREATE DATABASE under_its_own_name');
$node->safe_psql('under_its_own_name', 'CREATE EXTENSION vectorext');
is($node->safe_psql('under_its_own_name', "SELECT '[3,4]'::vector <-> '[0,0]'"), 5, 'vectorext in another database of the server');
is($node->safe_psql('under_its_own_name', q{
	CREATE FUNCTION distance_by_name(vector, vector) RETURNS float8 AS '$libdir/vector', 'l2_distance' LANGUAGE C STRICT;
	SET hnsw.ef_search = 77;
	SELECT '[3,4]'::vector <-> '[0,0]', distance_by_name('[3,4]', '[0,0]'), current_setting('hnsw.ef_search')}), '5|5|77',
	'both names of the library in one session');
is($node->safe_psql('postgres', q{
	SET hnsw.ef_search = 77; SET hnsw.iterative_scan = off; SET ivfflat.probes = 3;
	SELECT '[1]'::vector, current_setting('hnsw.ef_search'), current_setting('ivfflat.probes')}), '[1]|77|3',
	'settings made before the library is loaded are kept, and are no sign of pgvector');

# ---- dump and restore -------------------------------------------------------------------------------
$node->safe_psql('postgres', q{
	CREATE DATABASE source;
	CREATE DATABASE target;
	CREATE DATABASE plain});
$node->safe_psql('source', q{
	CREATE SCHEMA vectors;
	CREATE EXTENSION vector SCHEMA vectors;
	SET search_path = public, vectors;
	CREATE TABLE t (id int PRIMARY KEY, v vector(3) NOT NULL, h halfvec(3) GENERATED ALWAYS AS (v::halfvec(3)) STORED,
		s sparsevec(3), b bit(3), d float8[],
		CHECK (vector_dims(v) = 3), CHECK (v <> '[0,0,0]'), CHECK (v <-> '[1,1,1]' < 1000));
	INSERT INTO t (id, v, s, b, d) SELECT i, ARRAY[i, i % 7, i % 5], format('{1:%s,3:2}/3', i)::sparsevec, (i % 8)::bit(3),
		ARRAY[i, 0.5, 1] FROM generate_series(1, 200) i;
	CREATE INDEX t_v ON t USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 32);
	CREATE INDEX t_h ON t USING hnsw (h halfvec_cosine_ops);
	CREATE INDEX t_b ON t USING hnsw (b bit_hamming_ops);
	CREATE INDEX t_expression ON t USING hnsw ((d::vector(3)) vector_ip_ops) WHERE id > 10;
	CREATE INDEX t_order ON t (v);
	CREATE UNIQUE INDEX t_sparse ON t (s);
	CREATE DOMAIN unit AS vector(3) CHECK (vector_norm(VALUE) = 1);
	CREATE MATERIALIZED VIEW near AS SELECT id, v <-> '[50,1,1]' AS distance FROM t ORDER BY v <-> '[50,1,1]' LIMIT 5;
	CREATE VIEW mean AS SELECT avg(v) AS v, sum(h) AS h, avg(s) AS s, (avg(v))[1:2] AS part FROM t;
	CREATE FUNCTION nearest(vector) RETURNS int LANGUAGE sql STABLE AS 'SELECT id FROM public.t ORDER BY v OPERATOR(vectors.<->) $1 LIMIT 1'});
my $contents = q{
	SET search_path = public, vectors;
	SELECT * FROM t ORDER BY id;
	SELECT * FROM near ORDER BY distance, id;
	SELECT * FROM mean;
	SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname;
	SET enable_seqscan = off;
	SELECT nearest('[120,1,0]');
	SELECT id FROM t ORDER BY b <~> '110', id LIMIT 3;
	SELECT id FROM t WHERE id > 10 ORDER BY d::vector(3) <#> '[1,1,1]' LIMIT 1};
my $dump = "$s->{dir}/dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('source') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('target'), $dump ], 'pg_restore, whose search_path is empty');
is($node->safe_psql('target', $contents), $node->safe_psql('source', $contents), 'the copy answers as the original');
is($node->safe_psql('target', q{
	SET search_path = '';
	SET enable_seqscan = off;
	INSERT INTO public.t (id, v) VALUES (1000, '[999,1,1]');
	SELECT id FROM public.t ORDER BY v OPERATOR(vectors.<->) '[999,1,1]' LIMIT 1}), 1000, 'index insert and scan with an empty search_path');
$node->command_ok([ 'pg_dump', '-f', "$dump.sql", $node->connstr('source') ], 'plain pg_dump');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', "$dump.sql", $node->connstr('plain') ], 'psql restores it');
is($node->safe_psql('plain', $contents), $node->safe_psql('source', $contents), 'and again it answers as the original');

# ---- updates ----------------------------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION vector');
my $fresh = catalog_of($node, 'fresh');
is($node->safe_psql('fresh', q{
	SELECT count(fmgr_c_validator(p.oid)) > 100 FROM pg_depend d JOIN pg_proc p ON d.objid = p.oid
	WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND p.probin IS NOT NULL}), 't', 'the library has each function');
$node->safe_psql('postgres', 'CREATE DATABASE updates');
my %tested;
foreach my $from (@pgvector)
{
	# Most versions differ in code only, and have the same script.
	my $script = slurp_file("$s->{ext}/vector--$from--$version.sql");
	next if $tested{$script}++;
	# A migration may ask for a certain version: it gets that by the way back.
	my $pinned;
	if (-f "$s->{ext}/vector--$version--$from.sql")
	{
		$node->safe_psql('updates', "CREATE EXTENSION vector VERSION '$from'");
		$pinned = catalog_of($node, 'updates');
		$node->safe_psql('updates', 'DROP EXTENSION vector');
	}
	append_to_file("$s->{ext}/vector--$from.sql", pgvector_script($from));
	$node->safe_psql('updates', qq{
		CREATE EXTENSION vector VERSION '$from';
		CREATE TABLE kept (v vector(2));
		INSERT INTO kept VALUES ('[1,2]')});
	my $old = catalog_of($node, 'updates');
	$node->safe_psql('updates', 'ALTER EXTENSION vector UPDATE');
	is(catalog_of($node, 'updates'), $fresh, "update from $from");
	is($node->safe_psql('updates', 'SELECT v * 2.0, v[1] FROM kept'), '[2,4]|1', 'new objects work on old rows');
	if (defined $pinned)
	{
		$node->safe_psql('updates', "ALTER EXTENSION vector UPDATE TO '$from'");
		is(catalog_of($node, 'updates'), $old, "and back to $from");
		is($pinned, $old, "CREATE EXTENSION vector VERSION '$from'");
	}
	$node->safe_psql('updates', 'DROP TABLE kept; DROP EXTENSION vector');
}
cmp_ok(scalar(keys %tested), '>=', 4, 'several catalogs were updated');
# The two things that ALTER has to change.
append_to_file("$s->{ext}/vector--0.6.0.sql", pgvector_script('0.6.0') . q{
	ALTER TYPE vector SET (STORAGE = extended);
	DROP OPERATOR - (vector, vector);
	CREATE OPERATOR - (LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_sub, COMMUTATOR = -);
	ALTER OPERATOR <= (vector, vector) SET (RESTRICT = scalarltsel, JOIN = scalarltjoinsel);});
$node->safe_psql('updates', "CREATE EXTENSION vector VERSION '0.6.0'; ALTER EXTENSION vector UPDATE");
is(catalog_of($node, 'updates'), $fresh, 'what 0.6.0 and before had otherwise is changed');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash');
$node->stop;
done_testing();
