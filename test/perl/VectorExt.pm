# What the TAP tests share: a server with the extension, reproducible vectors, recall, background sessions.
package VectorExt;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(access_method create_index quantizations search_narrow search_wide new_server set_up set_up_sparse make_items recall_sql
  recall misses misses_by_width duplicates answers differences differing_lines background session ask answer wait_for finish end_build
  log_of log_is_clean index_size check_index_sql index_is_whole stop_to_change_files);

# The access method that a test is about: hnsw, or what a file says that runs another one's tests again.  Searches are
# ordinary ones; narrow: rows are missed as any approximate answer may; wide: all that can be found is found.
my %methods = (
	hnsw => { ordinary => '', narrow => 'SET hnsw.ef_search = 200;',
		wide => 'SET hnsw.ef_search = 65535; SET hnsw.max_scan_tuples = 2147483647;' },
	ivfflat => { with => 'lists = 20', ordinary => 'SET ivfflat.probes = 8;', narrow => 'SET ivfflat.probes = 16;',
		wide => 'SET ivfflat.probes = 32768;' });
my $method = 'hnsw';

sub access_method
{
	($method) = @_ if @_;
	return $method;
}

# CREATE INDEX on a column; attributes: further ones; for %with see the index's options.
sub create_index
{
	my (%o) = (table => 'items', column => 'embedding', class => 'vector_l2_ops', attributes => '', with => '', @_);
	# 1-bit codes also of vectors so short that they would not have them by default
	my $bits = $method eq 'ivfflat' && $o{class} !~ /l1|bit/ && $o{with} !~ /quantization/ ? 'quantization = rabitq' : '';
	$o{with} = join ', ', grep { $_ } $o{with}, $bits;
	my $with = $o{with} =~ /lists/ ? $o{with} : join ', ', grep { $_ } $methods{$method}{with}, $o{with};
	return "CREATE INDEX $o{table}_idx ON $o{table} USING $method (" .
	  join(', ', "$o{column} $o{class}", grep { $_ } $o{attributes}) . ')' . ($with ? " WITH ($with)" : '');
}
# What the index option may be for an operator.
sub quantizations
{
	my ($op) = @_;
	return ($method eq 'hnsw' ? 'sq4' : $op ne '<+>' ? ('rabitq', 'bits') : (), 'sq8', 'none');
}
sub search_narrow { return $methods{$method}{narrow}; }
sub search_wide { return $methods{$method}{wide}; }

# SQL function vec(i, dims): the i-th vector of an endless set in 40 clusters, the same in every run.
my $setup = q{
	CREATE EXTENSION vectorext;
	CREATE FUNCTION vec(i bigint, dims int DEFAULT 32) RETURNS vector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
		SELECT array_agg((hashint8extended((i % 40) * 1009 + d, 1) / 9.3e18
			+ 0.7 * hashint8extended(i * 1009 + d, 2) / 9.3e18)::real ORDER BY d)::vector
		FROM generate_series(1, dims) d $$;
};

# A started server with the extension; further arguments are lines for postgresql.conf.
sub new_server
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', join("\n", 'autovacuum = off', 'jit = off', @conf, ''));
	$node->start;
	set_up($node);
	return $node;
}

sub set_up
{
	my ($node) = @_;
	$node->safe_psql('postgres', $setup);
	return;
}

# A function that gives the vectors of an endless set in 40 clusters, as sparse ones of 8 to 90 elements, and some of 700.
sub set_up_sparse
{
	my ($node, $name) = @_;
	$node->safe_psql('postgres', "CREATE FUNCTION $name(i bigint, dims int DEFAULT 20000) RETURNS sparsevec
			LANGUAGE sql IMMUTABLE PARALLEL SAFE" . q{ AS $$
		SELECT ('{' || string_agg(at || ':' || weight, ',') || '}/' || dims)::sparsevec FROM (
			SELECT DISTINCT ON (1) 1 + abs(hashint8extended(CASE d % 3 WHEN 0 THEN i * 1009 WHEN 1 THEN i % 40 ELSE 0 END + d % 90 * 7919, 1) % dims) AS at,
				round((0.3 + abs(hashint8extended(i * 1009 + d, 2) % 1000) / 2000.0 + (d % 3) * 0.4)::numeric, 3) AS weight
			FROM generate_series(1, CASE WHEN i % 97 = 5 THEN 700 ELSE 8 + i % 23 * 4 END) d) e $$});
	return;
}

# Table items with rows first .. last.
sub make_items
{
	my ($node, $first, $last, %o) = @_;
	my $dims = $o{dims} // 32;
	my $unlogged = $o{unlogged} ? 'UNLOGGED' : '';
	$node->safe_psql('postgres', qq{
		CREATE $unlogged TABLE items (id int PRIMARY KEY, embedding vector($dims));
		INSERT INTO items SELECT i, vec(i, $dims) FROM generate_series($first, $last) i;
		ANALYZE items;});
	return;
}

# A script whose only output is recall at k over queries that are not in the table; ties count as found.
# k rows are asked of both sides; a side that returns too few loses.
sub recall_sql
{
	my (%o) = (op => '<->', k => 10, queries => 100, dims => 32, table => 'items', @_);
	my $side = "SELECT q.i, n.distance FROM query q CROSS JOIN LATERAL (SELECT t.embedding $o{op} q.v AS distance
		FROM $o{table} t ORDER BY t.embedding $o{op} q.v LIMIT $o{k}) n";
	return qq{
		DROP TABLE IF EXISTS query, exact, through_index;
		CREATE TEMP TABLE query AS SELECT i, vec(10000000 + i, $o{dims}) AS v FROM generate_series(1, $o{queries}) i;
		SET enable_indexscan = off;
		CREATE TEMP TABLE exact AS $side;
		SET enable_indexscan = on;
		SET enable_seqscan = off;
		CREATE TEMP TABLE through_index AS $side;
		RESET enable_seqscan;
		WITH e AS (SELECT i, max(distance) AS farthest, count(*) AS rows FROM exact GROUP BY i),
			f AS (SELECT e.i, e.rows, least(e.rows, count(t.i)) AS hits
				FROM e LEFT JOIN through_index t ON t.i = e.i AND t.distance <= e.farthest GROUP BY e.i, e.rows)
		SELECT round(sum(hits) / sum(rows), 4) FROM f;};
}

sub recall
{
	my ($node, %o) = @_;
	return $node->safe_psql('postgres', $methods{$method}{ordinary} . ($o{before} // '') . "SET client_min_messages = warning;" . recall_sql(%o));
}

# Rows that match a condition and that a search for their own vector does not find: (by a narrow search; by a wide one).
sub misses_by_width
{
	my ($node, $where) = @_;
	$where //= 'true';
	my $not_found = sub {
		my ($from) = @_;
		return "SELECT i.* FROM (SELECT id, embedding FROM $from) i LEFT JOIN LATERAL
			(SELECT embedding <-> i.embedding AS distance FROM items ORDER BY embedding <-> i.embedding LIMIT 1) n ON true
			WHERE n.distance IS DISTINCT FROM 0";
	};
	return split /\n/, $node->safe_psql('postgres', "SET enable_seqscan = off; SET client_min_messages = warning;
		" . search_narrow() . "
		CREATE TEMP TABLE missed AS " . $not_found->("items WHERE $where") . ";
		SELECT count(*) FROM missed;
		" . search_wide() . "
		SELECT count(*) FROM (" . $not_found->('missed') . ") s;");
}

# How many of the rows that match a condition cannot be reached?
sub misses
{
	my ($narrow, $wide) = misses_by_width(@_);
	note "not found by an ordinary search: $narrow";
	return $wide;
}

# Rows that searches return twice.
sub duplicates
{
	my ($node, %o) = @_;
	my $dims = $o{dims} ? ", $o{dims}" : '';
	return $node->safe_psql('postgres', search_narrow() . qq{
		SET enable_seqscan = off;
		SELECT coalesce(sum(rows - ids), 0) FROM generate_series(1, 100) q, LATERAL
			(SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM
				(SELECT id FROM items ORDER BY embedding <-> (SELECT vec(20000000 + q$dims)) LIMIT 100) n) c;});
}

# The ids that a number of searches through the index return, for comparison between servers.
sub answers
{
	my ($node, %o) = (shift, queries => 50, k => 10, @_);
	my $dims = $o{dims} ? ", $o{dims}" : '';
	return $node->safe_psql('postgres', $methods{$method}{ordinary} . qq{
		SET enable_seqscan = off;
		SELECT q, array_agg(id ORDER BY distance, id) FROM generate_series(1, $o{queries}) q, LATERAL
			(SELECT id, embedding <-> vec(30000000 + q$dims) AS distance FROM items
			 ORDER BY embedding <-> vec(30000000 + q$dims) LIMIT $o{k}) n
		GROUP BY q ORDER BY q;});
}

# What two servers answer differently; nothing, if all is well.
sub differences
{
	my ($one, $other) = @_;
	return differing_lines(answers($one), answers($other));
}

sub differing_lines
{
	my ($one, $other) = map { [split /\n/] } @_;
	my @lines = grep { ($one->[$_] // '') ne ($other->[$_] // '') } 0 .. (@$one > @$other ? $#$one : $#$other);
	return join '', map { ($one->[$_] // 'nothing') . ' for ' . ($other->[$_] // 'nothing') . "\n" } @lines;
}

# A psql session of its own that runs statements (or another client program) while the test goes on.
sub background
{
	my ($node, @what) = @_;
	my @command = ref $what[0] ? @{ $what[0] }
	  : ('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', map { ('-c', $_) } @what);
	push @command, ($command[0] eq 'psql' ? '-d' : ()), $node->connstr('postgres');
	my %b = (out => '', err => '');
	$b{handle} = IPC::Run::start(\@command, '<', \undef, '>', \$b{out}, '2>', \$b{err});
	return \%b;
}

# Waits for its end; returns the exit status.  Its messages are in ->{err}.
sub finish
{
	my ($b) = @_;
	eval { $b->{handle}->finish; };
	return $b->{handle}->full_result(0) // 0;
}

# A psql session that takes one script after another: ask() does not wait, answer() does, and gives what came of it.
sub session
{
	my ($node, $sql) = @_;
	my %s = (in => '', out => '');
	$s{handle} = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>&1');
	if ($sql) { ask(\%s, $sql); answer(\%s); }
	return \%s;
}

sub ask
{
	my ($s, $sql) = @_;
	$s->{out} = '';
	$s->{in} .= "$sql;\n\\echo <done>\n";
	$s->{handle}->pump_nb;
	return;
}

# undef while the script runs, if it is not to be waited for.
sub answer
{
	my ($s, $sql, $at_once) = @_;
	ask($s, $sql) if defined $sql;
	if ($at_once) { $s->{handle}->pump_nb; }
	else { $s->{handle}->pump until $s->{out} =~ /<done>\n/; }
	return $s->{out} =~ /(.*?)\n?<done>\n/s ? $1 : undef;
}

# Waits until a query's answer is true.
sub wait_for
{
	my ($node, $query, $seconds) = @_;
	my $end = time + ($seconds // 30);
	while (time < $end)
	{
		return 1 if $node->safe_psql('postgres', $query) eq 't';
		sleep 0.05;
	}
	return 0;
}

# Cancels or terminates ($how) the leader or the workers ($who) of the build by the session 'victim' as soon as a condition on
# progress p and workers w, of whom there may be none, holds; demands that the build fails at once and leaves nobody.  One statement waits and strikes: what
# is looked for may be gone some milliseconds later.  $session, from background(), is that build.
sub end_build
{
	my ($node, $session, $how, $who, $when, $what) = @_;
	my $target = $who eq 'leader' ? 'v.pid' : 'w.pid';
	my ($rc, undef, $err) = $node->psql('postgres', qq{DO \$\$ BEGIN
		FOR i IN 1..30000 LOOP
			PERFORM pg_stat_clear_snapshot();
			PERFORM pg_${how}_backend($target) FROM pg_stat_activity v JOIN pg_stat_progress_create_index p ON p.pid = v.pid
				LEFT JOIN pg_stat_activity w ON w.leader_pid = v.pid AND w.backend_type = 'parallel worker'
				WHERE v.application_name = 'victim' AND v.backend_type = 'client backend' AND $when;
			IF FOUND THEN RETURN; END IF;
			PERFORM pg_sleep(0.002);
		END LOOP;
		RAISE 'it never came to that';
	END \$\$});
	my $begin = time;
	is($rc, 0, "$how $who: $what") or diag($err);
	isnt(finish($session), 0, 'and the build ends');
	my $level = "$how $who" eq 'terminate leader' ? 'FATAL' : 'ERROR';
	like($session->{err}, qr/$level:  (canceling statement due to user request|terminating (background worker|connection|parallel worker))/, 'with an error that says why');
	cmp_ok(time - $begin, '<', 3, 'at once');
	ok(wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker' OR application_name = 'victim'", 10), 'and nobody remains');
}

# Errors that vectorext_index_check finds in an index, one to a line; empty: none.
sub check_index_sql
{
	my ($index) = @_;
	return "SELECT severity || ' ' || coalesce(block::text, '') || ' ' || coalesce(slot::text, '') || ' ' || message
		FROM vectorext_index_check('$index', true) WHERE severity = 'error' LIMIT 20;";
}

sub index_is_whole
{
	my ($node, $name, $index) = @_;
	is($node->safe_psql('postgres', check_index_sql($index // 'items_idx')), '', "$name: the checker finds no error");
	return;
}

sub index_size
{
	my ($node, $index) = @_;
	return $node->safe_psql('postgres', "SELECT pg_relation_size('" . ($index // 'items_idx') . "')");
}

sub log_of
{
	my ($node) = @_;
	return slurp_file($node->logfile);
}

# Stops a server whose files are about to be changed behind its back.  From 18 on they have checksums unless told otherwise.
sub stop_to_change_files
{
	my ($node) = @_;
	my $checksums = $node->safe_psql('postgres', 'SHOW data_checksums');
	$node->stop;
	system_or_bail('pg_checksums', '--disable', '--no-sync', '-D', $node->data_dir) if $checksums eq 'on';
	return;
}

# No leaked resource, no crash, no corruption in the server's log.
sub log_is_clean
{
	my ($node, $name) = @_;
	my @bad = grep { /leak|PANIC|TRAP|was terminated by signal|wrong order|corrupt|inconsistent page/ } split /\n/, log_of($node);
	is(join("\n", @bad), '', $name // 'the log tells of no leak and no crash');
	return;
}

1;
