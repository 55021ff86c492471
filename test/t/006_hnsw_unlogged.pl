# The index of an UNLOGGED table: kept by a clean restart, empty and usable after a crash.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main');
make_items($node, 1, 1500, unlogged => 1);
$node->safe_psql('postgres', create_index());
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(1501, 2000) i');
my $search = 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <-> vec(5) LIMIT 10) s';

$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), 2000, 'a clean restart keeps the rows');
is(misses($node), 0, 'and the index');

$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), 0, 'a crash empties the table');
like($node->safe_psql('postgres', 'SET enable_seqscan = off; EXPLAIN SELECT id FROM items ORDER BY embedding <-> vec(5) LIMIT 10'),
	qr/Index Scan using items_idx/, 'the index is still there');
is($node->safe_psql('postgres', $search), 0, 'and empty');
$node->safe_psql('postgres', 'VACUUM items');
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 1500) i');
is($node->safe_psql('postgres', $search), 10, 'and usable');
is(misses($node), 0, 'and finds what it is given');
cmp_ok(recall($node), '>=', 0.95, 'with good recall');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id <= 500; VACUUM items;');
is(misses($node), 0, 'also after a vacuum');

$node->safe_psql('postgres', 'ALTER TABLE items SET LOGGED');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), 1000, 'SET LOGGED makes it survive a crash');
is(misses($node), 0, 'with its index');
log_is_clean($node);
$node->stop;
done_testing();
