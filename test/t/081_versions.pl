# A library that meets an index of an older or newer format says so and asks for REINDEX; VACUUM of its table goes on.
# The extension comes to the present version from the oldest by ALTER EXTENSION UPDATE.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main');
make_items($node, 1, 200);
my %using = (hnsw => 'hnsw (embedding vector_l2_ops)', ivfflat => 'ivfflat (embedding vector_l2_ops) WITH (lists = 3)');
$node->safe_psql('postgres', "CREATE INDEX items_$_ ON items USING $using{$_}") foreach sort keys %using;

# The metapage's struct begins after the page header: magic number, then version, 4 bytes each.
my $version_at = 24 + 4;
sub add_to_version
{
	my ($am, $by) = @_;
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('items_$am')");
	stop_to_change_files($node);
	my $bytes = slurp_file($path);
	my $version = unpack('L', substr($bytes, $version_at, 4));
	substr($bytes, $version_at, 4) = pack('L', $version + $by);
	open my $f, '>:raw', $path or die $!;
	print $f $bytes;
	close $f;
	$node->start;
	return $version;
}

foreach my $am (sort keys %using)
{
	foreach my $by (1, -1)
	{
		cmp_ok(add_to_version($am, $by), '<', 1000, "$am: the field that is changed is a version");
		my $other = $am eq 'hnsw' ? 'ivfflat' : 'hnsw';
		my ($rc, undef, $err) = $node->psql('postgres', "BEGIN; DROP INDEX items_$other; SET enable_seqscan = off;
			SELECT id FROM items ORDER BY embedding <-> vec(7) LIMIT 3");
		isnt($rc, 0, "$am, version $by: a scan fails");
		like($err, qr/$am index "items_$am" is not valid\s.*another version.*REINDEX/s, 'and says what to do');
		($rc, undef, $err) = $node->psql('postgres', "INSERT INTO items VALUES (1000, vec(1000))");
		like($err, qr/is not valid.*another version.*REINDEX/s, 'so does an insert');
		($rc, undef, $err) = $node->psql('postgres', "BEGIN; DELETE FROM items WHERE id = 200; COMMIT; VACUUM items");
		is($rc, 0, 'VACUUM of the table does its work');
		like($err, qr/WARNING:.*another version/s, 'with a warning');
		$node->safe_psql('postgres', "REINDEX INDEX items_$am; INSERT INTO items VALUES (200, vec(200))");
		is($node->safe_psql('postgres', "BEGIN; DROP INDEX items_$other; SET enable_seqscan = off;
			SELECT id FROM items ORDER BY embedding <-> vec(7) LIMIT 1"), '7', 'after REINDEX it is used again');
	}
}

# Every version that has a script leads to the present one.
my $present = $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = 'vectorext'");
my @versions = split /\n/, $node->safe_psql('postgres', "SELECT version FROM pg_available_extension_versions WHERE name = 'vectorext'");
foreach my $from (@versions)
{
	(my $db = "from_$from") =~ s/\W/_/g;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "CREATE EXTENSION vectorext VERSION '$from'; ALTER EXTENSION vectorext UPDATE");
	is($node->safe_psql($db, "SELECT extversion FROM pg_extension WHERE extname = 'vectorext'"), $present, "from $from to $present");
	my $objects = "SELECT pg_describe_object(classid, objid, 0) FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
		AND d.deptype = 'e' AND e.extname = 'vectorext' ORDER BY 1";
	is($node->safe_psql($db, $objects), $node->safe_psql('postgres', $objects), 'with the same objects as a new one');
}
log_is_clean($node);
$node->stop;
done_testing();
