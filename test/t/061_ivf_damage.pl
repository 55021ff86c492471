# Each field of each structure of an ivfflat index, damaged: the checker finds it, and whoever uses the index is told or
# not harmed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;
use Damage;

my $node = new_server('main', 'shared_buffers = 16MB', 'fsync = off', 'restart_after_crash = on');
my $none = 0xFFFFFFFF;
my %kind = (list => 8, centroid => 9, entries => 10, vectors => 11, mean => 12, groups => 13, codes => 14);

# Slot 0 of the first page of a kind; of entries pages: one in use with entries, of vectors pages: one with a row.
sub slot_at
{
	my ($f, $kind) = @_;
	foreach my $at (map { block_of($_) + 24 } pages_of($f, $kind{$kind}))
	{
		next if $kind eq 'entries' && (get($f, $at + 8, 'Q') != 0 || get($f, $at + 24, 'V') == 0);
		next if $kind eq 'vectors' && get($f, $at + 6, 'v') == 0;
		return $at;
	}
	die "no page of $kind";
}
# Offsets of an entry: those of its block from 24 on. Row 0 of a block that has one.
sub at { my ($kind, $offset, $as, $value) = @_; return sub { my ($f) = @_; put($f, slot_at($f, $kind) + $offset, $as, $value) }; }
sub at_page { my ($kind, $offset, $as, $value) = @_; return sub { my ($f) = @_; put($f, slot_at($f, $kind) - 24 + $offset, $as, $value) }; }
sub own_block { my ($f, $kind) = @_; return int(slot_at($f, $kind) / 8192); }

my @meta = (
	[ 'magic', at_meta(0, 'V', 1), qr/another magic number/ ],
	[ 'version', at_meta(4, 'V', 77), qr/another version/ ],
	[ 'dimensions', at_meta(8, 'V', 80), qr/another layout|other dimensions/ ],
	[ 'element', at_meta(12, 'C', 2), qr/another operator class/ ],
	[ 'metric', at_meta(13, 'C', 2), qr/another operator class/ ],
	[ 'quantization', at_meta(14, 'C', 1), qr/another layout/ ],
	[ 'lists', at_meta(16, 'V', 5000), qr/page of a list is missing|out of range/ ],
	[ 'no lists', at_meta(16, 'V', 0), qr/out of range/ ],
	[ 'bits', at_meta(20, 'V', 128), qr/another layout/ ],
	[ 'code_bytes', at_meta(24, 'V', 9), qr/another layout/ ],
	[ 'blocks_per_page', at_meta(28, 'V', 9), qr/another layout/ ],
	[ 'first_list', at_meta(32, 'V', 900000), qr/out of range/ ],
	[ 'first_list of another kind', sub { my ($f) = @_; put($f, META + 32, 'V', own_block($f, 'vectors')) }, qr/page of a list is missing/ ],
	[ 'first_centroid', sub { my ($f) = @_; put($f, META + 36, 'V', own_block($f, 'vectors')) }, qr/page of a centroid is missing/ ],
	[ 'first_mean', at_meta(40, 'V', 900000), qr/out of range/ ],
	[ 'first_mean of another kind', sub { my ($f) = @_; put($f, META + 40, 'V', own_block($f, 'vectors')) }, qr/another kind/ ],
	[ 'free_entries', at_meta(44, 'V', 900000), qr/free entries pages leads to no page/ ],
	[ 'free_vectors', sub { my ($f) = @_; put($f, META + 48, 'V', own_block($f, 'list')) }, qr/free vectors pages leads to no page/ ],
	[ 'rows', at_meta(60, 'V', 0x7FF80000), qr/out of range/ ],
	[ 'more rows than there can be', at_meta(60, 'V', 0x7FE00000), qr/out of range/ ],
	calibrations(),
	[ 'attributes', at_meta(15, 'C', 1), qr/another layout|attributes are not those/ ],
	[ 'kind of an attribute', at_meta(64, 'C', 1), qr/attributes are not those/ ],
	[ 'reserved', at_meta(104, 'V', 1), qr/reserved is not zero/ ],
);
my @pages = (
	[ 'pd_lower', at_page('vectors', 12, 'v', 100), qr/pd_lower is not at the end of a slot/ ],
	[ 'page_id', at_page('vectors', 8191, 'C', 0), qr/none of this access method/ ],
	[ 'kind', at_page('entries', 8188, 'v', 11), qr/./ ],
	[ 'listed', at_page('entries', 8190, 'C', 1), qr/marked as listed, but no list/ ],
	[ 'next_free', sub { my ($f) = @_; my ($b) = grep { get($f, block_of($_) + 8190, 'C') == 1 } pages_of($f, 11); put($f, block_of($b) + 8184, 'V', $b) }, qr/returns to a page/ ],
	[ 'a page of zeros', sub { my ($f) = @_; substr($f->{data}, slot_at($f, 'entries') - 24, 8192) = "\0" x 8192 }, qr/leads to no page of entries/ ],
	[ 'the file cut short', sub { my ($f) = @_; substr($f->{data}, -3 * 8192) = '' }, qr/leads to no page|is missing/ ],
);
my @lists = (
	[ 'head', at('list', 0, 'V', 900000), qr/leads to no page of entries/ ],
	[ 'no head', at('list', 0, 'V', $none), qr/not in the chain of its list/ ],
	[ 'insert', at('list', 4, 'V', 0), qr/not in the chain of its list/ ],
	[ 'roomy', at('list', 8, 'V', 0), qr/stack of a list leads to no page/ ],
	[ 'run', at('list', 12, 'V', 0xFFFFFF00), qr/longer than the index/ ],
	[ 'norm_sq', at('list', 16, 'f', 1e9), qr/norm of a list/ ],
	[ 'scale', at('list', 20, 'f', 3), qr/scale of a list/ ],
	[ 'centroid: step', at('centroid', 4, 'V', 0x7FC00000), qr/no numbers/ ],
	[ 'centroid: a byte', sub { my ($f) = @_; flip($f, slot_at($f, 'centroid') + 25, 'C') }, qr/centroid is not valid/ ],
	[ 'mean', at('mean', 0, 'V', 0x7FC00000), qr/mean is no number/ ],
	[ 'another mean', at('mean', 0, 'f', 1000), qr/norm of a list/ ],
);
my @entries = (
	[ 'list', at('entries', 0, 'V', 1234567), qr/of no list|another list/ ],
	[ 'another list', sub { my ($f) = @_; my $at = slot_at($f, 'entries'); put($f, $at, 'V', (get($f, $at, 'V') + 1) % 4) }, qr/chain of another list/ ],
	[ 'next', at('entries', 4, 'V', 900000), qr/leads to no page of entries/ ],
	[ 'a ring', sub { my ($f) = @_; put($f, slot_at($f, 'entries') + 4, 'V', own_block($f, 'entries')) }, qr/in two places/ ],
	[ 'freed', at('entries', 8, 'V', 5), qr/freed page has entries/ ],
	[ 'freed in the future', at('entries', 12, 'V', 5), qr/freed in the future/ ],
	[ 'empty', at('entries', 16, 'V', 9), qr/impossible header/ ],
	[ 'reserved', at('entries', 20, 'V', 9), qr/impossible header/ ],
	[ 'live', at('entries', 24, 'V', 0), qr/no entry in any list/ ],
	[ 'vector past the end', at('entries', 28, 'V', 9000000), qr/no page of rows/ ],
	[ 'vector of none', at('entries', 28, 'V', $none), qr/no page of rows/ ],
	[ 'vector twice', sub { my ($f) = @_; my $at = slot_at($f, 'entries'); put($f, $at + 28, 'V', get($f, $at + 32, 'V')) }, qr/two entries have one row/ ],
	[ 'add', at('entries', 24 + 132, 'f', 1e9), qr/1-bit code is not/ ],
	[ 'scale', at('entries', 24 + 260, 'v', 0x4000), qr/1-bit code is not/ ],
	[ 'error', at('entries', 24 + 324, 'v', 0x4000), qr/1-bit code is not/ ],
	[ 'code', sub { my ($f) = @_; my $at = slot_at($f, 'entries') + 24 + 388; flip($f, $at + 16 * $_, 'C') foreach 0 .. 15 }, qr/1-bit code is not/ ],
);
my @vectors = (
	[ 'tid', at('vectors', 4, 'v', 0), qr/no row pointer/ ],
	[ 'tid of a page to be added', at('vectors', 0, 'V', 0xFFFFFFFF), qr/in the index, but not in the table/, qr/pointer to row \(4294967295,/ ],
	[ 'tid of no row', at('vectors', 0, 'V', 0x00800000), qr/in the index, but not in the table/ ],
	[ 'tid of another', sub { my ($f) = @_; my $at = slot_at($f, 'vectors'); substr($f->{data}, $at, 6) = substr($f->{data}, $at + 8 + 88, 6) }, qr/in the index twice/ ],
	[ 'flags', at('vectors', 6, 'v', 7), qr/impossible flags/ ],
	[ 'flags of a free slot', at('vectors', 6, 'v', 0), qr/leads to a free slot/ ],
	[ 'lo', at('vectors', 8, 'f', 1e20), qr/code is not that of row/ ],
	[ 'sum', at('vectors', 16, 'V', 1), qr/sums are not/ ],
	[ 'residual', at('vectors', 24, 'f', 100), qr/code is not that of row/ ],
	[ 'a byte', sub { my ($f) = @_; flip($f, slot_at($f, 'vectors') + 40, 'C') }, qr/sums are not/ ],
);

# Attributes: behind the 1-bit codes, at 644 in a block of 64 dimensions, each a word of NULLs and 32 values.
my $column = 24 + 644;
my @attributes = (
	attribute_heads(64),
	[ 'number', at('entries', $column + 4, 'Q', 999999), qr/column 2 is not that of row/ ],
	[ 'hash', at('entries', $column + 260 + 4, 'Q', 1), qr/column 3 is not that of row/ ],
	[ 'null', at('entries', $column, 'V', 1), qr/column 2 is not that of row/ ],
	[ 'another null', sub { my ($f) = @_; flip($f, slot_at($f, 'entries') + $column + 260, 'C') }, qr/column 3 is not that of row/ ],
);

# Groups of lists: from 2,000 lists on.
my @groups = (
	[ 'how many', at_meta(52, 'V', 5), qr/groups have not all lists/ ],
	[ 'none', at_meta(52, 'V', 0), qr/out of range/ ],
	[ 'more than lists', at_meta(52, 'V', 30000), qr/out of range/ ],
	[ 'first_group', at_meta(96, 'V', 900000), qr/out of range/ ],
	[ 'first_group of another kind', sub { my ($f) = @_; put($f, META + 96, 'V', own_block($f, 'vectors')) }, qr/page of a group is missing/ ],
	[ 'no first_group_code', at_meta(100, 'V', 0), qr/out of range/ ],
	[ 'first_group_code of another kind', sub { my ($f) = @_; put($f, META + 100, 'V', own_block($f, 'vectors')) }, qr/page of the codes of a group is missing/ ],
	[ 'first list', at('groups', 0, 'V', 7), qr/other lists than those that follow/ ],
	[ 'lists', at('groups', 4, 'V', 1), qr/other lists than those that follow/ ],
	[ 'too many lists', at('groups', 4, 'V', 0xFFFFFFFF), qr/other lists than those that follow/ ],
	[ 'centre: step', at('groups', 8 + 4, 'V', 0x7FC00000), qr/centre of a group is not valid/ ],
	[ 'centre: a byte', sub { my ($f) = @_; flip($f, slot_at($f, 'groups') + 8 + 25, 'C') }, qr/centre of a group is not valid/ ],
	[ 'add', at('codes', 0, 'V', 0x7FC00000), qr/code of a centroid in its group is not/ ],
	[ 'scale', at('codes', 128, 'v', 0x4000), qr/code of a centroid in its group is not/ ],
	[ 'code', sub { my ($f) = @_; my $at = slot_at($f, 'codes') + 256; flip($f, $at + 16 * $_, 'C') foreach 0 .. 15 }, qr/code of a centroid in its group is not/ ],
);

my $make = q{
	CREATE TABLE T (id int, v vector(64)); INSERT INTO T SELECT id, v FROM some_rows;
	CREATE INDEX T_idx ON T USING ivfflat (v vector_l2_ops) WITH (lists = 4, quantization = rabitq);
	INSERT INTO T SELECT 1000 + id, v FROM some_rows WHERE id <= 20;
	DELETE FROM T WHERE id BETWEEN 20 AND 25; VACUUM T};
(my $bits = $make) =~ s/rabitq/bits/;
(my $plain = $make) =~ s/rabitq/none/;
my $grouped = q{
	CREATE TABLE T (id int, v vector(64)); INSERT INTO T SELECT id, v FROM many_rows;
	CREATE INDEX T_idx ON T USING ivfflat (v vector_l2_ops) WITH (lists = 2200)};
(my $filtered = $make) =~ s/vector_l2_ops/vector_l2_ops, id, (id::text)/;

my $probe = q{
	SET enable_seqscan = off;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 10) s;
	SET ivfflat.probes = 4;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 1000) s;
	SET ivfflat.recall_target = 0.9;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 10) s;
	RESET ivfflat.recall_target;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> NULL LIMIT 1000) s;
	SELECT count(*) FROM (SELECT 1 FROM T WHERE id < 50 AND id::text = '7' ORDER BY v <-> (SELECT v FROM T LIMIT 1)) s;
	INSERT INTO T SELECT 5000 + id, v FROM T LIMIT 20;
	DELETE FROM T WHERE id % 2 = 0;
	VACUUM T;
	INSERT INTO T SELECT 7000 + id, v FROM T LIMIT 20;
	SELECT count(*) FROM vectorext_index_stats('T_idx');
	SELECT vectorext_prewarm('T_idx');
	SELECT vectorext_calibrate('T_idx');
};
$node->safe_psql('postgres', 'CREATE TABLE some_rows AS SELECT i AS id, vec(i, 64) AS v FROM generate_series(1, 150) i');
$node->safe_psql('postgres', 'CREATE TABLE many_rows AS SELECT i AS id, vec(i, 64) AS v FROM generate_series(1, 2400) i');
damage_all($node, {
	r => [ $make, @meta, @pages, @lists, @entries, @vectors ],
	a => [ $filtered, @attributes ],
	g => [ $grouped, @groups ],
	b => [ $bits, @entries[9 .. 15] ],
	n => [ $plain, [ 'an element', at('vectors', 8, 'f', 0.125), qr/code is not that of row/ ],
		[ 'an infinite element', at('vectors', 8, 'V', 0x7F800000), qr/is no number/ ] ] }, $probe);
$node->stop;
done_testing();
