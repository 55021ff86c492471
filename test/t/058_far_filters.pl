# A filter whose rows are all far from the query: the search does not wade through what lies between.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main');
my $rows = 40000;
# region: thousandths of the rows by their distance to one corner; spot: a few of many small clusters, here and there.
$node->safe_psql('postgres', "
	CREATE FUNCTION place(i int) RETURNS vector LANGUAGE sql AS \$\$
		SELECT array_agg(hashint8(i::bigint * 8 + d) / 4294967296.0 + 0.5)::vector(8) FROM generate_series(0, 7) d \$\$;
	CREATE FUNCTION cell(v vector) RETURNS text LANGUAGE sql AS \$\$
		SELECT string_agg(floor(x * 8)::text, ',' ORDER BY n) FROM unnest(v::real[]) WITH ORDINALITY u (x, n) WHERE n < 4 \$\$;
	CREATE TABLE items (id int, v vector(8)); INSERT INTO items SELECT i, place(i) FROM generate_series(1, $rows) i;
	ALTER TABLE items ADD region int, ADD spot int;
	UPDATE items SET region = r.n, spot = hashtext(cell(v)) & 15
		FROM (SELECT id AS other, row_number() OVER (ORDER BY v <-> array_fill(0::real, ARRAY[8])::vector) * 1000 / $rows AS n FROM items) r WHERE r.other = id;
	CREATE TABLE asked AS SELECT row_number() OVER () AS n, v AS q FROM (SELECT v FROM items ORDER BY region DESC LIMIT 20) i;
	CREATE INDEX items_idx ON items USING hnsw (v vector_l2_ops, region, spot) WITH (m = 16, ef_construction = 64);
	VACUUM ANALYZE items");

# Recall of ten rows, and how many nodes the last of the scans scored.
sub search
{
	my ($filter, $ef) = @_;
	my $found = sub { "SELECT n, id, d FROM asked, LATERAL (SELECT id, v <-> q AS d FROM items WHERE $filter ORDER BY v <-> q LIMIT 10) i" };
	return split /[|\n]/, $node->safe_psql('postgres', "SET jit = off; SET hnsw.ef_search = $ef; SET hnsw.max_scan_tuples = 3000;
		SET enable_indexscan = off; CREATE TEMP TABLE truth AS " . $found->() . ";
		SET enable_indexscan = on; SET enable_seqscan = off; SET enable_sort = off; CREATE TEMP TABLE found AS " . $found->() . ";
		SELECT scored FROM vectorext_last_scan();
		SELECT avg((t.id IS NOT NULL)::int), count(*) FROM found f LEFT JOIN truth t USING (n, id)");
}

for my $filter ('region < 200', 'region < 100', 'spot = 3')
{
	my ($scored, $recall, $all) = search($filter, 10);
	is($all, 200, "$filter: ten rows for each query");
	cmp_ok($recall, '>=', 0.9, "$filter: recall");
	cmp_ok($scored, '<', $rows / 5, "$filter: few are looked at");
	note "$filter: recall $recall, $scored scored";
}

log_is_clean($node);
done_testing();
