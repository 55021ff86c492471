# What inserts leave behind: rows of tight clusters are found; few bytes of WAL; updates that leave the vector alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'full_page_writes = off');

# Clusters so tight that a row's edges lead to its own: an insert whose search ends in a wrong one links the new node
# there, where no search for it comes by. Few edges and a narrow beam make that frequent.
my $rows = 12000;
$node->safe_psql('postgres', qq{
	CREATE TABLE items (id int, embedding vector(32));
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32);
	INSERT INTO items SELECT i, vec(i) FROM generate_series(1, $rows) i;});
my ($inserted, $unreachable) = misses_by_width($node);
is($unreachable, 0, 'every inserted row is reachable');
$node->safe_psql('postgres', 'REINDEX INDEX items_idx');
my ($built) = misses_by_width($node);
cmp_ok($inserted, '<=', $built + 0.002 * $rows, "inserted rows are found as well as those of a new index: $inserted and $built are not, of $rows");

log_is_clean($node);
$node->stop;
done_testing();
