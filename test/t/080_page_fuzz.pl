# Random damage to the pages of every kind of index: scans, inserts, deletes, vacuum and the inspecting functions answer
# or raise an ERROR.  The server neither crashes nor hangs.
# 10 seconds; VECTOREXT_FUZZ_SECONDS=3600 for more, VECTOREXT_FUZZ_SEED for other damage.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use VectorExt;

my $seconds = $ENV{VECTOREXT_FUZZ_SECONDS} || 10;
my $seed = $ENV{VECTOREXT_FUZZ_SEED} || 1;
my $copies = $seconds > 60 ? 6 : 2;
my $rows = 300;
my $hang = 60;    # seconds for a statement, on a machine that has other things to do

# type, operator, a value from i, USING
my $dense = "vec(i, 24)";
my $sparse = "(SELECT '{' || string_agg(d || ':' || (i * d % 7 + 1), ',') || '}/4000' FROM (SELECT 1 + k * 97 + i % 50 AS d FROM generate_series(0, 30) k) x)::sparsevec";
my @kinds = (
	[ 'vector(24)', '<->', $dense, 'hnsw (v vector_l2_ops)' ],
	[ 'vector(24)', '<=>', $dense, 'hnsw (v vector_cosine_ops) WITH (quantization = none, m = 4)' ],
	[ 'vector(24)', '<#>', $dense, 'hnsw (v vector_ip_ops) WITH (quantization = sq4)' ],
	# links on pages of their own
	[ 'vector(1000)', '<->', "vec(i, 1000)", 'hnsw (v vector_l2_ops) WITH (m = 100, ef_construction = 200, quantization = none)' ],
	# few codes: postings
	[ 'vector(3)', '<->', "ARRAY[i % 3, i % 2, 1]::vector", 'hnsw (v vector_l2_ops)' ],
	[ 'sparsevec(4000)', '<->', $sparse, 'hnsw (v sparsevec_l2_ops)' ],
	[ 'bit(64)', '<~>', "hashint8extended(i, 5)::bit(64)", 'hnsw (v bit_hamming_ops)' ],
	[ 'vector(24)', '<->', $dense, 'ivfflat (v vector_l2_ops) WITH (lists = 5, quantization = rabitq)' ],
	[ 'vector(24)', '<=>', $dense, 'ivfflat (v vector_cosine_ops) WITH (lists = 5, quantization = bits)' ],
	[ 'halfvec(24)', '<->', "$dense\::halfvec", 'ivfflat (v halfvec_l2_ops) WITH (lists = 5, quantization = none)' ]);

my $node = new_server('main', 'fsync = off', 'max_wal_size = 4GB', 'restart_after_crash = on', "statement_timeout = '${hang}s'");
my @indexes;
foreach my $k (0 .. $#kinds)
{
	my ($type, undef, $value, $using) = @{ $kinds[$k] };
	foreach my $c (1 .. $copies)
	{
		my $table = "t_${k}_$c";
		$node->safe_psql('postgres', "CREATE TABLE $table (id int, v $type);
			INSERT INTO $table SELECT i, $value FROM generate_series(1, $rows) i; CREATE INDEX ${table}_v ON $table USING $using;
			DELETE FROM $table WHERE id % 10 = 3; VACUUM $table;");
		my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('${table}_v')");
		push @indexes, { kind => $k, table => $table, path => $path };
	}
}
my $checker = $node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE proname = 'vectorext_index_check'");
stop_to_change_files($node);
$_->{pristine} = slurp_file($_->{path}) foreach @indexes;

# A field of 1 to 8 bytes becomes random, extreme, or loses a bit.  Mostly of what is in use.
sub damage
{
	my ($bytes) = @_;
	my $pages = length($bytes) / 8192;
	for my $n (1 .. 1 + int(rand(12)))
	{
		my $page = rand() < 0.2 ? 0 : int(rand($pages));
		my $at = $page * 8192 + (rand() < 0.6 ? int(rand(400)) : int(rand(8192)));
		my $kind = int(rand(4));
		if ($kind == 0)
		{
			substr($bytes, $at, 1) = chr(ord(substr($bytes, $at, 1)) ^ (1 << int(rand(8))));
			next;
		}
		my $width = (1, 2, 4, 8)[ int(rand(4)) ];
		$at -= $at % $width;
		my $new = $kind == 1 ? join('', map { chr(int(rand(256))) } 1 .. $width)
		  : $kind == 2 ? (rand() < 0.5 ? "\xff" : "\0") x $width
		  : substr($bytes, 8 * int(rand(length($bytes) / 8)), $width);    # what stands elsewhere
		substr($bytes, $at, $width) = $new;
	}
	return $bytes;
}

sub statements
{
	my ($index) = @_;
	my ($type, $op, $value) = @{ $kinds[ $index->{kind} ] };
	my $t = $index->{table};
	(my $query = $value) =~ s/\bi\b/7/g;
	my $inspect = "SELECT count(*) FROM vectorext_index_stats('${t}_v');";
	$inspect .= "SELECT count(*) FROM vectorext_index_check('${t}_v', true);" if $checker;
	return "SET enable_seqscan = off;
		SELECT count(*) FROM (SELECT id FROM $t ORDER BY v $op ($query) LIMIT 10) s;
		SET hnsw.iterative_scan = relaxed_order; SET ivfflat.probes = 5;
		SELECT count(*) FROM (SELECT id FROM $t ORDER BY v $op ($query) LIMIT 250) s;
		INSERT INTO $t SELECT 1000 + i, $value FROM generate_series(1, 9) i;
		INSERT INTO $t SELECT 2000 + i, $value FROM generate_series(301, 304) i;
		UPDATE $t SET id = id WHERE id < 20;
		DELETE FROM $t WHERE id % 5 = 2;
		VACUUM (INDEX_CLEANUP on) $t;
		INSERT INTO $t SELECT 3000 + i, $value FROM generate_series(1, 9) i;
		SELECT count(*) FROM (SELECT id FROM $t ORDER BY v $op ($query) LIMIT 250) s;
		$inspect";
}

my ($rounds, $executions, $errors, $answered, %states) = (0, 0, 0, 0);
my @bad;
my $until = time + $seconds;
while (!$rounds || time < $until)
{
	$rounds++;
	foreach my $i (0 .. $#indexes)
	{
		srand($seed * 1_000_003 + $rounds * 1009 + $i);
		my $bytes = damage($indexes[$i]{pristine});
		open my $f, '>:raw', $indexes[$i]{path} or die $!;
		print $f $bytes;
		close $f;
	}
	$node->start;
	foreach my $i (0 .. $#indexes)
	{
		my $index = $indexes[$i];
		my $what = "seed $seed round $rounds index $i (" . $kinds[ $index->{kind} ][3] . ')';
		my ($rc, $out, $err) = $node->psql('postgres', statements($index), on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ],
			timeout => 20 * $hang, timed_out => \my $stuck);
		$executions++;
		$errors += () = $err =~ /ERROR:  /g;
		$answered += () = $out =~ /^\d+$/mg;
		$states{$1}++ while $err =~ /(?:ERROR|FATAL|PANIC):  (\w{5}):/g;
		# Of what follows from a wrong code, or row pointer, the executor alone speaks.
		my @internal = grep { /ERROR:  XX000:/ && !/returned tuples in wrong order|target block \d+\): previous segment is only/ } split /\n/, $err;
		if ($stuck || @internal || $err =~ /server closed the connection|FATAL|PANIC|57014/)
		{
			push @bad, $what;
			diag "$what:\n", join("\n", grep { /ERROR|FATAL|PANIC|closed/ } split /\n/, $err);
			$node->poll_query_until('postgres', 'SELECT true') or last;
		}
	}
	$node->stop('immediate') if @bad;
	last if @bad > 3;
	if (@bad) { $node->start; }
	$node->stop;
}
is_deeply(\@bad, [], 'no crash, no hang, and no error but those of a damaged index');
cmp_ok($errors, '>', 0, 'damage was noticed');
cmp_ok($answered, '>', 0, 'what is not damaged was answered');
note "= $executions damaged indexes in $rounds rounds, $errors errors, $answered answers";
note join ', ', map { "$_ $states{$_}" } sort keys %states;
done_testing();
