# A database that ran the real pgvector: its files are replaced, ALTER EXTENSION vector UPDATE, REINDEX; and back again.
# On a copy of the server, into which the system's pgvector is copied; skipped where the system has none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use AsVector;

my $s = make_sandbox(PostgreSQL::Test::Utils::tempdir());
plan skip_all => 'the system has no pgvector' unless defined $s->{pgvector};
note "pgvector $s->{pgvector}";
my ($version) = text_of('vectorext.control') =~ /under the name vector = '(.*)'/;
my $sql = text_of('sql/vectorext.sql');
my ($rc, $out, $err, $ok);

# What pgvector can index: [access method, column, operator class, operator, query]
my @indexes = grep { $sql =~ /CREATE OPERATOR CLASS $_->[2]\s[^;]*USING $_->[0]\b/ } (
	(map { ['hnsw', 'v', "vector_$_->[0]_ops", $_->[1], '[3,1,4]'] } ['l2', '<->'], ['ip', '<#>'], ['cosine', '<=>'], ['l1', '<+>']),
	(map { ['hnsw', 'h', "halfvec_$_->[0]_ops", $_->[1], '[3,1,4]'] } ['l2', '<->'], ['ip', '<#>'], ['cosine', '<=>'], ['l1', '<+>']),
	(map { ['hnsw', 's', "sparsevec_$_->[0]_ops", $_->[1], '{1:3,2:1}/3'] } ['l2', '<->'], ['ip', '<#>'], ['cosine', '<=>'], ['l1', '<+>']),
	(map { ['hnsw', 'b', "bit_$_->[0]_ops", $_->[1], '101'] } ['hamming', '<~>'], ['jaccard', '<%>']),
	(map { ['ivfflat', 'v', "vector_$_->[0]_ops", $_->[1], '[3,1,4]'] } ['l2', '<->'], ['ip', '<#>'], ['cosine', '<=>']),
	(map { ['ivfflat', 'h', "halfvec_$_->[0]_ops", $_->[1], '[3,1,4]'] } ['l2', '<->'], ['ip', '<#>'], ['cosine', '<=>']),
	['ivfflat', 'b', 'bit_hamming_ops', '<~>', '101']);
my $name = sub { my ($i) = @_; return "$i->[0]_$i->[2]"; };

# ---- the database under pgvector --------------------------------------------------------------------
my $node = server_on($s, 'main');
$node->safe_psql('postgres', 'CREATE DATABASE app');
# Small whole numbers: every distance is the same to the last digit.  A table for each index, so that each is used.
$node->safe_psql('app', q{
	CREATE EXTENSION vector;
	CREATE TABLE data (id int PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(3), b bit(3), free vector);
	INSERT INTO data SELECT i, ARRAY[i % 11, i % 7 + 1, i % 13], ARRAY[i % 11, i % 7 + 1, i % 13],
		format('{1:%s,3:%s}/3', i % 11, i % 5 + 1)::sparsevec, (i % 8)::bit(3), array_fill(i, ARRAY[1 + i % 3])
		FROM generate_series(1, 500) i;
	INSERT INTO data (id) VALUES (501);
	CREATE INDEX data_btree ON data (v);
	CREATE VIEW nearest AS SELECT id, v <-> '[3,1,4]' AS distance FROM data ORDER BY v <-> '[3,1,4]', id LIMIT 10;
	CREATE TABLE added (id int PRIMARY KEY, v vector(3) DEFAULT '[1,2,3]', h halfvec(3) GENERATED ALWAYS AS (v::halfvec(3)) STORED)});
foreach my $i (@indexes)
{
	my $t = $name->($i);
	$node->safe_psql('app', "SET client_min_messages = error;
		CREATE TABLE $t AS SELECT id, $i->[1] FROM data; CREATE INDEX ${t}_idx ON $t USING $i->[0] ($i->[1] $i->[2]);
		DELETE FROM $t WHERE id % 50 = 0");
}

my $functions = q{
	SELECT id, v, h, s, b, free, vector_dims(v), vector_norm(v), l2_norm(h), l2_norm(s), l2_normalize(v), binary_quantize(v),
		subvector(v, 2, 2), v + '[1,1,1]', v - '[1,1,1]', v * '[2,2,2]', v || '[1]', h + '[1,1,1]', h || '[1]', subvector(h, 1, 1),
		v::halfvec, v::sparsevec, v::real[], h::vector, h::sparsevec, s::vector, s::halfvec, h::real[],
		v < '[3,1,4]', v = '[3,1,4]', h >= '[3,1,4]', s <> '{1:1}/3', vector_cmp(v, '[3,1,4]'),
		vector_send(v), halfvec_send(h), sparsevec_send(s) FROM data ORDER BY id;
	SELECT id, v <-> '[3,1,4]', v <#> '[3,1,4]', v <+> '[3,1,4]', round((v <=> '[3,1,4]')::numeric, 12), h <-> '[3,1,4]',
		h <#> '[3,1,4]', h <+> '[3,1,4]', s <-> '{1:3}/3', s <#> '{1:3}/3', s <+> '{1:3}/3', b <~> '101', b <%> '101' FROM data ORDER BY id;
	SELECT avg(v), sum(v), avg(h), sum(h), count(DISTINCT v), min(id) FROM data;
	SELECT v, count(*) FROM data GROUP BY v ORDER BY v;
	SELECT ARRAY[1,2]::vector, ARRAY[1.5,2]::real[]::halfvec, ARRAY[0,2]::numeric[]::sparsevec, '{1,2}'::float8[]::vector(2);
	SELECT * FROM nearest ORDER BY distance, id;
	SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute WHERE attrelid = 'data'::regclass AND attnum > 0 ORDER BY attnum};
# The 20 smallest distances, through the index or not.
my $distances = sub {
	my ($i, $scan) = @_;
	return "SET enable_$scan = off; SET hnsw.ef_search = 500; SET ivfflat.probes = 100;
		SELECT d FROM (SELECT round(($i->[1] $i->[3] '$i->[4]')::numeric, 6) AS d FROM " . $name->($i) . "
			ORDER BY $i->[1] $i->[3] '$i->[4]' LIMIT 20) s ORDER BY d";
};
my $before = $node->safe_psql('app', $functions);
my %nearest = map { $name->($_) => $node->safe_psql('app', $distances->($_, 'indexscan')) } @indexes;
my $dump = "$s->{dir}/pgvector.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('app') ], 'a dump by pgvector');

# ---- the swap ---------------------------------------------------------------------------------------
($ok, $err) = install_as_vector($s);
ok(!$ok, 'the installed pgvector is not overwritten');
like($err, qr{another extension vector}, 'and the message says so');
($ok, $err) = install_as_vector($s, 1);
ok($ok, 'FORCE=1 sets it aside') or diag $err;
is(join(' ', glob "$s->{lib}/bitcode/vector.index.b*c"), '', 'and what the JIT would inline of it');
$node->restart;
($rc, $out, $err) = $node->psql('app', q{LOAD '$libdir/vector.so.pgvector'; LOAD 'vectorext';});
like($err, qr/ERROR:  vectorext cannot be loaded beside pgvector/, 'a session that has loaded pgvector is told so');

is($node->safe_psql('app', $functions), $before, 'before the update: data, functions, casts, aggregates');
sub indexes_ask_for_reindex
{
	my ($when) = @_;
	foreach my $i (@indexes)
	{
		my $t = $name->($i);
		foreach my $statement ("SET enable_seqscan = off; SELECT id FROM $t ORDER BY $i->[1] $i->[3] '$i->[4]' LIMIT 1",
			"INSERT INTO $t SELECT 1000, $i->[1] FROM data WHERE id = 7")
		{
			($rc, $out, $err) = $node->psql('app', $statement);
			like($err, qr/ERROR:  $i->[0] index "${t}_idx" is not valid.*HINT:  REINDEX the index/s, "$when, $t: " . substr($statement, 0, 6));
		}
		is($node->safe_psql('app', "SELECT count(*) FROM $t"), 491, "$when, $t: other queries work");
		($rc, $out, $err) = $node->psql('app', "VACUUM $t; VACUUM (FREEZE) $t; ANALYZE $t");
		is($rc, 0, "$when, $t: VACUUM");
		like($err, qr/WARNING:  $i->[0] index "${t}_idx" is not valid.*HINT:  REINDEX the index/s, 'warns') or diag $err;
	}
	return;
}
indexes_ask_for_reindex('before the update');
$node->safe_psql('app', 'ALTER EXTENSION vector UPDATE');
is($node->safe_psql('app', "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), $version, 'ALTER EXTENSION vector UPDATE');
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION vector');
SKIP:
{
	skip 'this version does not have all access methods and operator classes', 2
	  unless $sql =~ /ivfflathandler/ && $sql =~ /sparsevec_l2_ops/;
	is(catalog_of($node, 'app'), catalog_of($node, 'fresh'), 'the updated catalog is that of a new database');
	is($node->safe_psql('app', q{
		SELECT count(fmgr_c_validator(p.oid)) > 100 FROM pg_depend d JOIN pg_proc p ON d.objid = p.oid
		WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND p.probin IS NOT NULL}), 't', 'the library has each function');
}
is($node->safe_psql('app', $functions), $before, 'after it: data, functions, casts, aggregates');
is($node->safe_psql('app', q{SELECT v * 2.0, v[1], v[2:3], sum(s) OVER (ORDER BY id), l2_norm(v) = vector_norm(v) FROM data WHERE id = 3}),
	'[6,8,6]|3|[4,3]|{1:3,3:4}/3|t', 'and our own functions on the old rows');
$node->safe_psql('app', "INSERT INTO added VALUES (1)");
is($node->safe_psql('app', 'SELECT h FROM added'), '[1,2,3]', 'defaults and generated columns');

# ---- REINDEX ----------------------------------------------------------------------------------------
foreach my $i (@indexes)
{
	my $t = $name->($i);
	$node->safe_psql('app', "SET client_min_messages = error; REINDEX INDEX ${t}_idx");
	is($node->safe_psql('app', $distances->($i, 'seqscan')), $nearest{$t}, "$t finds the nearest");
	$node->safe_psql('app', "INSERT INTO $t SELECT 1000, $i->[1] FROM data WHERE id = 7");
	($rc, $out, $err) = $node->psql('app', "VACUUM $t");
	is($rc . $err, '0', 'INSERT and VACUUM');
}

# ---- dumps ------------------------------------------------------------------------------------------
foreach my $from ('pgvector', 'ours')
{
	if ($from eq 'ours')
	{
		$dump = "$s->{dir}/ours.dump";
		$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('app') ], 'a dump by ours');
	}
	$node->safe_psql('postgres', "CREATE DATABASE from_$from");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr("from_$from"), $dump ], "a dump by $from is restored into ours");
	is($node->safe_psql("from_$from", $functions), $before, 'same data');
	foreach my $i (@indexes)
	{
		# ours has one row more in each table
		$node->safe_psql("from_$from", 'DELETE FROM ' . $name->($i) . ' WHERE id = 1000');
		is($node->safe_psql("from_$from", $distances->($i, 'seqscan')), $nearest{ $name->($i) }, 'same answers: ' . $name->($i));
	}
}

# ---- the way back -----------------------------------------------------------------------------------
$node->safe_psql('app', "ALTER EXTENSION vector UPDATE TO '$s->{pgvector}'");
($ok, $err) = uninstall_as_vector($s);
ok($ok, 'uninstall-as-vector') or diag $err;
$node->restart;
is($node->safe_psql('app', $functions), $before, 'pgvector again: data, functions, casts, aggregates');
foreach my $i (@indexes)
{
	my $t = $name->($i);
	$node->safe_psql('app', "SET client_min_messages = error; DELETE FROM $t WHERE id = 1000; REINDEX INDEX ${t}_idx");
	is($node->safe_psql('app', $distances->($i, 'seqscan')), $nearest{$t}, "$t finds the nearest");
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash');
$node->stop;
done_testing();
