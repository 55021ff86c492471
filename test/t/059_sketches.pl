# Sketches of attributes: rows that are there stay found while others, whose values lie far off, come to their pages; and
# what was freed, filled again, given further rows or a NULL is found as the checker and a sequential scan say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', "wal_consistency_checking = 'all'", 'autovacuum = off', 'max_wal_size = 4GB');
# (In strict order what is found too late, since others change the graph meanwhile, would be left out.)
my $wide = 'SET hnsw.iterative_scan = relaxed_order; ' . search_wide() . 'SET enable_sort = off; SET enable_bitmapscan = off; SET enable_seqscan = off;';

sub sound { return $node->safe_psql('postgres', "SELECT severity, message FROM vectorext_index_check('items_idx', true) WHERE severity <> 'info'") }
sub same
{
	my ($name, $filter) = @_;
	my $rows = "SELECT count(*), sum(hashint4(id)) FROM (SELECT id FROM items WHERE $filter ORDER BY v <-> (SELECT v FROM query) OFFSET 0) i";
	my $found = $node->safe_psql('postgres', "$wide $rows");
	is($found, $node->safe_psql('postgres', "SET enable_indexscan = off; $rows"), "$name: $filter");
	return $found;
}

# Pages with gaps: each third row is gone.
$node->safe_psql('postgres', 'CREATE TABLE items (id int, v vector(16), a int8, b float8, c text); CREATE TABLE query AS SELECT vec(10000001, 16) AS v;
	INSERT INTO items SELECT i, vec(i, 16), i % 50, sin(i), i % 9 FROM generate_series(1, 6000) i;
	' . create_index(column => 'v', attributes => 'a, b, c') . '; DELETE FROM items WHERE id % 3 = 0; VACUUM items;');
my @filters = ('a = 7', 'a BETWEEN -3 AND 2', 'b > 0.98', 'a IN (3, 9, 27) AND b < 0', "c = '4' AND a < 10", 'a > 1000000', 'b IS NULL', 'b IS NULL AND a < 9', 'a < -1000');
same('with gaps', $_) foreach @filters;
is(sound(), '', 'with gaps: sound');

# Values of ever more digits, both ways, one at a time into the gaps, while others look for what was there before.
my $still = "SELECT count(*) FROM (SELECT id FROM items WHERE a = 7 AND b < 1e6 ORDER BY v <-> (SELECT v FROM query) OFFSET 0) i";
my $truth = $node->safe_psql('postgres', 'SELECT count(*) FROM items WHERE a = 7');
my @writers = map { my $mine = $_; background($node, "DO \$\$ BEGIN FOR i IN 1 .. 700 LOOP
	INSERT INTO items VALUES (10000 + i * 4 + $mine, vec(10000 + i * 4 + $mine, 16), (10 ^ (i % 18) * (i % 5 - 2.1))::int8, 1e7 + 10 ^ (i % 200), i); COMMIT;
	END LOOP; END \$\$") } 0 .. 2;
my @readers = map { background($node, $wide, "DO \$\$ DECLARE found int; BEGIN FOR i IN 1 .. 150 LOOP
	EXECUTE '$still' INTO found; IF found <> $truth THEN RAISE '% rows of $truth in round %', found, i; END IF; COMMIT;
	END LOOP; END \$\$") } 0, 1;
is(join('', map { (finish($_) ? 'failed ' : '') . $_->{err} } @writers, @readers), '', 'what is there is found while pages change');
is(sound(), '', 'values of many digits: sound');
same('values of many digits', $_) foreach @filters;

# Further rows of a node, of other values; and NULLs, that come and go.
$node->safe_psql('postgres', 'INSERT INTO items SELECT id + 100000, v, 777777777 + id, NULL, NULL FROM items WHERE id < 900;
	UPDATE items SET a = NULL WHERE id % 10 = 1; UPDATE items SET b = NULL WHERE id % 10 = 2;');
isnt(same('further rows', 'a > 777777777'), '0|', 'there are some');
same('further rows', $_) foreach @filters, 'a IS NULL', 'a IS NULL AND b > 0.9';
is(sound(), '', 'further rows: sound');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id > 100000; VACUUM items; UPDATE items SET a = 5 WHERE a IS NULL; VACUUM items;');
same('without them', $_) foreach @filters, 'a IS NULL', 'a = 5';
is(sound(), '', 'without them: sound');

# After a crash.
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i, 16), -i * 1000, i, i FROM generate_series(200000, 200300) i');
$node->stop('immediate');
$node->start;
is(sound(), '', 'after a crash: sound');
same('after a crash', $_) foreach @filters, 'a = -200300000';
$node->stop;
done_testing();
