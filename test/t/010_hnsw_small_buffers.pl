# Searches of an index that does not fit shared_buffers: pages move under the hints that a backend keeps, and the
# answers are those of a server that holds everything.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 64MB', 'shared_buffers = 64MB');
make_items($node, 1, 6000, dims => 64);
$node->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops)');
# Another index of the same layout, of rows in another order: a stale hint may lead to one of its pages.
$node->safe_psql('postgres', q{
	CREATE TABLE others AS SELECT id, embedding FROM items ORDER BY hashint4(id);
	CREATE INDEX others_idx ON others USING hnsw (embedding vector_l2_ops);});
set_up_sparse($node, 'thin');
# Nodes that differ in size, and ones of several rows, most of which a filter drops.
$node->safe_psql('postgres', q{
	CREATE TABLE sparse (id int, embedding sparsevec(20000));
	INSERT INTO sparse SELECT i, thin(i) FROM generate_series(1, 3000) i;
	CREATE INDEX sparse_idx ON sparse USING hnsw (embedding sparsevec_l2_ops) WITH (ef_construction = 40);
	DELETE FROM sparse WHERE id % 2 = 0; -- searches go on for rows that are left
	CREATE TABLE tagged AS SELECT id, n AS tag, embedding FROM items, generate_series(1, 20) n WHERE id <= 1000;
	CREATE INDEX tagged_idx ON tagged USING hnsw (embedding vector_l2_ops, tag);});

# In one session, so that its hints live from one to the other.
my $searches = q{
	SET enable_seqscan = off; SET hnsw.ef_search = 60;
	SELECT t, q, array_agg(id ORDER BY rank) FROM generate_series(1, 40) q, LATERAL (
		SELECT 'items' AS t, id, row_number() OVER () AS rank FROM
			(SELECT id FROM items ORDER BY embedding <-> vec(30000000 + q, 64) LIMIT 10) i
		UNION ALL SELECT 'others', id, row_number() OVER () FROM
			(SELECT id FROM others ORDER BY embedding <-> vec(30000000 + q, 64) LIMIT 10) o) s
	GROUP BY t, q ORDER BY q, t;} . join('', map { "
	SET hnsw.ef_search = $_;
	SELECT 'sparse', q, array_agg(id ORDER BY rank) FROM generate_series(1, 200) q, LATERAL (
		SELECT id, row_number() OVER () AS rank FROM
			(SELECT id FROM sparse ORDER BY embedding <-> thin(30000000 + q) LIMIT 10) i) s
	GROUP BY q ORDER BY q;" } 10, 20, 40, 60);
my $expected = $node->safe_psql('postgres', $searches);
is(scalar(split /\n/, $expected), 880, 'all searches answer');

$node->append_conf('postgresql.conf', 'shared_buffers = 600kB');
$node->restart;
cmp_ok(index_size($node), '>', 2 * 600 * 1024, 'the index is larger than shared_buffers');
# The first round fills the hints, the later ones find most of them outdated.
my $rounds = $node->safe_psql('postgres', $searches x 3);
is(differing_lines($rounds, join("\n", ($expected) x 3)), '', 'the same answers with 75 buffers');

# Pages that leave their buffers while others look at them: it costs a search a node at times, and nothing else (a sanitizer
# would see reads past the page).
my $file = PostgreSQL::Test::Utils::tempdir() . '/searches.sql';
append_to_file($file, "\\set q random(1, 1000000)\n" . join('', map {
	"SELECT 1 / (count(*) = 10)::int FROM (SELECT id FROM $_ LIMIT 10) s;\n" } 'items ORDER BY embedding <-> vec(:q, 64)',
	'tagged WHERE tag = :q % 20 + 1 ORDER BY embedding <-> vec(:q, 64)',
	'sparse ORDER BY embedding <-> thin(:q)'));
$node->append_conf('postgresql.conf', 'enable_seqscan = off');
$node->reload;
my $clients = background($node, [ 'pgbench', '-n', '-c', '4', '-T', '3', '-f', $file ]);
is(finish($clients), 0, 'four clients that take pages from each other are answered') or diag $clients->{err};

log_is_clean($node);
$node->stop;
done_testing();
