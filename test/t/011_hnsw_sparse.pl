# hnsw over sparsevec, whose nodes differ in size: vacuum, reuse of their room, crash, standby, hostile values.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $primary = new_server('primary', "wal_consistency_checking = 'all'", 'max_wal_size = 4GB', 'wal_keep_size = 2GB', 'hot_standby_feedback = off',
	'max_standby_streaming_delay = -1', 'maintenance_work_mem = 256MB');
$primary->safe_psql('postgres', 'DROP FUNCTION vec');
set_up_sparse($primary, 'vec');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub same
{
	my ($name) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	is(differences($standby, $primary), '', "$name: same answers on the standby");
	return;
}

# Clusters that come by inserts alone are islands until the next vacuum, so a few rows may be lost then.
sub is_sound
{
	my ($name, $least, $lost) = @_;
	cmp_ok(misses($primary), '<=', $lost // 0, "$name: every row is found" . ($lost ? " but for $lost" : ''));
	is(duplicates($primary), 0, "$name: no row is found twice");
	cmp_ok(recall($primary, dims => 20000), '>=', $least, "$name: recall");
	same($name);
	return;
}

$primary->safe_psql('postgres', 'CREATE TABLE items (id int PRIMARY KEY, embedding sparsevec(20000));
	INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 1500) i; ANALYZE items;
	CREATE INDEX items_idx ON items USING hnsw (embedding sparsevec_l2_ops);');
is_sound('build', 0.95);
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(4001, 4300) i;
	DELETE FROM items WHERE hashint4(id) % 2 = 0; VACUUM items;');
is_sound('inserts, and half of the rows vacuumed', 0.93);

# Room that was freed is used again, by nodes of other sizes.
my ($next, $early_size) = (20001, undef);
foreach my $cycle (1 .. 9)
{
	$primary->safe_psql('postgres', 'DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY hashint4(id) LIMIT 300)');
	$primary->safe_psql('postgres', 'VACUUM items');
	$primary->safe_psql('postgres', 'SELECT txid_current()');    # so that the oldest snapshot moves on
	$primary->safe_psql('postgres', 'VACUUM items');
	$primary->safe_psql('postgres', "INSERT INTO items SELECT i, vec(i) FROM generate_series($next, $next + 299) i");
	$next += 300;
	$early_size = index_size($primary) if $cycle == 6;
}
cmp_ok(index_size($primary), '<=', 1.1 * $early_size, 'the file does not grow when rows are replaced');
is_sound('nine rounds', 0.9, 30);

# Searches on the standby while replay changes the pages under them, and nodes start where others were.
my @writers = (
	background($primary, "DO \$\$ BEGIN FOR i IN 100001 .. 100600 LOOP INSERT INTO items VALUES (i, vec(i)); COMMIT; END LOOP; END \$\$"),
	background($primary, map { ("DELETE FROM items WHERE id % 7 = $_", 'VACUUM items') } 0 .. 3));
my ($error, $end) = ('', time + 4);
while (time < $end && $error eq '')
{
	my ($rc, $out, $err) = $standby->psql('postgres', q{
		SET enable_seqscan = off;
		SELECT count(*) FROM generate_series(1, 100) q, LATERAL
			(SELECT id FROM items ORDER BY embedding <-> vec(40000000 + q) LIMIT 5) n});
	$error = $err if $rc != 0;
	$error = "too few rows: $out" if $rc == 0 && $out != 500;
}
is($error, '', 'searches on the standby during replay succeed and return all rows');
finish($_) foreach @writers;
is($_->{err}, '', 'the writer had no error') foreach @writers;
same('after all writes');

# A crash amid inserts, deletes and vacuums.
my $session = background($primary, "DO \$\$ BEGIN FOR i IN 200001 .. 300000 LOOP
	INSERT INTO items VALUES (i, vec(i)); COMMIT; END LOOP; END \$\$");
my $deleter = background($primary, map { ('DELETE FROM items WHERE id % 5 = ' . $_ % 5, 'VACUUM items') } 1 .. 500);
ok(wait_for($primary, 'SELECT max(id) > 200250 FROM items'), 'inserts are under way');
$primary->stop('immediate');
$primary->start;
finish($_) foreach ($session, $deleter);
is_sound('crash', 0.9, 30);
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(500001, 500100) i;
	DELETE FROM items WHERE id = 500001; VACUUM items;');
is_sound('life goes on', 0.9);
$primary->safe_psql('postgres', 'DELETE FROM items; VACUUM items;');
is($primary->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <-> vec(1) LIMIT 5) s'),
	0, 'an emptied index answers with nothing');
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 300) i');
is_sound('refilled', 0.97, 5);
log_is_clean($_) foreach ($primary, $standby);
$standby->stop;

# No bound above its distance: huge, tiny, equal and empty vectors, and ones of more elements than a code holds.
$primary->safe_psql('postgres', q{
	SELECT setseed(0.5);
	CREATE FUNCTION wild(kind int, n int) RETURNS sparsevec LANGUAGE sql AS $$
		SELECT ('{' || coalesce(string_agg(at || ':' || w, ','), '') || '}/1000000')::sparsevec FROM
			(SELECT DISTINCT ON (1) 1 + floor(random() ^ 3 * (CASE WHEN n > 1000 THEN 1000000 ELSE 40 END))::int AS at,
				(CASE kind WHEN 0 THEN (random() - 0.5) * 1e30 WHEN 1 THEN (random() - 0.5) * 1e-30 WHEN 2 THEN 1e18
					WHEN 3 THEN random() * 2 WHEN 4 THEN (random() - 0.5) * 6e38 WHEN 5 THEN -3
					WHEN 6 THEN (random() + 0.1) * 1e-40 WHEN 7 THEN floor(random() * 3) ELSE 100 + random() * 1e-3 END)::real AS w
			FROM generate_series(1, n)) e WHERE w <> 0 $$;
	CREATE TABLE w (id serial PRIMARY KEY, v sparsevec(1000000));
	INSERT INTO w (v) SELECT wild(g % 9, g % 17) FROM generate_series(1, 800) g;
	INSERT INTO w (v) SELECT wild(g % 9, 3000 + 300 * g) FROM generate_series(1, 36) g;
	INSERT INTO w (v) SELECT v FROM w WHERE id % 10 = 3;
	CREATE FUNCTION hostile(op text, n int) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE q sparsevec; k int; total int := 0;
	BEGIN
		FOR i IN 1..n LOOP
			q := wild(i % 9, 1 + i % 20);
			IF i % 3 = 0 THEN SELECT v INTO q FROM w WHERE id = 1 + floor(random() * 900); END IF;
			EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM w ORDER BY v %s $1 LIMIT %s) s', op, (ARRAY[1, 3, 10, 40, 100])[1 + i % 5])
				INTO k USING q;
			total := total + k;
		END LOOP;
		RETURN total;
	END $$;
});
my %classes = ('<->' => 'sparsevec_l2_ops', '<=>' => 'sparsevec_cosine_ops', '<#>' => 'sparsevec_ip_ops', '<+>' => 'sparsevec_l1_ops');
foreach my $op (sort keys %classes)
{
	my ($rc, $out, $err) = $primary->psql('postgres', "CREATE INDEX w_idx ON w USING hnsw (v $classes{$op});
		SET enable_seqscan = off; SET plan_cache_mode = force_custom_plan; SELECT hostile('$op', 250); DROP INDEX w_idx;");
	is($rc, 0, "$op: no error") or diag $err;
	cmp_ok($out, '>=', 250 * 30.7, "$op: rows came back");
}
log_is_clean($primary);
$primary->stop;
done_testing();
