# What the planner chooses, and what scans do for it: plans by shape on ANALYZEd rows, filters, deep cursors, partitions.
use strict;
use warnings;
use lib 'test/perl';
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('planner', 'shared_buffers = 256MB', 'work_mem = 16MB', 'max_parallel_workers_per_gather = 0');
make_items($node, 1, 20000, dims => 96);
$node->safe_psql('postgres', q{
	ALTER TABLE items ADD half int, ADD tenth int, ADD thousandth int, ADD flag bool;
	UPDATE items SET half = hashint4(id) & 1, tenth = abs(hashint4(id + 1)) % 10, thousandth = abs(hashint4(id + 2)) % 1000,
		flag = abs(hashint4(id + 3)) % 4 > 0;
	CREATE TABLE labels (id int PRIMARY KEY, label text);
	INSERT INTO labels SELECT i, 'label ' || i FROM generate_series(1, 20000) i;
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops);
	CREATE INDEX items_thousandth ON items (thousandth);
	VACUUM FULL items; VACUUM ANALYZE;});

# ---- the index serves a first few rows, and the rest goes elsewhere --------------------------------------
my $q = $node->safe_psql('postgres', 'SELECT vec(10000001, 96)');
my $order = "ORDER BY embedding <-> '$q'";
sub plans_are
{
	for (@_)
	{
		my ($name, $query, $expected) = @$_;
		my $plan = $node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $query");
		$plan =~ s/\[[^]]*\]/[...]/g;
		if ($expected eq 'Seq Scan') { like($plan, qr/Seq Scan on items/, $name); }
		elsif (ref $expected) { like($plan, $expected, $name); }
		else { like($plan, qr/Scan (using|on) $expected/, $name); }
	}
	return;
}
plans_are(
	[ 'the nearest ten', "SELECT id FROM items $order LIMIT 10", 'items_idx' ],
	[ 'the nearest hundred', "SELECT id FROM items $order LIMIT 100", 'items_idx' ],
	[ 'all rows in order', "SELECT id FROM items $order", 'Seq Scan' ],
	[ 'half of the rows in order', "SELECT id FROM items $order LIMIT 10000", 'Seq Scan' ],
	[ 'a later page', "SELECT id FROM items $order OFFSET 40 LIMIT 10", 'items_idx' ],
	[ 'a filter that half of the rows pass', "SELECT id FROM items WHERE half = 1 $order LIMIT 10", 'items_idx' ],
	[ 'three quarters', "SELECT id FROM items WHERE flag $order LIMIT 10", 'items_idx' ],
	[ 'the other quarter', "SELECT id FROM items WHERE NOT flag $order LIMIT 10", 'items_idx' ],
	[ 'one in a thousand, without an index of its own', "SELECT id FROM items WHERE tenth = 3 AND half = 0 AND thousandth % 50 = 0 $order LIMIT 10", 'Seq Scan' ],
	[ 'one in a thousand, with an index', "SELECT id FROM items WHERE thousandth = 5 $order LIMIT 10", 'items_thousandth' ],
	[ 'few rows by a btree', "SELECT id FROM items WHERE thousandth IN (1, 2, 3) $order LIMIT 10", 'items_thousandth' ],
	[ 'a primary key', "SELECT id FROM items WHERE id = 5 $order LIMIT 10", 'items_pkey' ],
	[ 'a range of it', "SELECT id FROM items WHERE id < 15 $order LIMIT 10", 'items_pkey' ],
	[ 'a range that most rows are in', "SELECT id FROM items WHERE id > 100 $order LIMIT 10", 'items_idx' ],
	[ 'a join', "SELECT label FROM items JOIN labels USING (id) $order LIMIT 10", 'items_idx' ],
	[ 'a deep page', "SELECT id FROM items $order OFFSET 400 LIMIT 10", 'items_idx' ],
	[ 'a tie-breaker', "SELECT id FROM items $order, id LIMIT 10", qr/Incremental Sort.*Presorted Key.*Scan using items_idx/s ],
	[ 'a score', "SELECT id, 1 - (embedding <-> '$q') AS s FROM items WHERE embedding IS NOT NULL ORDER BY s DESC LIMIT 10", 'items_idx' ],
	[ 'a score that rows without a vector lead', "SELECT id, 1 - (embedding <-> '$q') AS s FROM items ORDER BY s DESC LIMIT 10", 'Seq Scan' ],
	[ 'a score above a bound', "SELECT id FROM items WHERE 1 - (embedding <-> '$q') > -1 $order", qr/Index Cond: \(embedding <<->> ROW/ ],
	[ 'a join that drops 99 of 100 rows', "SELECT label FROM items JOIN labels USING (id) WHERE labels.id % 100 = 3 $order LIMIT 10", qr/Sort.*labels/s ],
	[ 'a join from few rows', "SELECT label FROM items JOIN labels USING (id) WHERE label = 'label 7' $order LIMIT 10", 'items_pkey' ],
	[ 'a distance range', "SELECT id FROM items WHERE embedding <-> '$q' < 2 $order", 'items_idx' ],
	[ 'a distance range with a LIMIT', "SELECT id FROM items WHERE embedding <-> '$q' < 2 $order LIMIT 10", 'items_idx' ],
	[ 'a ball', "SELECT id FROM items WHERE vectorext_within(embedding, '$q', 2)", 'items_idx' ],
	[ 'no order', "SELECT id FROM items WHERE embedding <-> '$q' < 2", 'Seq Scan' ],
	[ 'farthest first', "SELECT id FROM items $order DESC LIMIT 10", 'Seq Scan' ]);
like($node->safe_psql('postgres', "EXPLAIN (COSTS OFF) SELECT id FROM items WHERE embedding <-> '$q' < 2 $order"),
	qr/Index Cond: \(embedding <<->> ROW/, 'the first query of a session knows of ranges');

# ---- filters do not cost recall -----------------------------------------------------------------------
for my $where ('half = 1', 'tenth = 3')
{
	my $recall = recall($node, table => "(SELECT * FROM items WHERE $where)", dims => 96);
	cmp_ok($recall, '>=', 0.95, "recall where $where: $recall");
}

# ---- a cursor goes on ------------------------------------------------------------------------------------
for my $method ('hnsw', 'ivfflat')
{
	$node->safe_psql('postgres', 'DROP INDEX items_idx; CREATE INDEX items_idx ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 40)')
	  if $method eq 'ivfflat';
	my $fetches = 'FETCH 1000 FROM c;' x 10;
	my @rows = split /\n/, $node->safe_psql('postgres', "SET enable_seqscan = off; BEGIN;
		DECLARE c CURSOR FOR SELECT id, embedding <-> '$q' FROM items $order;
		$fetches
		SELECT 'memory', sum(total_bytes) FROM pg_backend_memory_contexts WHERE name = '$method scan'; COMMIT;");
	my $memory = (split /\|/, pop @rows)[1];
	my %seen = map { (split /\|/)[0] => 1 } @rows;
	my @distances = map { (split /\|/)[1] } @rows;
	is(scalar(@rows), 10000, "$method: ten times a thousand rows");
	is(scalar(keys %seen), 10000, "$method: no row twice");
	is(scalar(grep { $distances[$_] < $distances[ $_ - 1 ] } 1 .. $#distances), 0, "$method: in order");
	cmp_ok($memory, '<', 4 * 1024 * 1024, "$method: memory of the scan: $memory");
}

# ---- filters of the index, beside a btree ---------------------------------------------------------------------
for my $method ('hnsw', 'ivfflat')
{
	$node->safe_psql('postgres', "DROP INDEX items_idx; CREATE INDEX items_idx ON items USING $method (embedding vector_l2_ops, half, tenth, thousandth)" .
		($method eq 'ivfflat' ? ' WITH (lists = 100)' : '') . '; CREATE INDEX IF NOT EXISTS items_thousandth ON items (thousandth)');
	my $in_index = sub { my ($condition) = @_; return qr/Scan using items_idx.*Index Cond: \(.*$condition/s; };
	plans_are(
		[ "$method: half of the rows pass", "SELECT id FROM items WHERE half = 1 $order LIMIT 10", $in_index->('half = 1') ],
		[ "$method: a tenth", "SELECT id FROM items WHERE tenth = 3 $order LIMIT 10", $in_index->('tenth = 3') ],
		[ "$method: a tenth, LIMIT 100", "SELECT id FROM items WHERE tenth = 3 $order LIMIT 100", $in_index->('tenth = 3') ],
		[ "$method: a tenth, by a range that a btree has, too", "SELECT id FROM items WHERE thousandth < 100 $order LIMIT 10", $in_index->('thousandth < 100') ],
		[ "$method: a tenth, by a list", "SELECT id FROM items WHERE tenth IN (3) $order LIMIT 10", $in_index->('tenth = ') ],
		[ "$method: two filters", "SELECT id FROM items WHERE half = 1 AND tenth IN (3, 4) $order LIMIT 10", $in_index->('half = 1') ],
		[ "$method: a filter of the index and another", "SELECT id FROM items WHERE tenth = 3 AND id > 10000 $order LIMIT 10", $in_index->('tenth = 3') ],
		[ "$method: one in a thousand, with a btree", "SELECT id FROM items WHERE thousandth = 5 $order LIMIT 10", 'items_thousandth' ]);
	$node->safe_psql('postgres', 'DROP INDEX items_thousandth');
	plans_are(
		[ "$method: one in a hundred, without a btree", "SELECT id FROM items WHERE thousandth < 10 $order LIMIT 10", $in_index->('thousandth < 10') ],
		[ "$method: one in a thousand, without a btree", "SELECT id FROM items WHERE thousandth = 5 $order LIMIT 10", $in_index->('thousandth = 5') ],
		[ "$method: fewer rows than LIMIT asks for", "SELECT id FROM items WHERE thousandth = 5 $order LIMIT 100", $in_index->('thousandth = 5') ]);
}

# ---- partitions: each scan starts small, and the merge asks few of them for more ------------------------------
$node->safe_psql('postgres', q{
	CREATE TABLE parts (id int, embedding vector(96)) PARTITION BY HASH (id);
	SELECT format('CREATE TABLE part_%s PARTITION OF parts FOR VALUES WITH (MODULUS 50, REMAINDER %s)', i, i) FROM generate_series(0, 49) i \gexec
	INSERT INTO parts SELECT id, embedding FROM items;
	CREATE INDEX ON parts USING hnsw (embedding vector_l2_ops);
	ANALYZE parts;});
my $scored = sub {
	my ($from) = @_;
	return $node->safe_psql('postgres', "SET enable_seqscan = off; SET enable_sort = off;
		DO \$\$ BEGIN PERFORM id FROM $from $order LIMIT 10; END \$\$;
		SELECT scored FROM vectorext_last_scan();");
};
my ($merged, $alone) = ($scored->('parts'), $scored->('part_49'));
cmp_ok($merged * 1.8, '<', $alone, "one of the partitions of a merge: $merged vectors compared, $alone where it is searched alone");
my $recall = recall($node, table => 'parts', dims => 96, before => 'SET enable_sort = off;');
cmp_ok($recall, '>=', 0.97, "recall over partitions: $recall");

log_is_clean($node);
done_testing();
