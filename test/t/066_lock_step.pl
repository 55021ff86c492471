# Interleavings step by step: an operation stops before the n-th content lock that it asks for, another one runs from its
# beginning to its end, then the first goes on. After that the checker finds no error and every row is found; of a scan,
# the answer is right. The library is that of test/faults/faults.cpp.
# Some steps of each pair; VECTOREXT_STEPS=1000 takes all, VECTOREXT_SEED=n other rows.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use File::Copy ();
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use VectorExt;
use AsVector;

my $library = "$FindBin::RealBin/../../build/faults/vectorext.so";
plan skip_all => 'make faults was not run' unless -f $library;

my $steps = $ENV{VECTOREXT_STEPS} || 10;
my $seed = $ENV{VECTOREXT_SEED} || 1;

my $sandbox = make_sandbox(PostgreSQL::Test::Utils::tempdir() . '/sandbox');
File::Copy::copy($library, "$sandbox->{lib}/vectorext.so") or die "$library: $!";
my $node = server_on($sandbox, 'steps');
set_up($node);
my $begin = "LOAD 'vectorext'; SET client_min_messages = error; SET enable_seqscan = off; SET synchronous_commit = off; SET lock_timeout = '30s';
	SET hnsw.ef_search = 400; SET ivfflat.probes = 100; SET ivfflat.iterative_scan = relaxed_order";
my ($control, $first, $second) = map { session($node, $begin) } 1 .. 3;

# Rows i: eight places with rows close together; nodes so large that few share a page.
$node->safe_psql('postgres', q{CREATE TABLE items (id int, embedding vector(900));
	CREATE FUNCTION near(i bigint) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
		SELECT (ARRAY[i % 2 * 9 + r(i, 1), i / 2 % 2 * 9 + r(i, 2), i / 4 % 2 * 9 + r(i, 3)] || array_fill(0::float8, ARRAY[897]))::vector $$}
		=~ s/r\(i, (\d)\)/(hashint8extended(i + 1000000 * $seed, $1) \/ 9.3e18)/gr);
sub rows { my ($from, $to) = @_; return "INSERT INTO items SELECT i, near(i) FROM generate_series($from, $to) i"; }

my $vacuum = 'VACUUM (INDEX_CLEANUP on, PARALLEL 0) items';
# Strict order leaves out a row of ivfflat that an estimate has put too far off, so that is relaxed, and sorted again.
my $search = q{SELECT string_agg(id::text, ' ' ORDER BY distance)
	FROM (SELECT id, embedding <-> near(0) AS distance FROM items ORDER BY embedding <-> near(0) LIMIT 1000) s};
my $truth = q{SELECT string_agg(id::text, ' ' ORDER BY embedding <-> near(0)) FROM items};
my $missing = q{SELECT count(*) FROM items i LEFT JOIN LATERAL (SELECT embedding <-> i.embedding AS distance FROM items
	ORDER BY embedding <-> i.embedding LIMIT 1) n ON true WHERE n.distance IS DISTINCT FROM 0};

# What there is before; who is stopped; who runs meanwhile; how many steps are tried at least.
my %pairs = (
	'two inserts link the same rows' => [ '', rows(101, 101), rows(109, 109) ],
	'inserts of equal vectors' => [ '', 'INSERT INTO items VALUES (101, near(7))', 'INSERT INTO items SELECT 101 + i, near(7) FROM generate_series(1, 30) i' ],
	'an insert, and a vacuum of its neighbours' => [ 'DELETE FROM items WHERE id % 8 = 5 OR id % 3 = 0', rows(101, 101), $vacuum ],
	# A row of links that the vacuum frees is the next one to be claimed, if no other of its page became free: 5 is of level 0.
	'inserts of upper levels, and a vacuum' => [ 'DELETE FROM items WHERE id = 5', rows(101, 108), $vacuum, 100 ],
	'an insert, and a vacuum of all' => [ 'DELETE FROM items', rows(101, 101), $vacuum ],
	'a vacuum, and inserts' => [ 'DELETE FROM items WHERE id % 2 = 1', $vacuum, rows(101, 120) ],
	'a vacuum of all, and inserts' => [ 'DELETE FROM items', $vacuum, rows(101, 103) ],
	'a vacuum, and an insert of a vector that dies' => [ 'DELETE FROM items WHERE id < 20', $vacuum, rows(10, 10) ],
	'a search, and reuse of slots' => [ 'DELETE FROM items WHERE id % 2 = 1', $search, "$vacuum;" . rows(101, 120) . ";$vacuum;" . rows(121, 140) ],
	'a search after a vacuum, and reuse of slots' => [ "DELETE FROM items WHERE id % 2 = 1; $vacuum; SELECT txid_current()", $search,
		rows(101, 120) . ";DELETE FROM items WHERE id > 110;$vacuum;" . rows(121, 140) ]);

sub prepare
{
	my ($before) = @_;
	my $made = answer($control, "TRUNCATE items; " . rows(1, 48) . "; $before");
	die $made if $made =~ /ERROR/;
	return;
}

# Runs both, the first stopped at a step. False: it had come to its end before.
sub interleave
{
	my ($what, $before, $a, $b, $n) = @_;
	prepare($before);
	my $expected = $a eq $search ? answer($control, $truth) : undef;
	answer($control, 'SELECT pg_advisory_lock(1)');
	ask($first, "SET vectorext.pause_at = $n; $a");
	my ($done, $stopped);
	until (defined($done = answer($first, undef, 1)) || $stopped)
	{
		$stopped = answer($control, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) eq '1';
	}
	my $said = $stopped ? answer($second, $b) : '';
	answer($control, 'SELECT pg_advisory_unlock(1)');
	$done //= answer($first);
	my @bad = grep { /ERROR|server closed/ } $said, $done;
	push @bad, "found $done, not $expected" if defined $expected && $done ne $expected;
	push @bad, answer($control, check_index_sql('items_idx')), answer($control, $missing) =~ s/^0$//r;
	return ($stopped, join('; ', grep { $_ ne '' } @bad));
}

sub steps_of
{
	my ($before, $a) = @_;
	prepare($before);
	answer($first, "SET vectorext.pause_at = 0; $a");
	return answer($first, 'SHOW vectorext.steps_taken');
}

foreach my $am ('hnsw', 'ivfflat')
{
	access_method($am);
	my $with = $am eq 'hnsw' ? 'm = 2, ef_construction = 8' : 'lists = 2, quantization = rabitq';
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS items_idx; TRUNCATE items; ' . rows(1, 48) . ';' . create_index(with => $with));
	foreach my $what (grep { !$ENV{VECTOREXT_PAIR} || /$ENV{VECTOREXT_PAIR}/ } sort keys %pairs)
	{
		my ($before, $a, $b, $least) = @{ $pairs{$what} };
		my $most = max($steps, $least // 0);
		answer($first, 'SET vectorext.pause_reads = ' . ($a eq $search ? 'on' : 'off'));
		my $all = steps_of($before, $a);
		my ($tried, $stopped, @bad) = (0, 0);
		for (my $n = 1; $n <= $all; $n += $all > $most ? $all / $most : 1)
		{
			my ($did, $bad) = interleave($what, $before, $a, $b, int $n);
			$tried++;
			$stopped++ if $did;
			push @bad, 'step ' . int($n) . ": $bad" if $bad ne '';
		}
		is(join("\n", @bad), '', "$am: $what: stopped at $stopped of $all steps");
		cmp_ok($stopped, '>=', $tried * 0.8, "$am: $what: was stopped");
	}
}
$_->{handle}->kill_kill foreach $control, $first, $second;
$node->stop;
log_is_clean($node);
done_testing();
