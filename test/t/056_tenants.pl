# Ten thousand tenants of uneven size in one index, kept apart by row level security: every one finds its own rows, whatever
# its size, and none of another's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'fsync = off', 'shared_buffers = 256MB', 'maintenance_work_mem = 256MB', 'max_wal_size = 4GB');
# A row for each tenant, and 90,000 as Zipf has it: the n-th tenant gets a share of about 1/n.
$node->safe_psql('postgres', q{
	CREATE TABLE items (id int PRIMARY KEY, tenant int NOT NULL, v vector(32));
	INSERT INTO items SELECT i, CASE WHEN i <= 10000 THEN i ELSE floor(10000 ^ (abs(hashint4(i)) / 2147483648.0)) END,
		ARRAY(SELECT (hashint8extended((i % 400) * 1009 + d, 1) / 9.3e18 + 0.7 * hashint8extended(i * 1009 + d, 2) / 9.3e18)::real
			FROM generate_series(1, 32) d)::vector FROM generate_series(1, 100000) i;
	ALTER TABLE items ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON items USING (tenant = current_setting('app.tenant')::int);
	-- the largest and the smallest ones, and some between
	CREATE TABLE sizes AS SELECT tenant, count(*) AS rows FROM items GROUP BY 1;
	CREATE TABLE sampled AS SELECT * FROM sizes WHERE tenant <= 8 OR tenant % 500 = 0 OR tenant IN (20, 50, 100, 200);
	CREATE TABLE queries AS SELECT tenant, rows, i, vec(20000000 + tenant * 4 + i) AS v FROM sampled, generate_series(1, 4) i;
	CREATE TABLE truth AS SELECT tenant, i, o.id FROM queries q, LATERAL
		(SELECT id FROM items WHERE tenant = q.tenant ORDER BY v <-> q.v LIMIT 10) o;
	CREATE TABLE found (tenant int, i int, ids int[], visited bigint, scored bigint);
	CREATE ROLE customer;
	GRANT SELECT ON items, queries TO customer;
	GRANT ALL ON found TO customer;
	CREATE FUNCTION ask(t int, i int, q vector) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
	DECLARE ids int[];
	BEGIN
		PERFORM set_config('app.tenant', t::text, false);
		SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY v <-> q LIMIT 10) s INTO ids;
		INSERT INTO found SELECT t, i, ids, visited, scored FROM vectorext_last_scan();
	END $$;
	VACUUM ANALYZE items;});
is($node->safe_psql('postgres', 'SELECT count(*), min(rows), max(rows) > 5000 FROM sizes'), '10000|1|t', 'tenants of 1 to some thousand rows');

for my $method ('hnsw', 'ivfflat')
{
	access_method($method);
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS items_idx; TRUNCATE found;' .
		"CREATE INDEX items_idx ON items USING $method (v vector_l2_ops, tenant)" . ($method eq 'ivfflat' ? ' WITH (lists = 0)' : ''));
	like($node->safe_psql('postgres', "SET ROLE customer; SET app.tenant = 3;
		EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY v <-> vec(10000001) LIMIT 10"),
		qr/Index Scan using items_idx.*Index Cond: \(tenant = /s, "$method: the policy is tested by the index, by the planner's own choice");
	$node->safe_psql('postgres', 'SET ROLE customer; SELECT ask(tenant, i, v) FROM queries');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM found f, unnest(ids) id JOIN items USING (id) WHERE items.tenant <> f.tenant'), '0',
		"$method: no row of another tenant");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM found f JOIN sizes USING (tenant) WHERE cardinality(ids) IS DISTINCT FROM least(rows, 10)'), '0',
		"$method: every LIMIT is filled, as far as the tenant has rows");
	my ($recall, $worst, $which) = split /\|/, $node->safe_psql('postgres', 'WITH r AS (SELECT tenant, avg((t.id = ANY (ids))::int) AS r
			FROM truth t JOIN found USING (tenant, i) GROUP BY 1)
		SELECT round(avg(r), 3), round(min(r), 3), (SELECT tenant FROM r ORDER BY r LIMIT 1) FROM r');
	cmp_ok($worst, '>=', 0.95, "$method: recall of each tenant (on average $recall), the least is $worst, of tenant $which");
	my ($small, $big, $lists, $seen) = split /\|/, $node->safe_psql('postgres', 'SELECT round(avg(scored) FILTER (WHERE rows <= 20)),
			round(avg(scored) FILTER (WHERE rows >= 1000)), round(avg(visited) FILTER (WHERE rows <= 20)),
			round(avg(visited) FILTER (WHERE rows >= 1000)) FROM found JOIN sizes USING (tenant)');
	cmp_ok($small, '<=', $big, "$method: small tenants have $small codes compared, big ones $big ($lists and $seen lists or nodes visited)");
}

log_is_clean($node);
$node->stop;
done_testing();
