# An index of a table that keeps its size stops growing, although half of its inserts come while a snapshot is open that is
# older than what the last vacuum has freed: they have to find the slots of earlier vacuums behind those.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $rounds = $ENV{VECTOREXT_GROWTH_ROUNDS} || 40;
my $node = new_server('main', 'fsync = off');
my $reader = session($node);
foreach my $am ('hnsw', 'ivfflat')
{
	access_method($am);
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS items');
	make_items($node, 1, 2000);
	$node->safe_psql('postgres', create_index());
	$node->safe_psql('postgres', 'CREATE SEQUENCE IF NOT EXISTS vectors START 100000');
	my @pages = (index_size($node) / 8192);
	my $update = sub { "UPDATE items SET embedding = vec(nextval('vectors')) WHERE hashint4(id + $_[0]) % 5 = 0" };
	foreach my $round (1 .. $rounds)
	{
		answer($reader, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
		$node->safe_psql('postgres', 'VACUUM items');
		$node->safe_psql('postgres', $update->(2 * $round));
		answer($reader, 'COMMIT');
		$node->safe_psql('postgres', $update->(2 * $round + 1));
		push @pages, index_size($node) / 8192;
	}
	note "= $am: pages after each round of $rounds: @pages";
	# the versions of rows that are there at once: 2000, 400 of each half of a round, 400 that wait for the snapshot
	cmp_ok($pages[-1], '<=', 2.5 * $pages[0], "$am: what it needs for versions of rows, and little more");
	cmp_ok($pages[-1] - $pages[ 3 * $rounds / 4 ], '<=', 3, "$am: it does not grow any more");
	index_is_whole($node, $am);
	is(misses($node, 'id % 5 = 0'), 0, "$am: rows are found");
}
$node->stop;
done_testing();
