# Committed rows survive a crash in the middle of inserts, and of inserts with deletes and vacuums.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

# Each page that replay makes is compared with the one that the server had made.
my $node = new_server('main', "wal_consistency_checking = 'all'", 'checkpoint_timeout = 1h', 'max_wal_size = 4GB');
make_items($node, 1, 1000);
$node->safe_psql('postgres', create_index() . '; CHECKPOINT;');

sub inserter
{
	my ($from) = @_;
	return background($node, "DO \$\$ BEGIN FOR i IN $from .. $from + 100000 LOOP
		INSERT INTO items VALUES (i, vec(i)); COMMIT; END LOOP; END \$\$");
}

sub crash_and_check
{
	my ($name) = @_;
	$node->stop('immediate');
	$node->start;
	my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM items');
	note "$name: $rows rows";
	is(misses($node), 0, "$name: every committed row is found");
	is(duplicates($node), 0, "$name: no row is found twice");
	cmp_ok(recall($node), '>=', 0.95, "$name: recall");
	return $rows;
}

# Inserts only: the rows that the session reported as committed must be there.
my $session = inserter(1001);
ok(wait_for($node, 'SELECT count(*) >= 2000 FROM items'), 'inserts are under way');
my $seen = $node->safe_psql('postgres', 'SELECT count(*) FROM items');
cmp_ok(crash_and_check('inserts'), '>=', $seen, 'what was visible before the crash is there after it');
finish($session);

# Inserts beside deletes and vacuums.
my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM items');
$session = inserter($last + 1);
my $deleter = background($node, map { ("DELETE FROM items WHERE id % 7 = " . $_ % 7, 'VACUUM items') } 1 .. 500);
ok(wait_for($node, "SELECT max(id) > $last + 700 FROM items"), 'inserts are under way');
crash_and_check('inserts, deletes and vacuums');
finish($session);
finish($deleter);

# Life goes on.
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(500001, 500300) i; VACUUM items;');
is(misses($node), 0, 'rows inserted after recovery are found, too');
log_is_clean($node);
$node->stop;
done_testing();
