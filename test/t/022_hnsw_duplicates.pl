# Many rows of few vectors: their rows come lazily, in exact order, and nothing takes a walk through all of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main');

# Half of the rows are 5 vectors, some there when the index is built and some inserted.
my $rows = 'SELECT i, CASE WHEN i % 2 = 0 THEN vec(1000000 + i / 2 % 5) ELSE vec(i / 2) END FROM generate_series';
$node->safe_psql('postgres', qq{
	CREATE TABLE items (id int, embedding vector(32));
	INSERT INTO items $rows(1, 20000) i;
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops);});
my $size = index_size($node);
$node->safe_psql('postgres', "INSERT INTO items $rows(20001, 30000) i WHERE i % 2 = 0");
cmp_ok(index_size($node) - $size, '<=', 1.1 * 5000 / 14 * 8192 / 63 + 10 * 8192, 'chunks of rows are filled before there are new ones');

my $near = '(SELECT array_agg(x + 0.01)::vector FROM unnest(vec(1000003)::real[]) x)';
sub buffers
{
	my ($sql) = @_;
	my $plan = $node->safe_psql('postgres', "SET enable_seqscan = off; EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) $sql");
	return $plan =~ /shared hit=(\d+)/ ? $1 : undef;
}
cmp_ok(buffers("SELECT id FROM items ORDER BY embedding <-> $near LIMIT 10"), '<=', 1000, 'ten of 3,000 rows near a query cost ten');
my $insert = buffers('INSERT INTO items SELECT 50001, vec(1000003)');
cmp_ok($insert, '<=', 400, "a further row costs no walk through the others ($insert pages)");

# Exact order across what comes lazily: the distances of a long result ascend, and are those of a sequential scan as far
# as it found all.
sub same_order
{
	my ($query, $limit, $name, $table) = @_;
	$table //= 'items';
	my $distances = "SELECT row_number() OVER () AS n, d FROM (SELECT embedding <-> $query AS d FROM $table ORDER BY embedding <-> $query LIMIT $limit) s";
	is($node->safe_psql('postgres', "SET hnsw.ef_search = 1000; SET client_min_messages = warning;
		SET enable_indexscan = off; CREATE TEMP TABLE truth AS $distances;
		SET enable_indexscan = on; SET enable_seqscan = off; CREATE TEMP TABLE found AS $distances;
		SELECT (SELECT count(*) FROM found), count(*) FROM truth JOIN found USING (n) WHERE truth.d <> found.d"), "$limit|0", $name);
	return;
}
same_order($near, 3300, 'rows of one vector and what lies behind them');
same_order('vec(1000003)', 3500, 'rows of the query itself');
same_order('vec(7)', 100, 'a query elsewhere');

# Other vectors with the same code: the middle one of three values is rounded to a step of 1000/255, and two at the
# same distance from a step leave the same residual.
$node->safe_psql('postgres', q{
	CREATE TABLE grid (id int, embedding vector(3));
	INSERT INTO grid SELECT i, ARRAY[0, 200 + (ARRAY[-1, 1])[1 + i % 2], 1000]::vector FROM generate_series(1, 200) i;
	CREATE INDEX ON grid USING hnsw (embedding vector_l2_ops);
	INSERT INTO grid SELECT i, ARRAY[0, 200 + (ARRAY[-1, 1])[1 + i % 2], 1000]::vector FROM generate_series(1, 300) i;
	INSERT INTO grid SELECT i, ARRAY[0, i, 1000]::vector FROM generate_series(180, 220) i;});
same_order("'[0,205,1000]'", $_, "vectors that share a code are told apart, LIMIT $_", 'grid') foreach 100, 300, 541;

# Deleted ones, before and after vacuum.
$node->safe_psql('postgres', 'DELETE FROM items WHERE id % 4 = 0');
same_order($near, 1700, 'deleted rows are passed over');
$node->safe_psql('postgres', 'VACUUM items');
same_order($near, 1700, 'and gone after vacuum');
is(misses($node, 'id % 2 = 1 AND id % 10 = 1'), 0, 'the other rows are found');
cmp_ok(recall($node), '>=', 0.95, 'recall of the others');
log_is_clean($node);
$node->stop;
done_testing();
