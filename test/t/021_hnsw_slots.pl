# Slots: what failed inserts leave is taken back, refilled files do not grow, vacuum in parallel and with little memory.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'max_worker_processes = 8', 'max_parallel_maintenance_workers = 2', 'min_parallel_index_scan_size = 0');
make_items($node, 1, 2000);
$node->safe_psql('postgres', q{
	INSERT INTO items SELECT 10000 + i, vec(i) FROM generate_series(1, 200) i;
	CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops);});

# Slots that look as if an insert had stopped after writing them and before its node referred to them: a free slot of
# each kind is copied from a used one, whose node lives.
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('items_idx')});
my %bytes = (3 => 80, 4 => 128);    # upper_links (m = 16), postings
sub slots
{
	my ($change) = @_;
	open my $f, '+<:raw', $file or die "$file: $!";
	my $data = do { local $/; <$f> };
	$change->(\$data);
	seek $f, 0, 0;
	print $f $data;
	close $f;
	return;
}
sub each_page
{
	my ($data, $use) = @_;
	for (my $at = 8192; $at < length $$data; $at += 8192)
	{
		my $kind = unpack 'v', substr $$data, $at + 8188, 2;
		$use->($at, $kind, $bytes{$kind}) if $bytes{$kind};
	}
	return;
}
my @orphans;
stop_to_change_files($node);
slots(sub {
	my ($data) = @_;
	each_page($data, sub {
		my ($at, $kind, $size) = @_;
		my ($used, $free);
		for (my $slot = $at + 24; $slot + $size <= $at + 8184; $slot += $size)
		{
			if (unpack 'C', substr $$data, $slot + 8, 1) { $used //= $slot } else { $free //= $slot }
		}
		return unless defined $used && defined $free;
		substr($$data, $free, $size) = substr $$data, $used, $size;
		push @orphans, $free;
	});
});
is(scalar @orphans, 2, 'there is a slot of upper_links and one of postings that no node refers to');
$node->start;
$node->safe_psql('postgres', 'DELETE FROM items WHERE id % 10 = 0; VACUUM items;');
is(misses($node), 0, 'every row is found after the vacuum');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM generate_series(1, 199) i, LATERAL
	(SELECT count(*) AS n FROM (SELECT embedding <-> vec(i) AS d FROM items ORDER BY embedding <-> vec(i) LIMIT 5) s WHERE d = 0) c
	WHERE n <> CASE WHEN i % 10 = 0 THEN 0 ELSE 2 END}), 0, 'and so are rows that share a node');
$node->stop;
my $left = 0;
slots(sub { my ($data) = @_; $left += unpack 'C', substr $$data, $_ + 8, 1 foreach @orphans; });
is($left, 0, 'vacuum has freed them, although their nodes live');
$node->start;

# A file that was emptied takes as many rows again without growing.
$node->safe_psql('postgres', 'DELETE FROM items; VACUUM items; SELECT txid_current(); VACUUM items;');
my $size = index_size($node);
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(i) FROM generate_series(1, 1700) i');
cmp_ok(index_size($node), '<=', $size, 'the file does not grow when it is filled again');

# Two indexes at once.
$node->safe_psql('postgres', 'CREATE INDEX items_ip ON items USING hnsw (embedding vector_ip_ops); DELETE FROM items WHERE id % 3 = 0;');
my (undef, undef, $said) = $node->psql('postgres', 'VACUUM (PARALLEL 2, VERBOSE) items');
like($said, qr/launched [12] parallel vacuum worker/, 'vacuum has workers for the indexes');
unlike($said, qr/ERROR|WARNING/, 'and they do not fail');
is(misses($node), 0, 'every row is found');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET hnsw.iterative_scan = relaxed_order;
	SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <#> vec(1) LIMIT 1200) s'),
	$node->safe_psql('postgres', 'SELECT least(1200, count(*)) FROM items'), 'and by the other index');

# More slots than a reachability search may keep in mind.
$node->safe_psql('postgres', q{
	CREATE TABLE many (id int, embedding vector(4));
	INSERT INTO many SELECT i, vec(i, 4) FROM generate_series(1, 140000) i;
	CREATE INDEX many_idx ON many USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 16);
	DELETE FROM many WHERE hashint4(id) % 2 = 0;});
(undef, undef, $said) = $node->psql('postgres', q{SET maintenance_work_mem = '1MB'; SET client_min_messages = debug1; VACUUM many});
like($said, qr/looking at neighbours only/, 'the reachability search is left out where memory is scarce');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SET hnsw.ef_search = 200; SELECT count(*) FROM
	(SELECT embedding AS v FROM many ORDER BY hashint4(id + 1) LIMIT 1000) q, LATERAL
	(SELECT embedding <-> q.v AS d FROM many ORDER BY embedding <-> q.v LIMIT 1) n WHERE d > 0}), 0, 'and rows are found all the same');

log_is_clean($node);
$node->stop;
done_testing();
