# No "index returned tuples in wrong order" over huge, tiny, duplicate and zero vectors: the lower bounds hold.
# 20,000 queries; VECTOREXT_QUERIES=100000 for more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $queries = $ENV{VECTOREXT_QUERIES} || 20_000;
my $node = new_server('main');
my %classes = ('<->' => 'vector_l2_ops', '<=>' => 'vector_cosine_ops', '<#>' => 'vector_ip_ops', '<+>' => 'vector_l1_ops');

# Nine kinds of vectors, and each third of one kind a second time.
$node->safe_psql('postgres', q{
	SELECT setseed(0.5);
	CREATE TABLE w (id serial PRIMARY KEY, v vector(6));
	INSERT INTO w (v) SELECT (SELECT '[' || string_agg((CASE (g + d * 0) % 9
			WHEN 0 THEN (random() - 0.5) * 1e30 WHEN 1 THEN (random() - 0.5) * 1e-30 WHEN 2 THEN 0
			WHEN 3 THEN (random() - 0.5) * 2 WHEN 4 THEN (random() - 0.5) * 6e38 WHEN 5 THEN 1e18
			WHEN 6 THEN (random() - 0.5) * 1e-44 WHEN 7 THEN floor(random() * 3) ELSE 100 + random() * 1e-3 END)::text, ',') || ']'
		FROM generate_series(1, 6) d)::vector FROM generate_series(1, 3000) g;
	INSERT INTO w (v) SELECT v FROM w WHERE id % 10 = 3;
	CREATE FUNCTION hostile(op text, n int) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE q vector; k int; total int := 0;
	BEGIN
		FOR i IN 1..n LOOP
			IF i % 3 = 0 THEN
				SELECT ('[' || string_agg(((random() - 0.5) * 10 ^ (floor(random() * 70) - 35))::text, ',') || ']')::vector
					INTO q FROM generate_series(1, 6);
			ELSE
				SELECT v INTO q FROM w WHERE id = 1 + floor(random() * 3299);
			END IF;
			EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM w ORDER BY v %s $1 LIMIT %s) s', op, (ARRAY[1, 3, 10, 40, 100])[1 + i % 5])
				INTO k USING q;
			total := total + k;
		END LOOP;
		RETURN total;
	END $$;
});

foreach my $op (sort keys %classes)
{
	foreach my $quantization ('sq8', 'sq4', 'none')
	{
		my ($rc, $out, $err) = $node->psql('postgres', "CREATE INDEX w_idx ON w USING hnsw (v $classes{$op}) WITH (quantization = $quantization);
			SET enable_seqscan = off; SET plan_cache_mode = force_custom_plan;
			SELECT hostile('$op', " . int($queries / 8) . "); DROP INDEX w_idx;");
		is($rc, 0, "$op $quantization: no error") or diag $err;
		# Every LIMIT is filled: 30.8 rows a query on average.
		cmp_ok($out, '>=', $queries / 8 * 30.7, "$op $quantization: rows came back");
	}
}
log_is_clean($node);
$node->stop;
done_testing();
