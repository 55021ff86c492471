# Crashes at seeded random moments under inserts, updates, deletes, vacuums, builds and REINDEX CONCURRENTLY by four
# clients. After each the checker must be content, every committed row must be found by a search for its own vector, and
# recall must be that of a fresh index.
package CrashCampaign;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use VectorExt;

our @EXPORT = qw(campaign);

# What the clients do, over and over until the server goes away.
my @clients = (
	q{DO $$ BEGIN FOR i IN 1 .. 1000000 LOOP
		INSERT INTO items (id, embedding) SELECT nextval('ids'), vec((random() * 1e6)::bigint, 16) FROM generate_series(1, 1 + i % 4);
		IF i % 7 = 0 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END $$},
	q{DO $$ BEGIN FOR i IN 1 .. 1000000 LOOP
		UPDATE items SET embedding = CASE WHEN i % 3 = 0 THEN embedding ELSE vec((random() * 1e6)::bigint, 16) END, n = n + 1
			WHERE id IN (SELECT id FROM items OFFSET (random() * 500)::int LIMIT 2);
		COMMIT; END LOOP; END $$},
	q{DO $$ BEGIN FOR i IN 1 .. 1000000 LOOP
		DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY id OFFSET (random() * 300)::int LIMIT 8); COMMIT;
		PERFORM pg_sleep(0.01); END LOOP; END $$},
	undef);
my @maintenance = ('VACUUM items', 'VACUUM items', 'VACUUM items', 'REINDEX INDEX CONCURRENTLY items_idx',
	'DROP INDEX IF EXISTS other_idx', 'CREATE INDEX other_idx ON items USING', 'VACUUM items', 'REINDEX INDEX items_idx');

sub maintenance
{
	my ($random) = @_;
	my ($using) = create_index() =~ /USING (.*)/;
	return map { my $s = $maintenance[ int($random->() * @maintenance) ]; $s =~ s/USING$/USING $using/; ("$s", 'SELECT pg_sleep(0.02)') } 1 .. 200;
}

# campaign(rounds => ..., seed => ...)
sub campaign
{
	my (%o) = @_;
	my $state = $o{seed};
	# The generator of POSIX's rand(): the same on every machine.
	my $random = sub { $state = ($state * 1103515245 + 12345) % 2147483648; return ($state >> 8) / 8388608; };
	my $node = new_server('main', 'max_wal_size = 1GB', 'checkpoint_timeout = 30s', 'max_connections = 20', 'log_statement = none',
		'restart_after_crash = on', 'wal_consistency_checking = all', 'shared_buffers = 8MB');
	$node->safe_psql('postgres', q{
		CREATE TABLE items (id int, n int DEFAULT 0, embedding vector(16)); CREATE SEQUENCE ids START 1001;
		INSERT INTO items SELECT i, 0, vec(i, 16) FROM generate_series(1, 600) i;} . create_index());
	my ($crashes, $errors, $missing, $worst) = (0, 0, 0, 0);
	foreach my $round (1 .. $o{rounds})
	{
		$node->safe_psql('postgres', 'DROP INDEX IF EXISTS other_idx; DO $$ DECLARE i regclass; BEGIN
			FOR i IN SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid LOOP EXECUTE format(\'DROP INDEX %s\', i); END LOOP; END $$;
			DELETE FROM items WHERE id NOT IN (SELECT id FROM items ORDER BY random() LIMIT 900)');
		my @sessions = map { defined $_ ? background($node, "SELECT setseed(" . $random->() . ")", $_)
			: background($node, maintenance($random)) } @clients;
		sleep 0.3 + $random->() * ($o{seconds} // 1.5);
		# A backend that is killed takes the others with it.
		my $pid = $random->() < 0.4 ? $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
			AND pid <> pg_backend_pid() AND state = 'active' ORDER BY md5(pid::text || $round) LIMIT 1") : '';
		if ($pid eq '')
		{
			$node->stop('immediate');
			$node->start;
		}
		else
		{
			kill 'KILL', $pid;
			finish($_) foreach @sessions;
			# (A client that is refused does not read a script from a pipe: IPC::Run would die of that.)
			sleep 0.1 until finish(background($node, 'SELECT 1')) == 0;
		}
		finish($_) foreach @sessions;
		$crashes++;
		my @found = check_round($node, "round $round", $random);
		$errors += $found[0];
		$missing += $found[1];
		$worst = $found[2] if $found[2] > $worst;
		last if $errors + $missing > 0 && !$ENV{VECTOREXT_GO_ON};
	}
	is($errors, 0, access_method() . ": the checker finds nothing after $crashes crashes");
	is($missing, 0, access_method() . ': every committed row is found');
	cmp_ok($worst, '<=', 0.01, access_method() . ': recall is that of a fresh index');
	note sprintf('= %s: %d crashes, seed %d, %d errors, %d rows missing, recall at most %.4f below that of a fresh index',
		access_method(), $crashes, $o{seed}, $errors, $missing, $worst);
	my @bad = grep { /PANIC|TRAP|leak|inconsistent page|signal 11|signal 6/ } split /\n/, log_of($node);
	is(join("\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)]), '', access_method() . ': the log tells of no crash but ours');
	$node->stop;
	return;
}

# Errors of the checker, rows that are not found, and what recall lacks.
sub check_round
{
	my ($node, $name, $random) = @_;
	my $found = '';
	$found .= $node->safe_psql('postgres', check_index_sql($_)) foreach split /\n/, $node->safe_psql('postgres',
		"SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'items'::regclass AND indisvalid");
	diag "$name: $found" if $found ne '';
	my ($narrow, $missing) = misses_by_width($node);
	diag "$name: $missing rows are not found" if $missing;
	my $lacks = 0;
	if ($random->() < 0.2)
	{
		my $recall = recall($node, dims => 16);
		my $fresh = recall($node, dims => 16, before => 'REINDEX INDEX items_idx;');
		$lacks = sprintf '%.4f', $fresh - $recall;    # neither has more digits
		diag "$name: recall $recall, of a fresh index $fresh" if $lacks > 0.01;
	}
	return ($found eq '' ? 0 : 1, $missing, $lacks);
}

1;
