# The checker while rows come, change and go and vacuum runs: it finds no error, for there is none.
# 6 seconds each; VECTOREXT_LOAD_SECONDS=60 for more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use VectorExt;

my $node = new_server('main');
my $dir = PostgreSQL::Test::Utils::tempdir();
my %script = (
	insert => "\\set i random(100001, 900000)\nINSERT INTO items VALUES (:i, vec(:i % 5000, 16)) ON CONFLICT DO NOTHING;\n",
	update => "\\set i random(1, 1000)\nUPDATE items SET embedding = vec(:i + 5000000, 16) WHERE id = :i;\n",
	delete => "\\set i random(100001, 900000)\nDELETE FROM items WHERE id = (SELECT id FROM items WHERE id >= :i ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);\n",
	vacuum => "VACUUM (INDEX_CLEANUP on) items;\n");
append_to_file("$dir/$_.sql", $script{$_}) foreach keys %script;

# With few links each of them is needed, and changes hands often. Of many lists one that was checked may get a page that
# was free when free pages were not yet.
foreach my $of ([ 'hnsw' ], [ 'hnsw', 'm = 2, ef_construction = 8' ], [ 'ivfflat' ], [ 'ivfflat', 'lists = 300' ])
{
	my ($am, $with) = @$of;
	access_method($am);
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS items');
	make_items($node, 1, 1000, dims => 16);
	$node->safe_psql('postgres', create_index($with ? (with => $with) : ()));
	$am .= " with $with" if $with;
	my $seconds = $ENV{VECTOREXT_LOAD_SECONDS} || 6;
	my @load = (
		background($node, [ 'pgbench', '-n', '-c', '2', '-T', $seconds, '-f', "$dir/insert.sql\@4", '-f', "$dir/update.sql\@2", '-f', "$dir/delete.sql\@3" ]),
		background($node, [ 'pgbench', '-n', '-c', '1', '-T', $seconds, '-f', "$dir/vacuum.sql" ]));
	my ($checks, $found, $end) = (0, '', time + $seconds - 1);
	while (time < $end && $found eq '')
	{
		$found = $node->safe_psql('postgres', check_index_sql('items_idx'));
		$checks++;
	}
	is($found, '', "$am: no error in $checks checks under load");
	cmp_ok($checks, '>=', 2, "$am: there was time for checks");
	foreach my $l (@load)
	{
		is(finish($l), 0, "$am: the load ended well") or diag $l->{err}, $l->{out};
		unlike($l->{err}, qr/ERROR|aborted/, "$am: no client had an error");
	}
	index_is_whole($node, "$am: after the load");
}
log_is_clean($node);
$node->stop;
done_testing();
