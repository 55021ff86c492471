# Eight clients write and search while vacuum runs, for VECTOREXT_SOAK_SECONDS (6 here, 600 in make check-long): no error,
# neither the indexes nor the backends grow without end, and the checker finds nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $seconds = $ENV{VECTOREXT_SOAK_SECONDS} || 6;
my $node = new_server('main', 'shared_buffers = 64MB', 'max_wal_size = 1GB', 'maintenance_work_mem = 64MB');
make_items($node, 1, 2000);
$node->safe_psql('postgres', create_index() . q{;
	CREATE INDEX lists_idx ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 20, quantization = rabitq)});

# The table keeps its size: what is deleted is inserted again some time.
my $dir = PostgreSQL::Test::Utils::tempdir();
my %script = (
	'upsert@5' => "\\set i random(1, 2000)\n\\set v random(1, 1000000)\nINSERT INTO items VALUES (:i, vec(:v)) ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding;\n",
	'delete@1' => "\\set i random(1, 2000)\nDELETE FROM items WHERE id = :i;\n",
	'search@4' => "\\set v random(1, 1000000)\nSELECT id FROM items ORDER BY embedding <-> vec(:v) LIMIT 10;\n",
	'filter@1' => "\\set v random(1, 1000000)\nSELECT id FROM items WHERE id % 50 = :v % 50 ORDER BY embedding <-> vec(:v) LIMIT 10;\n");
append_to_file("$dir/$_", $script{$_}) foreach keys %script;
my @command = ('pgbench', '-n', '-c', '8', '-j', '2', '-T', $seconds, map { ('-f', "$dir/" . s/\@/.sql\@/r) } sort keys %script);
rename "$dir/$_", "$dir/" . s/\@.*/.sql/r foreach keys %script;

# Bytes of each index; the largest private memory of a client's backend, in kB.
sub sizes
{
	my ($hnsw, $ivf, $pids) = split /\|/, $node->safe_psql('postgres', q{SELECT pg_relation_size('items_idx'), pg_relation_size('lists_idx'),
		(SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())});
	my $memory = 0;
	foreach my $pid (split / /, $pids // '')
	{
		open my $f, '<', "/proc/$pid/status" or next;
		/^RssAnon:\s*(\d+)/ && $1 > $memory and $memory = $1 while <$f>;
	}
	return [ $hnsw, $ivf, $memory ];
}

local $ENV{PGOPTIONS} = '-c enable_seqscan=off';
my $load = background($node, \@command);
my ($start, $vacuums, $error, @sizes) = (time, 0, '');    # sizes: after each sixth of the time, the last of it
while (time < $start + $seconds - 1 && $error eq '')
{
	my ($rc, $out, $err) = $node->psql('postgres', 'VACUUM items');
	$error = $err if $rc != 0;
	$vacuums++;
	my $sixth = int(6 * (time - $start) / $seconds);
	$sizes[ $sixth < 5 ? $sixth : 5 ] = sizes() if time < $start + $seconds - 0.5;
	sleep 0.3;
}
is($error, '', 'vacuum beside the load');
is(finish($load), 0, 'the load ended well') or diag $load->{err};
unlike($load->{err}, qr/ERROR|aborted/, 'no client had an error');
my ($transactions) = $load->{out} =~ /actually processed: (\d+)/;
@sizes = grep { defined } @sizes;
note "= $transactions transactions, $vacuums vacuums in $seconds s; bytes of hnsw and ivfflat, kB of a backend at each sixth: ",
  join('; ', map { "@$_" } @sizes);
my ($early, $late) = @sizes[ @sizes / 3, -1 ];
cmp_ok($late->[$_], '<=', 2 * $early->[$_] + 1000000, 'an index keeps its size') foreach 0, 1;
cmp_ok($early->[2], '>', 0, 'the memory of backends is known');
cmp_ok($late->[2], '<=', 1.5 * $early->[2] + 4000, 'it keeps its size');
index_is_whole($node, $_, $_) foreach 'items_idx', 'lists_idx';
is(misses($node), 0, 'every row is found');
cmp_ok(recall($node), '>=', 0.9, 'recall');
log_is_clean($node);
$node->stop;
done_testing();
