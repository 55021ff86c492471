# Errors at the n-th allocation, page read, page write, extension and worker start of builds, inserts, searches, vacuums
# and checks: PostgreSQL jumps out of our C++ there. The session goes on, nothing leaks, the index is whole. The same with
# queries that are cancelled and backends that are terminated there: a build that was leaves no index. The library is that
# of test/faults/faults.cpp.
use strict;
use warnings;
use Cwd ();
use FindBin;
use lib "$FindBin::RealBin/../perl";
use File::Copy ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;
use AsVector;

my $library = "$FindBin::RealBin/../../build/faults/vectorext.so";
plan skip_all => 'make faults was not run' unless -f $library;

my $sandbox = make_sandbox(PostgreSQL::Test::Utils::tempdir() . '/sandbox');
File::Copy::copy($library, "$sandbox->{lib}/vectorext.so") or die "$library: $!";
my $node = server_on($sandbox, 'faults');
$node->append_conf('postgresql.conf', 'shared_buffers = 16MB');    # holds the indexes: searches stream what they bring
$node->restart;
set_up($node);
$node->safe_psql('postgres', 'CREATE SEQUENCE ids START 1001');

my $rows = q{INSERT INTO items SELECT n, vec(n, 16) FROM (SELECT nextval('ids') AS n FROM generate_series(1, 3)) s};
my $session = q{LOAD 'vectorext'; SET client_min_messages = warning; SET enable_seqscan = off;
	SET min_parallel_table_scan_size = 0;};

my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $brings = $version >= 170000 ? 'read_stream_next_buffer' : 'PrefetchBuffer';

# What is said of an operation (SQL of one command), by a session in which the n-th door fails, for many n. Gives how often
# each door did.
sub inject
{
	my ($name, $sql, $before, $points) = @_;
	$before //= '';
	my $doors = $node->safe_psql('postgres', "$session $before; SET vectorext.fault_at = 0; $sql; SHOW vectorext.doors_passed");
	($doors) = $doors =~ /(\d+)$/;
	my (@n, %seen);
	for (my $n = 1; $n <= $doors; $n += $n < $points / 2 ? 1 : 1 + int($n / ($points / 5))) { push @n, $n; }
	my $script = "\\set VERBOSITY terse\n$session\n";
	$script .= "$before;\nSET vectorext.fault_at = $_;\n$sql;\nSET vectorext.fault_at = 0;\n" foreach @n;
	my ($rc, $out, $err) = $node->psql('postgres', "$script\n$sql;", on_error_stop => 0, timeout => 60);
	my @said = grep { /\S/ } split /\n/, $err;
	my @injected = grep { /injected error at door/ } @said;
	/: (\w+)$/ and $seen{$1}++ foreach @injected;
	note "$name: $doors doors, " . scalar(@injected) . " errors: " . join(', ', map { "$_ $seen{$_}" } sort keys %seen);
	cmp_ok(scalar(@injected), '>=', @n / 2, "$name: errors at " . @n . " of $doors doors");
	is(join("\n", grep { !/injected error at door/ } @said), '', "$name: no other error and no warning, and the session works on");
	return \%seen;
}

# The same of cancelled queries and, each in a session of its own, terminated backends; `absent`: what none of them may
# leave, as a condition.
sub interrupt
{
	my ($name, $sql, $before, $absent) = @_;
	my $doors = $node->safe_psql('postgres', "$session $before; SET vectorext.fault_at = 0; $sql; SHOW vectorext.doors_passed");
	($doors) = $doors =~ /(\d+)$/;
	foreach my $kind ('cancel', 'terminate')
	{
		my ($points, $interrupted, $left) = ($kind eq 'cancel' ? 60 : 12, 0, 0);
		foreach my $i (0 .. $points - 1)
		{
			my $n = 1 + int($i * $doors / $points);
			my ($rc, undef, $err) = $node->psql('postgres', "$session $before; SET vectorext.fault_kind = $kind; SET vectorext.fault_at = $n;\n$sql;");
			$interrupted++ if $err =~ /canceling statement due to user request|terminating connection due to administrator command/;
			$left++ if $rc != 0 && $absent && $node->safe_psql('postgres', "SELECT $absent") eq 't';
		}
		note "$name: $interrupted of $points interrupted by $kind, at the doors of $doors";
		cmp_ok($interrupted, '>=', 0.9 * $points, "$name: $kind, nearly everywhere at once or soon");
		is($left, 0, "$name: $kind, nothing is left") if $absent;
	}
	return;
}

sub is_whole
{
	my ($name) = @_;
	index_is_whole($node, $name);
	is(misses($node), 0, "$name: every row is found");
	return;
}

foreach my $am ('hnsw', 'ivfflat')
{
	access_method($am);
	my $index = create_index();
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS items');
	make_items($node, 1, 300, dims => 16);
	$node->safe_psql('postgres', 'ALTER TABLE items SET (parallel_workers = 0)');
	inject("$am: build", $index, 'DROP INDEX IF EXISTS items_idx', 40);
	is_whole("$am: build");
	interrupt("$am: build", $index, 'DROP INDEX IF EXISTS items_idx', "to_regclass('items_idx') IS NOT NULL");
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS items_idx; $index");

	inject("$am: insert", $rows, undef, 60);
	is_whole("$am: insert");
	inject("$am: insert of what is there", "INSERT INTO items SELECT nextval('ids'), vec(7, 16) FROM generate_series(1, 8)", undef, 20);
	is_whole("$am: insert of what is there");
	my $search = 'SELECT id FROM items ORDER BY embedding <-> vec(5, 16) LIMIT 30';
	inject("$am: search", $search, undef, 40);
	# In a new backend pages are brought: pins that a stream holds are released after an error.
	my $seen = inject("$am: first search", $search, "\\connect\n$session SET enable_sort = off", 240);
	cmp_ok($seen->{$brings} // 0, '>=', 1, "$am: errors at $brings");
	inject("$am: vacuum", 'VACUUM (INDEX_CLEANUP on, PARALLEL 0) items',
		"DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY hashint4(id) LIMIT 2); $rows", 50);
	is_whole("$am: vacuum");
	interrupt("$am: vacuum", 'VACUUM (INDEX_CLEANUP on, PARALLEL 0) items',
		"DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY hashint4(id) LIMIT 2); $rows");
	is_whole("$am: interrupted vacuums");
	inject("$am: check", "SELECT vectorext_index_assert('items_idx')", undef, 15);

	# hnsw links fewer rows without workers
	$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i, 16) FROM generate_series(500001, 501000) i;
		ALTER TABLE items SET (parallel_workers = 1)');
	inject("$am: build by two", $index, 'DROP INDEX IF EXISTS items_idx', 10);
	index_is_whole($node, "$am: build by two");
}
$node->stop;
log_is_clean($node);
done_testing();
