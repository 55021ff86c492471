# Inner product over vectors of very different lengths: the longest are nearest to everything, and yet all that belongs
# to an answer is found, after a build and after inserts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main');
$node->safe_psql('postgres', q{
	CREATE FUNCTION part(i int, seed int) RETURNS real LANGUAGE sql IMMUTABLE AS
		'SELECT (abs(hashint8extended(i, seed) / 9.3e18) * abs(hashint8extended(i, seed + 100) / 9.3e18))::real';
	CREATE FUNCTION random_vector(i int, dims int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		'SELECT array_agg(part(i, d))::vector FROM generate_series(1, dims) d'});
foreach my $dims (3, 10)
{
	$node->safe_psql('postgres', qq{
		CREATE TABLE items (id int, embedding vector($dims));
		INSERT INTO items SELECT i, random_vector(i, $dims) FROM generate_series(1, 5000) i;
		CREATE TABLE query AS SELECT i, random_vector(-i, $dims) AS v FROM generate_series(1, 50) i;
		CREATE TABLE exact AS SELECT q.i, n.id FROM query q, LATERAL (SELECT id FROM items ORDER BY embedding <#> q.v, id LIMIT 20) n});
	my $recall = q{
		SET enable_seqscan = off;
		SELECT round(count(*) / 1000.0, 3) FROM exact JOIN LATERAL
			(SELECT q.i, n.id FROM query q, LATERAL (SELECT id FROM items ORDER BY embedding <#> q.v LIMIT 20) n) a USING (i, id)};
	$node->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING hnsw (embedding vector_ip_ops)');
	cmp_ok($node->safe_psql('postgres', $recall), '>=', 0.95, "$dims dimensions: recall after a build");
	$node->safe_psql('postgres', q{
		CREATE TABLE copy AS TABLE items;
		TRUNCATE items;
		INSERT INTO items TABLE copy});
	cmp_ok($node->safe_psql('postgres', $recall), '>=', 0.97, "$dims dimensions: recall after inserts");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM vectorext_index_check('items_idx')
		WHERE message = 'the entry point does not lead to this node'}), 0, "$dims dimensions: inserts leave every node reachable");
	$node->safe_psql('postgres', 'DROP TABLE items, query, exact, copy');
}

# Rows of links are filled: a new node has more neighbours than the largest m.
$node->safe_psql('postgres', q{
	CREATE TABLE items (id int, embedding vector(10));
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_ip_ops) WITH (m = 100, ef_construction = 300);
	INSERT INTO items SELECT i, random_vector(i, 10) FROM generate_series(1, 500) i});
index_is_whole($node, 'm = 100');
log_is_clean($node);
$node->stop;
done_testing();
