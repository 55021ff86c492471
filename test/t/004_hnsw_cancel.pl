# A build, a scan or a vacuum that is interrupted leaves no pin, no lock and no half-made index.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 256MB', 'shared_buffers = 32MB');
make_items($node, 1, 12000, dims => 96);
my $create = 'DROP INDEX IF EXISTS items_idx; ' . create_index(with => access_method() eq 'hnsw' ? 'ef_construction = 200' : 'lists = 1500');

# Runs a statement under a timeout; true if it was interrupted by that, false if it came to its end.
sub interrupted
{
	my ($ms, $sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "SET client_min_messages = warning; $sql", extra_params => [ '-v', 'VERBOSITY=verbose' ],
		connstr => $node->connstr('postgres') . " options='-c statement_timeout=$ms'");
	return 0 if $rc == 0;
	like($err, qr/57014.*canceling statement/, "only the timeout of $ms ms stopped it") if $err !~ /57014/;
	return 1;
}

# Starts a statement elsewhere and cancels it when it has run for a while; returns the same.
sub cancelled
{
	my ($seconds, $sql) = @_;
	my $session = background($node, "SET application_name = 'victim'", $sql);
	wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active' AND query !~ '^SET'", 5);
	sleep $seconds;
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
	finish($session);
	return $session->{err} =~ /canceling statement due to user request/ ? 1 : 0;
}

sub nothing_left
{
	my ($name) = @_;
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.backend_type = 'client backend' AND pid <> pg_backend_pid()"), 0, "$name: no lock remains");
	return;
}

# Build.
my $count = 0;
$count += interrupted($_, $create) foreach (20, 60, 150, 300);
$count += cancelled($_, $create) foreach (0.02, 0.1);
cmp_ok($count, '>=', 3, "builds were interrupted ($count)");
nothing_left('build');
$node->safe_psql('postgres', 'DROP INDEX IF EXISTS items_idx');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'items_idx'"), 0, 'no half-made index');
$node->safe_psql('postgres', $create);
cmp_ok(recall($node, dims => 96, before => search_wide()), '>=', 0.95, 'a build after that is good');

# Scan: searches without end.
my $scan = 'SET enable_seqscan = off; SELECT count(*) FROM generate_series(1, 10000000) q, LATERAL
	(SELECT id FROM items ORDER BY embedding <-> vec(q, 96) LIMIT 10) n';
$count = 0;
$count += interrupted($_, $scan) foreach (10, 11, 13, 17, 50, 200);
$count += cancelled($_, $scan) foreach (0.05, 0.3);
is($count, 8, 'scans were interrupted');
# and an error that another part of the query raises while a scan is open
my ($rc, undef, $err) = $node->psql('postgres', 'SET enable_seqscan = off; SELECT 1 / (id - id) FROM (SELECT id FROM items ORDER BY embedding <-> vec(5, 96) LIMIT 10) s');
like($err, qr/division by zero/, 'an error above an open scan');
$node->safe_psql('postgres', 'SET enable_seqscan = off; BEGIN; DECLARE c CURSOR FOR SELECT id FROM items ORDER BY embedding <-> vec(5, 96) LIMIT 100; FETCH 3 FROM c; SAVEPOINT s; FETCH 2 FROM c; ROLLBACK TO s; FETCH 5 FROM c; ROLLBACK;');
nothing_left('scan');

# Insert: one statement with many rows.
$count = 0;
$count += interrupted($_, 'INSERT INTO items SELECT i, vec(i, 96) FROM generate_series(20001, 40000) i') foreach (30, 100, 250);
$count += cancelled($_, 'INSERT INTO items SELECT i, vec(i, 96) FROM generate_series(20001, 40000) i') foreach (0.2);
is($count, 4, 'inserts were interrupted');
nothing_left('insert');
is(duplicates_96(), 0, 'no row is found twice after interrupted inserts');

# Vacuum: of what the interrupted inserts and a delete left.
$node->safe_psql('postgres', 'DELETE FROM items WHERE hashint4(id) % 2 = 0');
$count = 0;
$count += interrupted($_, 'VACUUM items') foreach (5, 10, 20, 40, 60);
$count += cancelled($_, 'VACUUM items') foreach (0.01, 0.05);
cmp_ok($count, '>=', 1, "vacuums were interrupted ($count)");
nothing_left('vacuum');
$node->safe_psql('postgres', 'VACUUM items');
cmp_ok(recall($node, dims => 96, before => search_wide()), '>=', 0.95, 'recall after a vacuum that was begun several times');
is(duplicates_96(), 0, 'no row is found twice after that');

# Whoever held a pin or a lock would be noticed by these.
$node->safe_psql('postgres', 'VACUUM FULL items');
$node->safe_psql('postgres', 'REINDEX INDEX items_idx');
cmp_ok(recall($node, dims => 96, before => search_wide()), '>=', 0.95, 'recall after VACUUM FULL and REINDEX');
$node->safe_psql('postgres', 'DROP INDEX items_idx');
$node->safe_psql('postgres', 'DROP TABLE items');
$node->safe_psql('postgres', 'CHECKPOINT');
pass('the index and the table can be dropped');
log_is_clean($node);
$node->stop;
done_testing();

sub duplicates_96
{
	return $node->safe_psql('postgres', search_narrow() . 'SET enable_seqscan = off;
		SELECT coalesce(sum(rows - ids), 0) FROM generate_series(1, 50) q, LATERAL
			(SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM
				(SELECT id FROM items ORDER BY embedding <-> (SELECT vec(20000000 + q, 96)) LIMIT 100) n) c');
}
