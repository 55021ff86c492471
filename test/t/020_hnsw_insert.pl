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

# WAL of a row: its slot once, and a few bytes for each edge back to it.
$node->safe_psql('postgres', q{
	CREATE TABLE plain (id int, note int, embedding vector(32));
	CREATE TABLE indexed (LIKE plain);
	INSERT INTO indexed SELECT i, i, vec(i) FROM generate_series(1, 5000) i;
	CREATE INDEX indexed_idx ON indexed USING hnsw (embedding vector_l2_ops);});
sub wal_of
{
	my ($sql) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$node->safe_psql('postgres', $sql);
	return $node->safe_psql('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$before')::bigint");
}
my $new_rows = 'SELECT i, i, vec(i) FROM generate_series(5001, 7000) i';
my $per_row = (wal_of("INSERT INTO indexed $new_rows") - wal_of("INSERT INTO plain $new_rows")) / 2000;
cmp_ok($per_row, '<=', 208 + 450, "bytes of WAL for a row of which 208 are its slot ($per_row)");

# An update that leaves the vector alone adds its row version to the node that is there. It neither searches as an
# insert does nor makes nodes.
$node->safe_psql('postgres', 'CREATE INDEX ON indexed (note)');    # so that it is no HOT update
sub buffers_of
{
	my ($sql) = @_;
	my $plan = $node->safe_psql('postgres', "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) $sql");
	return $plan =~ /shared hit=(\d+)/ ? $1 : undef;
}
my $update = 'UPDATE indexed SET note = note + 1 WHERE id <= 2000';
$node->safe_psql('postgres', $update);
my $size = index_size($node, 'indexed_idx');
my $of_update = buffers_of($update);
is(index_size($node, 'indexed_idx'), $size, 'further versions of a row go into its chunk');
my $of_insert = buffers_of('INSERT INTO indexed SELECT i, i, vec(i) FROM generate_series(7001, 9000) i');
cmp_ok($of_update, '<=', 0.3 * $of_insert, "pages looked at for 2000 updates and for as many inserts: $of_update, $of_insert");
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM generate_series(1, 2000, 10) i, LATERAL
	(SELECT id FROM indexed ORDER BY embedding <-> (SELECT embedding FROM indexed t WHERE t.id = i) LIMIT 1) n WHERE n.id = i}),
	200, 'rows are found by their updated versions');

# Equality is what counts, and not the hint that a vector is unchanged.
$node->safe_psql('postgres', q{UPDATE indexed SET embedding = vec(id + 100000), note = note + 1 WHERE id <= 200;
	UPDATE indexed SET embedding = vec(3), note = note + 1 WHERE id BETWEEN 201 AND 300;});
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SET hnsw.ef_search = 200; SELECT count(*) FROM generate_series(1, 200) i, LATERAL
	(SELECT id FROM indexed ORDER BY embedding <-> vec(100000 + i) LIMIT 1) n WHERE n.id = i}), 200, 'rows with a new vector are found by it');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM
	(SELECT embedding <-> vec(3) AS d FROM indexed ORDER BY embedding <-> vec(3) LIMIT 100) s WHERE d = 0}), 100, 'and so are rows that share one');

log_is_clean($node);
$node->stop;
done_testing();
