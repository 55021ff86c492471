# Builds by several processes: the same graph as by one, and no hang whatever happens to the workers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 64MB', 'shared_buffers = 32MB', 'max_worker_processes = 12',
	'max_parallel_workers = 8', 'max_parallel_maintenance_workers = 8', 'log_temp_files = 0');
make_items($node, 1, 8000, dims => 64);
# more rows of some codes
$node->safe_psql('postgres', 'INSERT INTO items SELECT 10000 + i, vec(i % 5, 64) FROM generate_series(1, 200) i');

sub fingerprint
{
	my ($name) = @_;
	$name //= 'items_idx';
	return $node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('$name') WHERE name = 'fingerprint'");
}

# What the metapage says of recall: behind the page's header and 128 bytes.
sub calibration
{
	return $node->safe_psql('postgres', "CHECKPOINT; SELECT md5(substr(pg_read_binary_file(pg_relation_filepath('items_idx'), 0, 8192), 153, 120))");
}

# Builds with a number of workers; gives (the fingerprint, what was said).
sub build
{
	my ($workers, %o) = (@_);
	my $with = $o{with} ? "WITH ($o{with})" : '';
	my ($rc, $out, $err) = $node->psql('postgres', ($o{before} // '') . "; DROP INDEX IF EXISTS items_idx;
		ALTER TABLE items SET (parallel_workers = $workers);
		CREATE INDEX items_idx ON items USING hnsw (embedding " . ($o{ops} // 'vector_l2_ops') . ") $with");
	is($rc, 0, "build with $workers workers" . ($o{name} // '')) or diag $err;
	return (fingerprint(), $err);
}

# ---- the same graph ------------------------------------------------------------------------------
my ($alone) = build(0);
like($alone, qr/^[0-9a-f]{16}$/, 'a fingerprint');
my $measured = calibration();
foreach my $workers (1, 2, 4, 0)
{
	my ($same, $said) = build($workers);
	is($same, $alone, "the same graph with $workers workers");
	is(calibration(), $measured, 'and the same of its recall');
	unlike($said, qr/NOTICE:  index is built/, 'all planned workers came');
	index_is_whole($node, "built with $workers workers") if $workers == 2;
}
my $recall = recall($node, dims => 64);
cmp_ok($recall, '>=', 0.97, "recall of a parallel build ($recall)");
is(misses($node, 'id % 4 = 0'), 0, 'rows are reachable');
foreach my $kind ([ 'vector_cosine_ops', '' ], [ 'vector_ip_ops', 'm = 4' ], [ 'vector_l1_ops', "m = 40, ef_construction = 100, quantization = 'none'" ])
{
	my ($one) = build(0, ops => $kind->[0], with => $kind->[1]);
	my ($three) = build(2, ops => $kind->[0], with => $kind->[1]);
	is($three, $one, "the same graph: $kind->[0] $kind->[1]");
	isnt($one, $alone, 'and another one than before');
}

# Codes of sparse vectors differ in size.
$node->safe_psql('postgres', "CREATE TABLE sparse AS SELECT id, (SELECT array_agg(CASE WHEN hashint8(id + i) % 3 = 0 THEN x ELSE 0 END)
	FROM unnest(embedding::real[]) WITH ORDINALITY u(x, i))::vector::sparsevec(64) AS s FROM items WHERE id <= 3000;
	ALTER TABLE sparse SET (parallel_workers = 2); CREATE INDEX sparse_idx ON sparse USING hnsw (s sparsevec_cosine_ops)");
my $sparse = fingerprint('sparse_idx');
$node->safe_psql('postgres', "ALTER TABLE sparse SET (parallel_workers = 0); REINDEX INDEX sparse_idx");
is(fingerprint('sparse_idx'), $sparse, 'the same graph of sparse vectors');
is($node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('sparse_idx') WHERE name = 'rows'"), 3000, 'with all rows');

# Codes and their copy together do not fit: they go by a temporary file.
my ($by_file, $said) = build(2, before => "SET maintenance_work_mem = '2400kB'", name => ', little memory');
unlike($said, qr/no longer fits/, 'the graph fits');
is($by_file, $alone, 'the same graph by way of a file');
ok(log_of($node) =~ /temporary file: .*size 67\d{4}/, 'a file it was');

# ---- what does not fit -----------------------------------------------------------------------------
(undef, $said) = build(2, before => "SET maintenance_work_mem = '1MB'", name => ', too little memory');
like($said, qr/NOTICE:  hnsw graph no longer fits into maintenance_work_mem after \d+ tuples/, 'a notice');
$recall = recall($node, dims => 64);
cmp_ok($recall, '>=', 0.95, "recall of a build beyond maintenance_work_mem ($recall)");
is(misses($node, 'id % 4 = 0'), 0, 'rows are reachable');

# ---- CONCURRENTLY, while rows come ----------------------------------------------------------------
$node->safe_psql('postgres', 'DROP INDEX items_idx');
my $writer = background($node, map { "INSERT INTO items SELECT 20000 + $_ * 100 + i, vec(20000 + $_ * 100 + i, 64) FROM generate_series(1, 20) i" } 1 .. 40);
$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY items_idx ON items USING hnsw (embedding vector_l2_ops)');
is(finish($writer), 0, 'inserts during CREATE INDEX CONCURRENTLY');
is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_idx'::regclass"), 't', 'the index is valid');
is(misses($node, 'id % 4 = 0 OR id > 20000'), 0, 'no row is missing');
is(duplicates($node, dims => 64), 0, 'no row is there twice');
is($node->safe_psql('postgres', "SELECT (SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'rows')::int = count(*) FROM items"), 't',
	'the index has as many rows as the table');
$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY items_idx');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id > 20000; VACUUM items');

# ---- errors, workers that end, cancelling ---------------------------------------------------------
$node->safe_psql('postgres', q{CREATE FUNCTION bad(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public AS
	$$ BEGIN IF vector_norm(v) > 0 AND v = vec(7777, 64) THEN RAISE 'a bad row'; END IF; RETURN v; END $$});
my (undef, undef, $err) = $node->psql('postgres', 'CREATE INDEX bad_idx ON items USING hnsw ((bad(embedding)::vector(64)) vector_l2_ops)');
like($err, qr/a bad row/, 'an expression that raises');
(undef, undef, $err) = $node->psql('postgres', 'CREATE INDEX bad_idx ON items USING hnsw ((embedding::vector(3)) vector_l2_ops)');
like($err, qr/expected 3 dimensions, not 64/, 'rows of other dimensions');

my $slow = "SET application_name = 'victim'; CREATE INDEX slow_idx ON items USING hnsw (embedding vector_l2_ops) WITH (m = 100, ef_construction = 1000)";
foreach my $whom ('terminate worker', 'cancel worker', 'cancel leader', 'terminate leader')
{
	end_build($node, background($node, $slow), split(/ /, $whom), "w.query ~ 'slow_idx'", 'there are workers, which say what they do');
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'slow_idx'"), 0, 'no half-made index');

# In every phase, which says how much there is to do.
$node->safe_psql('postgres', q{CREATE FUNCTION slow(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
	$$ BEGIN PERFORM pg_sleep(0.001); RETURN v; END $$});
my %slow = ('loading tuples' => $slow =~ s/\(embedding/((slow(embedding)::vector(64))/r, 'building graph' => $slow);
foreach my $phase (sort keys %slow)
{
	end_build($node, background($node, $slow{$phase}), 'cancel', 'leader', "p.phase ~ '$phase' AND p.tuples_done > 0 AND p.tuples_total BETWEEN p.tuples_done AND 9000",
		"$phase: how far");
}
my ($again) = build(4, name => ' after all that');
$node->safe_psql('postgres', 'VACUUM FULL items');
is((build(2))[0], (build(0))[0], 'the same graph again');

# What exceeds the memory is inserted by all, too.
$node->safe_psql('postgres', 'ALTER TABLE items SET (parallel_workers = 2)');
$slow = "SET maintenance_work_mem = '1MB'; $slow";
foreach my $whom ('terminate worker', 'cancel leader')
{
	end_build($node, background($node, split /; /, $slow), split(/ /, $whom), "p.phase ~ 'loading tuples' AND p.tuples_done > 0 AND w.pid IS NOT NULL", 'workers insert');
}

# Calibration: by then the workers that link have ended.
$slow = "SET application_name = 'victim'; SET hnsw.calibration_samples = 100000; CREATE INDEX slow_idx ON items USING hnsw (embedding vector_l2_ops)";
foreach my $whom ('terminate worker', 'cancel leader')
{
	end_build($node, background($node, split /; /, $slow), split(/ /, $whom), "p.phase ~ 'writing' AND w.pid IS NOT NULL", 'workers measure');
}

# ---- UNLOGGED -----------------------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE UNLOGGED TABLE u (LIKE items); ALTER TABLE u SET (parallel_workers = 2);
	INSERT INTO u SELECT * FROM items ORDER BY id; CREATE INDEX u_idx ON u USING hnsw (embedding vector_l2_ops)');
my $unlogged = fingerprint('u_idx');
is($node->safe_psql('postgres', "ALTER TABLE u SET (parallel_workers = 0); REINDEX INDEX u_idx;
	SELECT value FROM vectorext_index_stats('u_idx') WHERE name = 'fingerprint'"), $unlogged, 'the same graph over an unlogged table');

# ---- crash --------------------------------------------------------------------------------------
my $before = (build(2))[0];
$measured = calibration();
my $answers = answers($node, dims => 64);
$node->stop('immediate');
$node->start;
is(fingerprint(), $before, 'the same graph after a crash');
is(calibration(), $measured, 'the same calibration');
is(answers($node, dims => 64), $answers, 'and the same answers');
is($node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('u_idx') WHERE name = 'rows'"), 0, 'the unlogged index is empty');

# ---- no workers to be had --------------------------------------------------------------------------
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
my ($none, $notice) = build(2, name => ' where there are none');
is($none, $before, 'the same graph');
like($notice, qr/NOTICE:  index is built with 0 of 2 planned parallel workers/, 'and a notice');

# ---- codes of one codec on pages, of another in memory ------------------------------------------------
# Wide codes of sq4 are linked by codes of sq8, unless these do not fit beside their own.
$node->append_conf('postgresql.conf', 'max_worker_processes = 12');
$node->restart;
$node->safe_psql('postgres', 'DROP TABLE items');
make_items($node, 1, 3000, dims => 384);
my %sq4 = (with => 'quantization = sq4');
my ($linked_by_sq8) = build(0, %sq4);
(my $same, $said) = build(2, %sq4);
is($same, $linked_by_sq8, 'the same graph of sq4 with 2 workers');
unlike($said, qr/NOTICE:  index is built/, 'which came');
index_is_whole($node, 'sq4');
$recall = recall($node, dims => 384);
cmp_ok($recall, '>=', 0.95, "recall of sq4 ($recall)");
my %little = (%sq4, before => "SET maintenance_work_mem = '2000kB'");
(my $linked_by_sq4, $said) = build(0, %little, name => ', of sq4, little memory');
unlike($said, qr/no longer fits/, 'the graph of sq4 fits');
isnt($linked_by_sq4, $linked_by_sq8, 'but not the codes of sq8');
is((build(2, %little))[0], $linked_by_sq4, 'the same graph of sq4 with 2 workers and little memory');
index_is_whole($node, 'sq4, little memory');
(undef, $said) = build(0, %sq4, before => "SET maintenance_work_mem = '1MB'", name => ', of sq4, too little memory');
like($said, qr/NOTICE:  hnsw graph no longer fits into maintenance_work_mem after \d+ tuples/, 'a notice');
index_is_whole($node, 'sq4, too little memory');

log_is_clean($node);
$node->stop;
done_testing();
