# Each instruction set builds and searches with the same recall, and reads what another one built.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 256MB');
my %classes = ('<->' => 'vector_l2_ops', '<=>' => 'vector_cosine_ops', '<#>' => 'vector_ip_ops', '<+>' => 'vector_l1_ops');
my $dims = 100;    # not a multiple of any register
make_items($node, 1, 3000, dims => $dims);

my @levels;
foreach my $level (qw(baseline avx2 avx512 vnni))
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT 1 FROM (SELECT '[1]'::vector) v; SET vectorext.simd = '$level'");
	if ($rc == 0) { push @levels, $level; }
	else
	{
		like($err, qr/invalid value for parameter "vectorext.simd"/, "$level is refused where it is not available");
		note "$level is not available here";
	}
}
cmp_ok(scalar @levels, '>=', 1, "available: @levels");

foreach my $op ('<->', '<=>', '<#>', '<+>')
{
	my %recall;
	foreach my $level (@levels)
	{
		$recall{$level} = $node->safe_psql('postgres', "SET client_min_messages = warning; LOAD 'vectorext'; SET vectorext.simd = '$level';
			DROP INDEX IF EXISTS items_idx;
			" . create_index(class => $classes{$op}) . ';' . search_narrow() . recall_sql(op => $op, dims => $dims, queries => 200));
	}
	my ($low, $high) = (sort { $a <=> $b } values %recall)[ 0, -1 ];
	note "$op: " . join ', ', map { "$_ $recall{$_}" } @levels;
	cmp_ok($low, '>=', 0.95, "$op: recall is good at every level");
	cmp_ok($high - $low, '<=', 0.005, "$op: recall is the same at every level");

	# The last index was built by the last level: the others search it.
	my %foreign = map {
		$_ => $node->safe_psql('postgres', "SET client_min_messages = warning; LOAD 'vectorext'; SET vectorext.simd = '$_'; " . search_narrow()
			. recall_sql(op => $op, dims => $dims, queries => 200))
	} @levels;
	($low, $high) = (sort { $a <=> $b } values %foreign)[ 0, -1 ];
	cmp_ok($high - $low, '<=', 0.005, "$op: every level searches an index of $levels[-1] alike");
}
my ($rc, undef, $err) = $node->psql('postgres', "CREATE ROLE plain; SET ROLE plain; SELECT '[1]'::vector; SET vectorext.simd = 'baseline'");
like($err, qr/permission denied to set parameter "vectorext.simd"/, 'only a superuser may force a level');
log_is_clean($node);
$node->stop;
done_testing();
