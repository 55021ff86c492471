# One table, hash-partitioned over three servers by postgres_fdw (three databases of one server here): what
# vectorext_shard_query writes sends order and limit to each, each uses its index, and the answers are those of one table.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'shared_buffers = 32MB', 'max_connections = 30');
my ($host, $port) = ($node->host, $node->port);
make_items($node, 1, 6000);
$node->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops)');
my $shards = 3;
my $setup = "CREATE EXTENSION postgres_fdw; CREATE TABLE sharded (id int, embedding vector(32)) PARTITION BY HASH (id);\n";
for my $i (0 .. $shards - 1)
{
	$node->safe_psql('postgres', "CREATE DATABASE shard_$i");
	$node->safe_psql("shard_$i", 'CREATE EXTENSION vectorext; CREATE TABLE items (id int, embedding vector(32))');
	$setup .= "CREATE SERVER shard_$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'shard_$i', extensions 'vectorext');
		CREATE USER MAPPING FOR CURRENT_USER SERVER shard_$i;
		CREATE FOREIGN TABLE sharded_$i PARTITION OF sharded FOR VALUES WITH (MODULUS $shards, REMAINDER $i) SERVER shard_$i OPTIONS (table_name 'items');\n";
}
$node->safe_psql('postgres', "$setup INSERT INTO sharded SELECT id, embedding FROM items;");
my @rows;
for my $i (0 .. $shards - 1)
{
	$node->safe_psql("shard_$i", 'CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops); ANALYZE items;
		ALTER DATABASE shard_' . $i . ' SET enable_seqscan = off');
	push @rows, $node->safe_psql("shard_$i", 'SELECT count(*) FROM items');
}
is(eval join('+', @rows), 6000, 'rows went to the shards: ' . join(', ', @rows));
ok((grep { $_ > 1000 } @rows) == $shards, 'about as many to each');

# ---- the query that the helper writes
my $query = $node->safe_psql('postgres', q{SELECT vectorext_shard_query('sharded', '{id}', 'embedding <-> $1', 10)});
my $plan = $node->safe_psql('postgres', "PREPARE search(vector) AS $query; EXPLAIN (VERBOSE, COSTS OFF) EXECUTE search(vec(77))");
my @remote = $plan =~ /Remote SQL: (.*)/g;
is(scalar @remote, $shards, 'each shard is asked');
is(scalar(grep { /ORDER BY \(embedding .* ASC NULLS LAST LIMIT 10::bigint/ } @remote), $shards, 'with the order and the limit') or diag $plan;
for my $i (0 .. $shards - 1)
{
	my $remote = $remote[$i] =~ s/\$\d+::[a-z.]*vector/(SELECT embedding FROM items LIMIT 1)/gr;
	like($node->safe_psql("shard_$i", "EXPLAIN (COSTS OFF) $remote"), qr/Index Scan using items_idx/, "shard $i uses its index")
	  or diag $remote;
}

# ---- the same answers as one table
my $searches = 40;
my $answers = sub {
	my ($sql) = @_;
	return $node->safe_psql('postgres', "PREPARE search(vector) AS $sql;"
		. join('', map { "EXECUTE search(vec(50000000 + $_));" } 1 .. $searches));
};
my $one = 'SELECT id, embedding <-> $1 AS distance FROM items ORDER BY distance, id LIMIT 10';
my @exact = split /\n/, $answers->($one);
my @through = split /\n/, $answers->($query);
is(scalar @through, 10 * $searches, 'ten rows for each search');
my %exact = map { $_ => 1 } @exact;
my $hits = grep { $exact{$_} } @through;
cmp_ok($hits / @exact, '>=', 0.98, "recall of the shards together: $hits of " . @exact);
my @distances = map { (split /\|/)[1] } @through;
ok(!(grep { $_ % 10 && $distances[$_] < $distances[ $_ - 1 ] } 1 .. $#distances), 'in order');
# with much effort they find what one table has, all of it
$node->safe_psql("shard_$_", "ALTER DATABASE shard_$_ SET hnsw.ef_search = 1000") for 0 .. $shards - 1;
is(join("\n", sort split /\n/, $answers->($query)), join("\n", sort @exact), 'with more effort: exactly those of one table');

# ---- a filter
my $filtered = $node->safe_psql('postgres', q{SELECT vectorext_shard_query('sharded', '{id}', 'embedding <-> $1', 5, 'id % 7 = 0')});
my @ids = map { (split /\|/)[0] } split /\n/, $answers->($filtered);
is(scalar @ids, 5 * $searches, 'a filter: five rows for each search');
ok(!(grep { $_ % 7 } @ids), 'all pass it');

# ---- the plain query: right, and without the limit; docs/scaling.md says so
my $plain = 'SELECT id, embedding <-> $1 AS distance FROM sharded ORDER BY embedding <-> $1 LIMIT 10';
$plan = $node->safe_psql('postgres', "PREPARE search(vector) AS $plain; EXPLAIN (VERBOSE, COSTS OFF) EXECUTE search(vec(77))");
unlike($plan, qr/Remote SQL:.*LIMIT/, 'the plain query of a partitioned table sends no limit');
is(join("\n", sort split /\n/, $answers->($plain)), join("\n", sort @exact), 'and answers rightly');

# ---- asked at the same time
$node->safe_psql('postgres', "ALTER SERVER shard_$_ OPTIONS (ADD async_capable 'true')") for 0 .. $shards - 1;
$plan = $node->safe_psql('postgres', "PREPARE search(vector) AS $query; EXPLAIN (VERBOSE, COSTS OFF) EXECUTE search(vec(77))");
is(scalar(() = $plan =~ /Async Foreign Scan/g), $shards, 'async_capable shards are asked at the same time') or diag $plan;
is(join("\n", sort split /\n/, $answers->($query)), join("\n", sort @exact), 'with the same answers');
log_is_clean($node);
done_testing();
