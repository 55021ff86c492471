# Builds of ivfflat by several processes: the same index as by one, and no hang whatever happens to the workers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

access_method('ivfflat');
my $node = new_server('main', 'maintenance_work_mem = 64MB', 'shared_buffers = 32MB', 'max_worker_processes = 12',
	'max_parallel_workers = 8', 'max_parallel_maintenance_workers = 8');
make_items($node, 1, 8000, dims => 64);

sub fingerprint
{
	return $node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'fingerprint'");
}

# Builds with a number of workers; gives (the fingerprint, its size, what was said).
sub build
{
	my ($workers, %o) = (@_);
	my ($ops, $with) = ($o{ops} // 'vector_l2_ops', $o{with} // 'lists = 40');
	my ($rc, $out, $err) = $node->psql('postgres', ($o{before} // '') . "; DROP INDEX IF EXISTS items_idx;
		ALTER TABLE items SET (parallel_workers = $workers);
		CREATE INDEX items_idx ON items USING ivfflat (embedding $ops) WITH ($with)");
	is($rc, 0, "build with $workers workers" . ($o{name} // '')) or diag $err;
	return (fingerprint(), index_size($node), $err);
}

# ---- the same index -------------------------------------------------------------------------------
my ($alone, $size) = build(0);
like($alone, qr/^[0-9a-f]{16}$/, 'a fingerprint');
foreach my $workers (1, 4, 0)
{
	my ($same, $same_size, $said) = build($workers);
	is($same, $alone, "the same index with $workers workers");
	is($same_size, $size, 'of the same size');
	unlike($said, qr/NOTICE:  index is built/, 'all planned workers came');
}
cmp_ok(recall($node, dims => 64), '>=', 0.95, 'recall of a parallel build');
index_is_whole($node, 'a parallel build');
is(misses($node, 'id % 4 = 0'), 0, 'rows are found');
is($node->safe_psql('postgres', "SELECT count(*) FROM vectorext_index_check('items_idx', true) WHERE severity <> 'info'"), 0, 'nothing is wrong with it');
foreach my $kind ([ 'vector_cosine_ops', 'lists = 0' ], [ 'vector_ip_ops', 'lists = 30, quantization = sq8' ], [ 'vector_l2_ops', 'lists = 2100' ])
{
	my ($one) = build(0, ops => $kind->[0], with => $kind->[1]);
	my ($three) = build(2, ops => $kind->[0], with => $kind->[1]);
	is($three, $one, "the same index: $kind->[0] $kind->[1]");
	isnt($one, $alone, 'and another one than before');
}
my ($little) = build(2, before => "SET maintenance_work_mem = '5MB'", name => ', little memory');
is($little, (build(0, before => "SET maintenance_work_mem = '5MB'"))[0], 'the same index where sorting takes files');

# ---- CONCURRENTLY, while rows come ------------------------------------------------------------------
$node->safe_psql('postgres', 'DROP INDEX items_idx; ALTER TABLE items SET (parallel_workers = 2)');
my $writer = background($node, map { "INSERT INTO items SELECT 20000 + $_ * 100 + i, vec(20000 + $_ * 100 + i, 64) FROM generate_series(1, 20) i" } 1 .. 40);
$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY items_idx ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 40)');
is(finish($writer), 0, 'inserts during CREATE INDEX CONCURRENTLY');
is($node->safe_psql('postgres', "SELECT (SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'rows')::int = count(*) FROM items"), 't',
	'the index has as many rows as the table');
is(misses($node, 'id % 8 = 0 OR id > 20000'), 0, 'no row is missing');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id > 20000; VACUUM items');

# ---- errors, workers that end, cancelling, in every phase --------------------------------------------
# (A transaction sees statistics as they were when it first looked, which may have been in an earlier phase.)
$node->safe_psql('postgres', q{CREATE FUNCTION slow(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
	$$ BEGIN PERFORM pg_stat_clear_snapshot(); IF EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase ~ 'assigning') THEN PERFORM pg_sleep(0.01); END IF; RETURN v; END $$});
$node->safe_psql('postgres', 'CREATE TABLE few WITH (parallel_workers = 2) AS SELECT * FROM items WHERE id <= 2000');
my $slow = "SET application_name = 'victim'; CREATE INDEX slow_idx ON few USING ivfflat ((slow(embedding)::vector(64)) vector_l2_ops) WITH (lists = 10)";
foreach my $whom ('terminate worker', 'cancel worker', 'cancel leader', 'terminate leader')
{
	end_build($node, background($node, $slow), split(/ /, $whom), "p.phase ~ 'assigning' AND p.tuples_done BETWEEN 1 AND p.tuples_total AND w.pid IS NOT NULL", 'workers read the table');
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'slow_idx'"), 0, 'no half-made index');

# ---- crash, UNLOGGED -------------------------------------------------------------------------------
my $before = (build(2))[0];
my $answers = answers($node, dims => 64);
$node->stop('immediate');
$node->start;
is(fingerprint(), $before, 'the same index after a crash');
is(answers($node, dims => 64), $answers, 'and the same answers');

# ---- no workers to be had ----------------------------------------------------------------------------
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
my ($none, undef, $notice) = build(2, name => ' where there are none');
is($none, $before, 'the same index');
like($notice, qr/NOTICE:  index is built with 0 of 2 planned parallel workers/, 'and a notice');

log_is_clean($node);
$node->stop;
done_testing();
