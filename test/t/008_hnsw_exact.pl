# Exact answers: with a wide search the index gives the exact scan's rows and order, whatever the vectors are.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

my $node = new_server('main', 'maintenance_work_mem = 256MB', 'max_parallel_workers_per_gather = 0');
my %classes = ('<->' => 'vector_l2_ops', '<=>' => 'vector_cosine_ops', '<#>' => 'vector_ip_ops', '<+>' => 'vector_l1_ops');
my @ops = ('<->', '<=>', '<#>', '<+>');
my $rows = 2000;

# Kinds of vectors: plain; of one value; far from the origin; and of extreme size, equal or zero among plain ones.
my %kinds = (
	plain => 'vec(i, 24)',
	constant => 'array_fill((i % 97)::real, ARRAY[24])::vector',
	offset => '(vec(i, 24) + array_fill(1000::real, ARRAY[24])::vector)',
	integers => "(SELECT array_agg((hashint4(i * 100 + d) % 4)::real) FROM generate_series(1, 24) d)::vector",
	mixed => "CASE i % 7 WHEN 0 THEN array_fill(1e18::real, ARRAY[24])::vector WHEN 1 THEN array_fill(1e-30::real, ARRAY[24])::vector
		WHEN 2 THEN vec(3, 24) WHEN 3 THEN array_fill(0::real, ARRAY[24])::vector WHEN 4 THEN vec(i, 24) * array_fill(1e15::real, ARRAY[24])::vector
		WHEN 5 THEN vec(i, 24) * array_fill(1e-20::real, ARRAY[24])::vector ELSE vec(i, 24) END");

foreach my $kind (sort keys %kinds)
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, embedding vector(24));
		INSERT INTO t SELECT i, $kinds{$kind} FROM generate_series(1, $rows) i; ANALYZE t;");
	foreach my $op (@ops)
	{
		# (1-bit codes of vectors that differ by little of their size, or by all of it, say nothing.)
		foreach my $quantization (grep { $kind eq 'plain' || $_ eq 'sq8' || $_ eq 'sq4' || ($_ eq 'bits' && $kind eq 'integers' || $_ eq 'rabitq') && $kind ne 'mixed' && ($kind ne 'offset' || $op ne '<#>') } quantizations($op))
		{
			my $name = "$kind $op $quantization";
			# Queries: 20 of the rows and 10 others.  Ranks are compared by distance, so ties may stand in either order.
			my $side = sub {
				my ($k) = @_;
				"SELECT q.i, n.distance, n.id, row_number() OVER (PARTITION BY q.i) AS rank FROM queries q CROSS JOIN LATERAL
					(SELECT id, embedding $op q.v AS distance FROM t ORDER BY embedding $op q.v LIMIT $k) n";
			};
			my ($rc, $out, $err) = $node->psql('postgres', "SET client_min_messages = warning;
				DROP INDEX IF EXISTS t_idx;
				" . create_index(table => 't', class => $classes{$op}, with => "quantization = $quantization") . ";
				CREATE TEMP TABLE queries AS SELECT id AS i, embedding AS v FROM t WHERE id % 100 = 5
					UNION ALL SELECT 1000000 + i, vec(50000000 + i, 24) FROM generate_series(1, 10) i;
				SET enable_indexscan = off;
				CREATE TEMP TABLE exact AS " . $side->(60) . ";
				SET enable_indexscan = on; SET enable_seqscan = off; " . search_wide() . "
				CREATE TEMP TABLE full_width AS " . $side->(60) . ";
				RESET hnsw.ef_search; RESET ivfflat.probes;
				CREATE TEMP TABLE adaptive AS " . $side->(10) . ";
				SET hnsw.adaptive_beam = off;
				CREATE TEMP TABLE short AS " . $side->(10) . ";
				CREATE TEMP TABLE long AS " . $side->(30) . ";
				SELECT count(*) FROM exact e FULL JOIN full_width w USING (i, rank)
					WHERE e.distance IS DISTINCT FROM w.distance AND NOT (e.distance = 'NaN' OR e.i IS NULL AND w.distance = 'NaN')
						AND NOT (w.i IS NULL AND '$op' = '<=>');
				SELECT count(*) FROM short s LEFT JOIN long l USING (i, rank) WHERE s.distance IS DISTINCT FROM l.distance;
				SELECT abs(count(a.i) - count(s.i)) + count(a.i) - count(DISTINCT (a.i, a.id)) + count(*) FILTER (WHERE a.distance < e.distance)
					FROM adaptive a FULL JOIN short s USING (i, rank) LEFT JOIN exact e USING (i, rank);
				SELECT count(*) - count(DISTINCT (i, id)) FROM full_width;
				SELECT count(*) FROM full_width w JOIN (SELECT i, max(distance) AS last FROM exact GROUP BY i) e USING (i)
					WHERE w.distance > e.last;");
			is($rc, 0, "$name: no error") or diag $err;
			my ($wrong, $no_prefix, $adaptive, $twice, $farther) = split /\n/, $out;
			# With 1-bit codes a row may be passed over (of 30 queries' 60).
			if ($quantization =~ /rabitq|bits/) { cmp_ok($farther, '<=', 36, "$name: a wide search finds 98 of 100 rows"); }
			else { is($wrong, 0, "$name: a wide search is exact"); }
			is($adaptive, 0, "$name: as many rows, none twice and none too near, however a search ends");
			is($no_prefix, 0, "$name: LIMIT 10 is the beginning of LIMIT 30");
			is($twice, 0, "$name: no row comes twice");
		}
	}
}
log_is_clean($node);
$node->stop;
done_testing();
