# A strictly ordered ivfflat scan that goes through to the end: all rows of the probed lists, in order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

access_method('ivfflat');
my $node = new_server('main');
make_items($node, 1, 4000, dims => 96);
foreach my $quantization ('rabitq', 'bits', 'sq8', 'none')
{
	foreach my $class ('vector_l2_ops', 'vector_cosine_ops', 'vector_ip_ops')
	{
		my $op = { vector_l2_ops => '<->', vector_cosine_ops => '<=>', vector_ip_ops => '<#>' }->{$class};
		$node->safe_psql('postgres', "DROP INDEX IF EXISTS items_idx;
			CREATE INDEX items_idx ON items USING ivfflat (embedding $class) WITH (lists = 20, quantization = $quantization)");
		foreach my $set ("ivfflat.iterative_scan = strict_order; SET ivfflat.probes = 20", "ivfflat.iterative_scan = off; SET ivfflat.probes = 20")
		{
			my ($lost, $disorder) = (0, 0);
			foreach my $query (1 .. 10)
			{
				my $out = $node->safe_psql('postgres', "SET enable_seqscan = off; SET $set;
					WITH s AS MATERIALIZED (SELECT id, embedding $op vec(5000000 + $query, 96) AS d FROM items ORDER BY embedding $op (SELECT vec(5000000 + $query, 96)))
					SELECT 4000 - count(DISTINCT id), count(*) FILTER (WHERE d < last - 1e-6 * abs(last)) FROM (SELECT id, d, lag(d) OVER () AS last FROM s) r");
				my ($missing, $wrong) = split /\|/, $out;
				$lost += $missing;
				$disorder += $wrong;
			}
			is($disorder, 0, "$quantization $op $set: in order");
			my $allowed = $quantization =~ /rabitq|bits/ ? 3 : 0;
			cmp_ok($lost, '<=', $allowed, "and few rows are lost"); note "$lost of 40000 rows lost";
		}
	}
}
log_is_clean($node);
$node->stop;
done_testing();
