# Inserts, updates, deletes, searches, vacuums and REINDEX CONCURRENTLY at the same time.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 256MB', 'shared_buffers = 32MB');
make_items($node, 1, 3000);
$node->safe_psql('postgres', create_index());

my $dir = PostgreSQL::Test::Utils::tempdir();
my %script = (
	insert => '\set i random(100001, 900000)' . "\nINSERT INTO items VALUES (:i, vec(:i)) ON CONFLICT DO NOTHING;\n",
	delete => '\set i random(100001, 900000)' . "\nDELETE FROM items WHERE id = (SELECT id FROM items WHERE id >= :i ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);\n",
	update => '\set i random(1, 3000)' . "\nUPDATE items SET embedding = vec(:i + 5000000) WHERE id = :i;\n",
	search => '\set i random(1, 900000)' . "\nSELECT id FROM items ORDER BY embedding <-> vec(:i) LIMIT 10;\n");
append_to_file("$dir/$_.sql", $script{$_}) foreach keys %script;

my $seconds = 12;
local $ENV{PGOPTIONS} = '-c enable_seqscan=off';
my $load = background($node, [ 'pgbench', '-n', '-c', '4', '-j', '2', '-T', $seconds, '-f', "$dir/insert.sql\@5", '-f', "$dir/delete.sql\@3",
	'-f', "$dir/update.sql\@1", '-f', "$dir/search.sql\@6" ]);
my ($end, $vacuums, $reindexes, $error) = (time + $seconds, 0, 0, '');
while (time < $end - 1 && $error eq '')
{
	my $sql = ++$vacuums % 4 == 0 ? 'REINDEX INDEX CONCURRENTLY items_idx' : 'VACUUM items';
	$reindexes++ if $sql =~ /^REINDEX/;
	my ($rc, $out, $err) = $node->psql('postgres', $sql);
	$error = "$sql: $err" if $rc != 0;
	sleep 0.2;
}
is($error, '', "vacuum and reindex beside the load ($vacuums, of them $reindexes reindexes)");
cmp_ok($reindexes, '>=', 1, 'there was time for a reindex');
is(finish($load), 0, 'the load ended well') or diag $load->{err};
unlike($load->{err}, qr/ERROR|aborted/, 'no client had an error');
note $load->{out};
note 'rows: ' . $node->safe_psql('postgres', 'SELECT count(*) FROM items');

my ($missed, $unreachable) = misses_by_width($node);
is($unreachable, 0, 'every row is reachable');
cmp_ok($missed, '<=', 0.005 * $node->safe_psql('postgres', 'SELECT count(*) FROM items'), "rows are found by a narrow search (but $missed)");
is(duplicates($node), 0, 'no row is found twice');
cmp_ok(recall($node), '>=', 0.95, 'recall after the load');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id > 100000 AND id % 2 = 0; VACUUM items;');
is(misses($node), 0, 'every row is reachable after a vacuum');
cmp_ok(recall($node), '>=', 0.95, 'recall after a vacuum');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), 0, 'no invalid index remains');
log_is_clean($node);
$node->stop;
done_testing();
