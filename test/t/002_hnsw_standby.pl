# A streaming standby answers as its primary does, also while the primary writes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $primary = new_server('primary', "wal_consistency_checking = 'all'", 'max_wal_size = 4GB', 'wal_keep_size = 2GB', 'hot_standby_feedback = on',
	'max_standby_streaming_delay = -1');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub same
{
	my ($name) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	is(differences($standby, $primary), '', "$name: same answers");
	return;
}

make_items($primary, 1, 3000);
$primary->safe_psql('postgres', create_index());
same('build');
like($standby->safe_psql('postgres', 'SET enable_seqscan = off; EXPLAIN SELECT id FROM items ORDER BY embedding <-> vec(1) LIMIT 5'),
	qr/Index Scan using items_idx/, 'the standby uses the index');
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(3001, 4000) i');
same('inserts');
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 3 = 0');
same('deletes');
$primary->safe_psql('postgres', 'VACUUM items');
same('vacuum');
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(4001, 5000) i; VACUUM items;');
same('inserts into freed space');
$primary->safe_psql('postgres', 'UPDATE items SET embedding = vec(id + 7000) WHERE id % 10 = 1; REINDEX INDEX items_idx;');
same('updates and reindex');

# Searches on the standby while replay changes the pages under them.
my @writers = (
	background($primary, "DO \$\$ BEGIN FOR i IN 100001 .. 103000 LOOP INSERT INTO items VALUES (i, vec(i)); COMMIT; END LOOP; END \$\$"),
	background($primary, map { ("DELETE FROM items WHERE id % 11 = $_", 'VACUUM items') } 1 .. 9));
my ($searches, $end) = (0, time + 8);
my $error = '';
while (time < $end && $error eq '')
{
	my ($rc, $out, $err) = $standby->psql('postgres', q{
		SET enable_seqscan = off;
		SELECT count(*) FROM generate_series(1, 100) q, LATERAL
			(SELECT id FROM items ORDER BY embedding <-> vec(40000000 + q) LIMIT 10) n});
	$error = $err if $rc != 0;
	$error = "too few rows: $out" if $rc == 0 && $out != 1000;
	$searches += 100;
}
is($error, '', 'searches on the standby during replay succeed and return all rows');
note "$searches searches";
finish($_) foreach @writers;
is($_->{err}, '', 'the writer had no error') foreach @writers;
same('after all writes');
log_is_clean($standby);
$standby->promote;
index_is_whole($standby, 'the promoted standby');
is(misses($standby, 'id % 5 = 0'), 0, 'the promoted standby finds its rows');
$standby->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(200001, 200200) i; VACUUM items;');
is(misses($standby, 'id > 200000'), 0, 'and takes inserts');
index_is_whole($standby, 'the promoted standby, written to');
$standby->stop;
$primary->stop;
done_testing();
