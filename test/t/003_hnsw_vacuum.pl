# VACUUM: dead rows go, freed slots are used again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 256MB');
make_items($node, 1, 8000);
$node->safe_psql('postgres', create_index());
cmp_ok(recall($node), '>=', 0.97, 'recall after the build');

$node->safe_psql('postgres', 'DELETE FROM items WHERE hashint4(id) % 2 = 0');
cmp_ok(recall($node, before => search_narrow()), '>=', 0.93, 'recall after deletes, before vacuum');
$node->safe_psql('postgres', 'VACUUM items');
cmp_ok(recall($node), '>=', 0.95, 'recall after half of the rows are vacuumed');
is(misses($node), 0, 'every remaining row is found');

# New rows take the heap places of the old ones: an entry left behind would show them twice.
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(10001, 14000) i');
is(duplicates($node), 0, 'no row is found twice after heap places were used again');
is(misses($node), 0, 'every row is found after inserts into freed places');
cmp_ok(recall($node), '>=', 0.95, 'recall after inserts into freed places');

# The file stops growing.
my ($next, $first_size) = (20001, undef);
foreach my $cycle (1 .. 6)
{
	$node->safe_psql('postgres', 'DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY hashint4(id) LIMIT 3000)');
	$node->safe_psql('postgres', 'VACUUM items');
	$node->safe_psql('postgres', 'SELECT txid_current()');    # so that the oldest snapshot moves on
	$node->safe_psql('postgres', 'VACUUM items');
	$node->safe_psql('postgres', "INSERT INTO items SELECT i, vec(i) FROM generate_series($next, $next + 2999) i");
	$next += 3000;
	$first_size //= index_size($node);
}
cmp_ok(index_size($node), '<=', 1.1 * $first_size, 'the file does not grow when rows are replaced');
is(duplicates($node), 0, 'no row is found twice after six rounds');
cmp_ok(recall($node), '>=', 0.95, 'recall after six rounds');

# The entry point and everything else may go, too.
$node->safe_psql('postgres', 'DELETE FROM items; ');
$node->safe_psql('postgres', 'VACUUM items');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <-> vec(1) LIMIT 5) s'),
	0, 'an emptied index answers with nothing');
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 2000) i; VACUUM items;');
is(misses($node), 0, 'and takes rows again');
cmp_ok(recall($node), '>=', 0.97, 'recall of the refilled index');

# Whole clusters go (ids of one cluster are equal modulo 40), and queries still ask for them: such a query is
# hard for any graph, so the measure is what a new index of the same rows finds.
$node->safe_psql('postgres', 'TRUNCATE items; INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 8000) i; REINDEX INDEX items_idx;');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id % 2 = 0');
$node->safe_psql('postgres', 'VACUUM items');
is(misses($node), 0, 'every row of the remaining clusters is found');
my $repaired = recall($node);
$node->safe_psql('postgres', 'REINDEX INDEX items_idx');
my $rebuilt = recall($node);
cmp_ok($repaired, '>=', $rebuilt - 0.06, "recall after half of the clusters are vacuumed ($repaired) is near a new index's ($rebuilt)");

# Updates of the vector, and of nothing in it.
$node->safe_psql('postgres', 'ALTER TABLE items ADD COLUMN note text; CREATE INDEX ON items (note);');
$node->safe_psql('postgres', "UPDATE items SET note = 'x' || id; UPDATE items SET embedding = vec(id + 50000) WHERE id % 4 = 0; VACUUM items;");
is(misses($node), 0, 'updated rows are found');
is(duplicates($node), 0, 'and once only');
log_is_clean($node);
$node->stop;
done_testing();
