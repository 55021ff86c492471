# Indexes that came another way than by a build: in a base backup, by recovery to a point in time, on a logical subscriber.
# The checker finds no error, every row is found, and writes go on. By pg_upgrade: 069_pg_upgrade.pl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $indexes = create_index() . q{; CREATE INDEX lists_idx ON items USING ivfflat (embedding vector_l2_ops)
	WITH (lists = 10, quantization = rabitq)};

# As many rows as there shall be, each found, and so after writes.
sub is_good
{
	my ($node, $name, $rows) = @_;
	foreach my $written ('', ', written to')
	{
		$node->safe_psql('postgres', q{INSERT INTO items SELECT i, vec(i) FROM generate_series(900001, 900100) i;
			DELETE FROM items WHERE id % 9 = 1; VACUUM items; INSERT INTO items SELECT i, vec(i) FROM generate_series(900201, 900300) i}) if $written;
		is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), $rows, "$name: rows") unless $written;
		index_is_whole($node, "$name$written, $_", $_) foreach 'items_idx', 'lists_idx';
		is(misses($node, 'id % 3 = 0'), 0, "$name$written: rows are found");
	}
	log_is_clean($node, "$name: nothing in its log");
	return;
}

my $primary = new_server('primary', 'wal_level = logical', 'wal_consistency_checking = all', 'max_wal_size = 1GB');
$primary->enable_archiving;
$primary->restart;
make_items($primary, 1, 1000);
$primary->safe_psql('postgres', $indexes);
my $load = background($primary, 'DO $$ BEGIN FOR i IN 2001 .. 2300 LOOP INSERT INTO items VALUES (i, vec(i)); COMMIT; END LOOP; END $$');
$primary->backup('base');    # beside inserts
is(finish($load), 0, 'inserts beside the backup');
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 4 = 1; VACUUM items; INSERT INTO items SELECT i, vec(i) FROM generate_series(3001, 3200) i');
my $rows = $primary->safe_psql('postgres', 'SELECT count(*) FROM items');
$primary->safe_psql('postgres', q{SELECT pg_create_restore_point('here')});
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 4 = 2; VACUUM items; INSERT INTO items SELECT i, vec(i) FROM generate_series(4001, 4500) i');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');

my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($primary, 'base', has_restoring => 1);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_action = promote\narchive_mode = off\n");
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
is_good($restored, 'restored to a point in time', $rows);
$restored->stop;

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1, has_restoring => 1);
$standby->append_conf('postgresql.conf', "archive_mode = off\n");
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die;
index_is_whole($standby, "a standby, replay paused, $_", $_) foreach 'items_idx', 'lists_idx';
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->promote;
is_good($standby, 'a backup, promoted', $primary->safe_psql('postgres', 'SELECT count(*) FROM items'));
$standby->stop;

my $subscriber = new_server('subscriber');
$subscriber->safe_psql('postgres', "CREATE TABLE items (id int PRIMARY KEY, embedding vector(32)); $indexes");
$primary->safe_psql('postgres', 'CREATE PUBLICATION all_items FOR TABLE items');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION all_items CONNECTION '" . $primary->connstr . " dbname=postgres' PUBLICATION all_items");
$primary->wait_for_catchup('all_items');
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')}) or die;
$primary->safe_psql('postgres', 'UPDATE items SET embedding = vec(id + 70000) WHERE id % 5 = 1; DELETE FROM items WHERE id % 7 = 1;
	INSERT INTO items SELECT i, vec(i) FROM generate_series(5001, 5200) i');
$primary->wait_for_catchup('all_items');
my $all = 'SELECT md5(string_agg(id || embedding::text, chr(10) ORDER BY id)) FROM items';
is($subscriber->safe_psql('postgres', $all), $primary->safe_psql('postgres', $all), 'a subscriber has the same rows');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION all_items DISABLE; ALTER SUBSCRIPTION all_items SET (slot_name = NONE); DROP SUBSCRIPTION all_items');
is_good($subscriber, 'a subscriber', $primary->safe_psql('postgres', 'SELECT count(*) FROM items'));
$subscriber->stop;

$primary->stop;
done_testing();
