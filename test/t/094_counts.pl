# What searches did is counted: for the session's last one, for all of a server that has preloaded the library, and by
# EXPLAIN where the server lets us write there (18 and later).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main');
$node->append_conf('postgresql.conf', 'enable_seqscan = off');
$node->reload;
make_items($node, 1, 3000, dims => 8);
$node->safe_psql('postgres', "CREATE TABLE other AS SELECT * FROM items;
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops);
	CREATE INDEX other_idx ON other USING ivfflat (embedding vector_l2_ops) WITH (lists = 50)");
my $search = sub { my ($i, $table) = (@_, 'items'); return "SELECT count(*) FROM (SELECT id FROM $table ORDER BY embedding <-> vec(900000 + $i, 8) LIMIT 10) s;" };
my $counts = "SELECT searches, visited, scored, rechecked, rechecked_per_search FROM vectorext_indexes WHERE index = 'items_idx'::regclass;";

# ---- nobody counts
$node->safe_psql('postgres', $search->(1));
is($node->safe_psql('postgres', $counts), '||||', 'without shared memory the view does not know');
is($node->safe_psql('postgres', "SELECT count(*) FROM vectorext_search_counts('items_idx')"), 0, 'nor does the function');

# ---- everybody does
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vectorext'\nmax_prepared_transactions = 2");
$node->restart;
is($node->safe_psql('postgres', $counts), '0|0|0|0|', 'preloaded: nothing yet');
my ($searches, @sum) = (0, 0, 0, 0);
foreach my $i (1 .. 5)
{
	my @last = split /\|/, $node->safe_psql('postgres', $search->($i) . 'SELECT visited, scored, rechecked FROM vectorext_last_scan()') =~ s/^10\n//r;
	cmp_ok($last[$_], '>', 5, "search $i did something ($_)") for 0 .. 2;
	$sum[$_] += $last[$_] for 0 .. 2;
	$searches++;
}
is($node->safe_psql('postgres', $counts), join('|', $searches, @sum, $sum[2] / $searches), 'the sum of what each session saw');
is($node->safe_psql('postgres', $search->(1, 'other') . "SELECT searches, visited FROM vectorext_indexes WHERE index = 'other_idx'::regclass"),
	"10\n1|1", 'of another index by itself');

# sessions at once, in one search after another of one plan
$node->pgbench('--no-vacuum --client=4 --transactions=20', 0, [qr{actually processed: 80/80}], [qr/^$/], 'searches at once',
	{ '094_search' => "SELECT count(*) FROM generate_series(1, 5) i, LATERAL (SELECT id FROM items ORDER BY embedding <-> vec(i, 8) LIMIT 1) s;\n" });
$searches += 400;
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts('items_idx')"), $searches, 'none is lost');

# searches that fail are not counted, and do not keep others from it
$node->psql('postgres', "SELECT 1 / (id - id) FROM items ORDER BY embedding <-> vec(1, 8) LIMIT 1");
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts('items_idx')"), $searches, 'nor is one counted that failed');

# ---- what goes
$node->safe_psql('postgres', 'REINDEX INDEX items_idx');
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts('items_idx')"), $searches, 'a REINDEX goes on counting');
my $oid = $node->safe_psql('postgres', "SELECT 'items_idx'::regclass::oid");
$node->safe_psql('postgres', 'DROP INDEX items_idx');
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts($oid)"), 0, 'a dropped index is forgotten');
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts('other_idx')"), 1, 'the others are not');
$node->safe_psql('postgres', 'DROP TABLE items');

# more indexes than there is room for, one after the other: the room of those dropped is used again
is($node->safe_psql('postgres', q{
	CREATE TABLE few (v vector(2));
	INSERT INTO few VALUES ('[1,2]'), ('[3,4]');
	CREATE TABLE counted (searches bigint);
	CREATE PROCEDURE many() LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. 4200 LOOP
			CREATE INDEX few_idx ON few USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 4);
			PERFORM * FROM few ORDER BY v <-> '[0,0]' LIMIT 1;
			INSERT INTO counted SELECT searches FROM vectorext_search_counts('few_idx');
			DROP INDEX few_idx;
			IF i % 100 = 0 THEN COMMIT; END IF;
		END LOOP;
	END $$;
	SET hnsw.calibration_samples = 0;
	CALL many();
	SELECT count(*), min(searches), max(searches) FROM counted;}), '4200|1|1', 'room is used again');

# ---- databases do not mix, and go
$node->safe_psql('postgres', 'CREATE DATABASE two');
$node->safe_psql('two', q{
	CREATE EXTENSION vectorext;
	CREATE TABLE t (v vector(2));
	INSERT INTO t VALUES ('[1,2]');
	CREATE INDEX t_idx ON t USING hnsw (v vector_l2_ops);
	SELECT * FROM t ORDER BY v <-> '[0,0]' LIMIT 1;});
$oid = $node->safe_psql('two', "SELECT 't_idx'::regclass::oid");
is($node->safe_psql('two', "SELECT searches FROM vectorext_search_counts($oid)"), 1, 'counted where it is');
is($node->safe_psql('postgres', "SELECT searches FROM vectorext_search_counts($oid)"), 0, 'not in another database');
$node->safe_psql('postgres', 'DROP DATABASE two');

# ---- a crash of a session: memory is made anew, and counting goes on
make_items($node, 1, 500, dims => 8);
$node->safe_psql('postgres', create_index());
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->reload;
my $victim = background($node, 'SELECT pg_sleep(60)');
my $pid_sql = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'";
wait_for($node, "SELECT EXISTS ($pid_sql)");
kill 'KILL', $node->safe_psql('postgres', $pid_sql);
finish($victim);
ok($node->poll_query_until('postgres', 'SELECT 1', '1'), 'up again');
is($node->safe_psql('postgres', $search->(1) . "SELECT searches FROM vectorext_search_counts('items_idx')"), "10\n1", 'counting began again');

# ---- EXPLAIN
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $analyze = 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)';
my $query = 'SELECT id FROM items ORDER BY embedding <-> vec(900001, 8) LIMIT 10';
my $text = $node->safe_psql('postgres', "$analyze $query");
if ($version < 180000)
{
	unlike($text, qr/Vector Search/, 'this server does not let us write into its plans');
}
else
{
	my $last = $node->safe_psql('postgres', "SELECT id FROM ($query) s OFFSET 10;
		SELECT format('visited=%s scored=%s rechecked=%s returned=%s batches=%s', visited, scored, rechecked, returned, batches) FROM vectorext_last_scan()");
	like($text, qr/Index Scan using items_idx.*\n +Order By: .*\n +Index Searches: 1\n +Vector Search: \Q$last\E$/m, 'what a search did');
	unlike($text, qr/Stopped By/, 'it has its rows');
	unlike($node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $query"), qr/Vector Search/, 'of what ran only');
	unlike($node->safe_psql('postgres', "$analyze SELECT id FROM items WHERE id = 5"), qr/Vector Search/, 'and of our indexes only');

	# all searches of a node
	$text = $node->safe_psql('postgres', "$analyze SELECT * FROM generate_series(1, 7) i, LATERAL
		(SELECT id FROM items ORDER BY embedding <-> vec(i, 8) LIMIT 3) s");
	like($text, qr/loops=7\).*\n(.*\n)? *Index Searches: 7\n +Vector Search: visited=\d{3,} scored=\d{3,} .*batches=7$/m, 'of all loops');

	# and why a query went short
	my $short = "SET hnsw.iterative_scan = off; $analyze SELECT id FROM items ORDER BY embedding <-> vec(1, 8) LIMIT";
	unlike($node->safe_psql('postgres', "$short 40"), qr/Stopped By/, 'a LIMIT that is filled');
	like($node->safe_psql('postgres', "$short 41"), qr/^ +Stopped By: hnsw.iterative_scan$/m, 'one that is not');
	like($node->safe_psql('postgres', "SET vectorext.notice_unfilled = off; $short 41"), qr/Stopped By/, 'without the message too');

	my $json = decode_json($node->safe_psql('postgres', "SET hnsw.iterative_scan = off;
		EXPLAIN (ANALYZE, FORMAT json) SELECT id FROM items ORDER BY embedding <-> vec(900001, 8) LIMIT 100"));
	my $scan = $json->[0]{Plan}{Plans}[0];
	is_deeply([ sort keys %{ $scan->{'Vector Search'} } ], [qw(batches rechecked returned scored visited)], 'as JSON');
	is($scan->{'Stopped By'}, 'hnsw.iterative_scan', 'with the reason');
}

done_testing();
