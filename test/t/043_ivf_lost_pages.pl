# Pages of an ivfflat index that a crash has left without a list: vacuum finds them, and they are used again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

access_method('ivfflat');
use constant { PAGE => 8192, HEADER => 24, TAIL => 8, ENTRIES => 10, VECTORS => 11 };
my $node = new_server('main', 'autovacuum = off');
make_items($node, 1, 3000, dims => 64);
$node->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 10)');
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('items_idx')");
my $size = index_size($node);
stop_to_change_files($node);

# What a crash leaves between two records: a page that is all zeros, or one of a kind with nothing on it, in no list.
open(my $file, '+<:raw', $path) or die $!;
read($file, my $content, -s $path);
foreach my $kind (ENTRIES, VECTORS)
{
	my ($page) = grep { unpack('x4S', substr($_, PAGE - TAIL)) == $kind } map { substr($content, $_ * PAGE, PAGE) } 0 .. $size / PAGE - 1;
	substr($page, HEADER, PAGE - HEADER - TAIL) = "\0" x (PAGE - HEADER - TAIL);
	substr($page, PAGE - TAIL, 4) = pack('L', 0xFFFFFFFF);
	substr($page, PAGE - TAIL + 6, 1) = "\0";
	seek($file, 0, 2);
	print $file $page x 3;
}
print $file "\0" x (PAGE * 3);
close($file);

$node->start;
is(index_size($node), $size + 9 * PAGE, 'nine pages are lost');
is(misses($node, 'id % 4 = 0', dims => 64), 0, 'searches do not mind');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id = 3000; VACUUM (INDEX_CLEANUP on) items; SELECT txid_current();');
is($node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'empty pages'"), 0, 'no page is left as it was');
is($node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'free pages of entries'"), 3, 'those of entries are free');
is($node->safe_psql('postgres', "SELECT count(*) FROM vectorext_index_check('items_idx', true) WHERE severity <> 'info'"), 0, 'nothing is wrong with the index');
$node->safe_psql('postgres', 'DELETE FROM items WHERE id = 2999; VACUUM (INDEX_CLEANUP on) items');
is($node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('items_idx') WHERE name = 'free pages of entries'"), 3, 'and free once');

# Six pages of vectors have room for 400 rows of 64 dimensions and more; they are of one cluster.
$node->safe_psql('postgres', 'INSERT INTO items SELECT i, vec(40 * i, 64) FROM generate_series(10001, 10400) i');
is(index_size($node), $size + 9 * PAGE, 'they are used again');
is(misses($node, 'id > 10000 OR id % 8 = 0', dims => 64), 0, 'and every row is found');
is(duplicates($node, dims => 64), 0, 'once');
is($node->safe_psql('postgres', "SELECT count(*) FROM vectorext_index_check('items_idx', true) WHERE severity <> 'info'"), 0, 'nothing is wrong with the index');
log_is_clean($node);
$node->stop;
done_testing();
