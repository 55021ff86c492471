# pg_upgrade from the server whose programs VECTOREXT_OLD_BIN names (with the extension) to that of this run: indexes of
# both access methods, every type and quantization, with filter columns, free slots and rows that share a node give the
# same answers as before, the checker finds no error, and writes and vacuum go on. test/upgrade runs it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $old_bin = $ENV{VECTOREXT_OLD_BIN} or plan skip_all => 'VECTOREXT_OLD_BIN does not name the programs of an older server';

my %type = (
	vector => [ 'vector(32)', 'vec(i)' ],
	halfvec => [ 'halfvec(32)', 'vec(i)::halfvec(32)' ],
	sparsevec => [ 'sparsevec(500)', 'sparse(i)' ],
	bit => [ 'bit(64)', 'hashint8extended(i, 1)::bit(64)' ]);
my $attributes = ', tenant, name, at, tags';
my @indexes = (    # name, type, access method, class, operator, filter columns, options
	[ 'h_sq8', 'vector', 'hnsw', 'vector_l2_ops', '<->', $attributes, 'quantization = sq8' ],
	[ 'h_sq4', 'vector', 'hnsw', 'vector_cosine_ops', '<=>', '', 'quantization = sq4' ],
	[ 'h_none', 'vector', 'hnsw', 'vector_l1_ops', '<+>', ', tenant', 'quantization = none' ],
	[ 'h_wide', 'vector', 'hnsw', 'vector_ip_ops', '<#>', '', 'm = 100, ef_construction = 200, quantization = none' ],
	[ 'h_half', 'halfvec', 'hnsw', 'halfvec_l2_ops', '<->', ', tenant', 'm = 8' ],
	[ 'h_sparse', 'sparsevec', 'hnsw', 'sparsevec_l2_ops', '<->', ', tenant', '' ],
	[ 'h_bit', 'bit', 'hnsw', 'bit_hamming_ops', '<~>', '', '' ],
	[ 'i_rabitq', 'vector', 'ivfflat', 'vector_l2_ops', '<->', $attributes, 'lists = 10, quantization = rabitq' ],
	[ 'i_bits', 'vector', 'ivfflat', 'vector_cosine_ops', '<=>', '', 'lists = 10, quantization = bits' ],
	[ 'i_sq8', 'vector', 'ivfflat', 'vector_ip_ops', '<#>', ', tenant', 'lists = 10, quantization = sq8' ],
	[ 'i_none', 'halfvec', 'ivfflat', 'halfvec_l2_ops', '<->', '', 'lists = 10, quantization = none' ],
	[ 'i_bit', 'bit', 'ivfflat', 'bit_hamming_ops', '<~>', ', tenant', 'lists = 10' ]);
my $wide = 'SET enable_seqscan = off; SET client_min_messages = warning;
	SET hnsw.ef_search = 65535; SET hnsw.max_scan_tuples = 2147483647; SET ivfflat.probes = 32768;';

# Rows first .. last; one in five has the vector of another.
sub insert_sql
{
	my ($index, $first, $last) = @_;
	my ($name, $type) = @$index;
	return "INSERT INTO $name SELECT id, $type{$type}[1], id % 7, 'name ' || id % 11, '2026-01-01'::timestamptz + id * interval '1 hour',
		ARRAY[id % 3, id % 5] FROM (SELECT id, id - id % 5 / 4 AS i FROM generate_series($first, $last) id) s;";
}

# What searches through an index give, with and without conditions: text to be compared.
sub answers_of
{
	my ($node, $index) = @_;
	my ($name, $type, undef, undef, $op, $columns) = @$index;
	my $value = $type{$type}[1] =~ s/\bi\b/(7000000 + q)/gr;
	my @conditions = ('true', $columns ? 'tenant = 3' : (),
		$columns eq $attributes ? (q{name = 'name 4'}, q{at >= '2026-01-20' AND tenant IN (1, 2)}, 'tags && ARRAY[4]') : ());
	my $all = '';
	foreach my $condition (@conditions)
	{
		my $search = "SELECT id, v $op $value AS d FROM $name WHERE $condition ORDER BY v $op $value LIMIT 10";
		$all .= $node->safe_psql('postgres', "SET enable_seqscan = off; SET client_min_messages = warning;
			SELECT q, string_agg(id || ':' || d, ' ' ORDER BY d, id) FROM generate_series(1, 20) q, LATERAL ($search) s GROUP BY q ORDER BY q") . "\n";
	}
	return $all;
}

# Whole, all of its rows come out of it, and the planner uses it.
sub is_good
{
	my ($node, $index, $when) = @_;
	my ($name, $type, undef, undef, $op) = @$index;
	my $value = $type{$type}[1] =~ s/\bi\b/5/r;
	index_is_whole($node, "$name $when", "${name}_idx");
	like($node->safe_psql('postgres', "$wide EXPLAIN SELECT id FROM $name ORDER BY v $op $value LIMIT 10"), qr/Index Scan using ${name}_idx/, "$name $when: used");
	is($node->safe_psql('postgres', "$wide SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM $name ORDER BY v $op $value LIMIT 1000000) s"),
		$node->safe_psql('postgres', "SELECT count(*), count(*) FROM $name"), "$name $when: a search for all rows gives each once");
	return;
}

my $old = PostgreSQL::Test::Cluster->new('old', install_path => $old_bin =~ s{/bin/?$}{}r);
$old->init(extra => ['-k']);    # as newer servers have it
$old->append_conf('postgresql.conf', "autovacuum = off\njit = off\n");
$old->start;
set_up($old);
# At most 20 of 500 dimensions.
$old->safe_psql('postgres', q{CREATE FUNCTION sparse(i bigint) RETURNS sparsevec LANGUAGE sql IMMUTABLE AS $$
	SELECT ('{' || string_agg(d || ':' || w, ',' ORDER BY d) || '}/500')::sparsevec
	FROM (SELECT DISTINCT ON (d) 1 + abs(hashint8extended(i * 31 + n, 3) % 500) AS d, 1 + abs(hashint8extended(i * 31 + n, 4) % 9) AS w
		FROM generate_series(1, 20) n ORDER BY 1) s $$});
my %before;
foreach my $index (@indexes)
{
	my ($name, $type, $am, $class, $op, $columns, $options) = @$index;
	$old->safe_psql('postgres', "CREATE TABLE $name (id int PRIMARY KEY, v $type{$type}[0], tenant int, name text, at timestamptz, tags int[]);"
		  . insert_sql($index, 1, 600) . "SET client_min_messages = warning;
		CREATE INDEX ${name}_idx ON $name USING $am (v $class$columns)" . ($options ? " WITH ($options)" : '') . ';'
		  . insert_sql($index, 601, 900) . "DELETE FROM $name WHERE id % 9 = 1; VACUUM ANALYZE $name; DELETE FROM $name WHERE id % 9 = 2; VACUUM $name;"
		  . insert_sql($index, 901, 950));
	is_good($old, $index, 'before');
	$before{$name} = answers_of($old, $index);
}
my $from = $old->safe_psql('postgres', 'SHOW server_version');
my $xid = $old->safe_psql('postgres', 'SELECT txid_current()');

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '-k', '-U', $old->safe_psql('postgres', 'SELECT current_user') ]);
my ($old_bindir, $bindir) = map { $_->config_data('--bindir') } $old, $new;
$old->stop;
chdir $new->basedir;
my $said = '';
my $upgraded = IPC::Run::run([ "$bindir/pg_upgrade", '--no-sync', '-b', $old_bindir, '-B', $bindir, '-d', $old->data_dir, '-D', $new->data_dir,
	'-s', $new->host, '-p', $old->port, '-P', $new->port ], '<', \undef, '>&', \$said);
my $log = join '', $upgraded ? () : map { slurp_file($_) } glob $new->data_dir . '/pg_upgrade_output.d/*/{,log/}*.{txt,log}';
SKIP:
{
	skip "a server of an older minor release, which does not know the column options that $from writes", 1 if $log =~ /unrecognized parameter "pg_attver"/;
	ok($upgraded, 'pg_upgrade') or diag($said, $log);
}
if (!$upgraded) { done_testing(); exit; }
$new->append_conf('postgresql.conf', "autovacuum = off\njit = off\n");
$new->start;
note "= from $from to " . $new->safe_psql('postgres', 'SHOW server_version') . ': ' . @indexes . ' indexes';
cmp_ok($new->safe_psql('postgres', 'SELECT txid_current()'), '>', $xid, 'transactions are counted on: what waits for them in an index need not wait longer');
foreach my $index (@indexes)
{
	my ($name) = @$index;
	is(answers_of($new, $index), $before{$name}, "$name: the same answers as before");
	is_good($new, $index, 'after');
	my $size = index_size($new, "${name}_idx");
	$new->safe_psql('postgres', insert_sql($index, 1001, 1040) . "UPDATE $name SET tenant = tenant + 1 WHERE id % 10 = 0;
		DELETE FROM $name WHERE id % 4 = 1; VACUUM $name;" . insert_sql($index, 1041, 1200) . "VACUUM $name");
	is_good($new, $index, 'written to');
	cmp_ok(index_size($new, "${name}_idx"), '<=', 1.5 * $size + 100000, "$name: free slots are used again");
	$new->safe_psql('postgres', "REINDEX INDEX ${name}_idx");
	is_good($new, $index, 'built again');
}
log_is_clean($new);
$new->stop;
done_testing();
