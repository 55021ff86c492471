# Each field of each structure of an hnsw index, damaged: the checker finds it, and whoever uses the index is told or
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

# ---- where things are
sub slot_bytes { my ($f) = @_; return get($f, META + 24, 'V'); }
sub per_page { my ($f) = @_; return get($f, META + 28, 'v'); }
sub node_at { my ($f, $number) = @_; return block_of(int($number / per_page($f))) + 24 + get($f, META + 88, 'V') + $number % per_page($f) * slot_bytes($f); }
sub numbers
{
	my ($f) = @_;
	return map { my $b = $_; map { $b * per_page($f) + $_ } 0 .. per_page($f) - 1 } pages_of($f, 1);
}
# The first node for which a test holds.
sub some
{
	my ($f, $test) = @_;
	my @found = grep { local $_ = node_at($f, $_); $test->($_) } numbers($f);
	die 'no such node' unless @found;
	return $found[0];
}
sub live { my ($f, $level) = @_; return some($f, sub { get($f, $_, 'v') + get($f, $_ + 4, 'v') > 0 && get($f, $_ + 6, 'C') == 1 && (!defined $level || get($f, $_ + 7, 'C') == $level) }); }
sub live_at { return node_at($_[0], live(@_)); }
sub links_at { my ($f) = @_; return live_at($f, 0) + 28 + get($f, META + 20, 'V'); }
# The first slot in use on pages of links (kind 2, 3) or postings (4).
sub slot_at
{
	my ($f, $kind) = @_;
	my $bytes = $kind == 4 ? (get($f, META + 15, 'C') == 2 ? 112 : 128) : int((12 + ($kind == 2 ? 8 : 4) * get($f, META + 16, 'v') + 7) / 8) * 8;
	foreach my $block (pages_of($f, $kind))
	{
		foreach my $i (0 .. int(8160 / $bytes) - 1)
		{
			my $at = block_of($block) + 24 + $i * $bytes;
			return $at if get($f, $at + 8, 'C') == 1;
		}
	}
	die "no slot of kind $kind";
}
sub first_sketch { my ($f) = @_; return block_of((pages_of($f, 1))[0]) + 24; }
sub second_sketch { my ($f) = @_; return first_sketch($f) + get($f, META + 88, 'V') / get($f, META + 15, 'C'); }
# The first page of a kind that is in no list, if there is such a page.
sub page_of { my ($f, $kind) = @_; my @pages = pages_of($f, $kind); return block_of(((grep { get($f, block_of($_) + 8190, 'C') == 0 } @pages), @pages)[0]); }

sub at_node { my ($offset, $as, $value, $level) = @_; return sub { my ($f) = @_; put($f, live_at($f, $level) + $offset, $as, $value) }; }
sub at_sketch { my ($offset, $as, $value) = @_; return sub { my ($f) = @_; put($f, first_sketch($f) + $offset, $as, $value) }; }
sub at_slot { my ($kind, $offset, $as, $value) = @_; return sub { my ($f) = @_; put($f, slot_at($f, $kind) + $offset, $as, $value) }; }
sub at_page { my ($kind, $offset, $as, $value) = @_; return sub { my ($f) = @_; put($f, page_of($f, $kind) + $offset, $as, $value) }; }

my @meta = (
	[ 'magic', at_meta(0, 'V', 1), qr/another magic number/ ],
	[ 'version', at_meta(4, 'V', 77), qr/another version/ ],
	[ 'dimensions', at_meta(8, 'V', 9), qr/out of range|another layout|other dimensions/ ],
	[ 'element', at_meta(12, 'C', 2), qr/of another operator class|out of range/ ],
	[ 'no element', at_meta(12, 'C', 99), qr/codec is not known/ ],
	[ 'metric', at_meta(13, 'C', 4), qr/of another operator class/ ],
	[ 'codec', at_meta(14, 'C', 3), qr/out of range|another layout/ ],
	[ 'm', at_meta(16, 'v', 5), qr/another layout/ ],
	[ 'ef_construction', at_meta(18, 'v', 60000), qr/out of range/ ],
	[ 'no ef_construction', at_meta(18, 'v', 0), qr/out of range/ ],
	[ 'code_bytes', at_meta(20, 'V', 4), qr/out of range/ ],
	[ 'slot_bytes', at_meta(24, 'V', 8), qr/another layout/ ],
	[ 'slots_per_page', at_meta(28, 'v', 1), qr/another layout/ ],
	[ 'links_inline', at_meta(30, 'v', 0), qr/another layout/ ],
	[ 'entry past the end', at_meta(32, 'V', 4000000), qr/entry point is no node/ ],
	[ 'no entry', at_meta(32, 'V', $none), qr/below the level of this node|level of no entry point|not lead/ ],
	[ 'entry of level 0', sub { my ($f) = @_; put($f, META + 32, 'V', live($f, 0)) }, qr/entry point is of another level/ ],
	[ 'entry_level', at_meta(36, 'V', 1000), qr/out of range/ ],
	[ 'entry_level too high', at_meta(36, 'V', 9), qr/entry point is of another level/ ],
	[ 'free pages of nodes', at_meta(44, 'V', 0), qr/nodes, leads to no page of its kind/ ],
	[ 'free pages of links', at_meta(52, 'V', 90000), qr/upper_links, leads to no page of its kind/ ],
	[ 'free pages of postings', at_meta(56, 'V', 1), qr/postings, leads to no page of its kind/ ],
	[ 'salt', at_meta(60, 'V', 12345), qr/another one's mark/ ],
	[ 'passed pages of nodes', at_meta(68, 'V', 5000), qr/nodes, leads to no page of its kind/ ],
	[ 'passed pages of links', at_meta(76, 'V', 1), qr/upper_links, leads to no page of its kind/ ],
	[ 'passed large nodes', at_meta(84, 'V', 5000), qr/large nodes, leads to no page of its kind/ ],
	[ 'sketch_bytes', at_meta(88, 'V', 16), qr/another layout/ ],
	[ 'a growth that is possible', at_meta(92, 'f', 0.25), undef ],
	[ 'growth', at_meta(92, 'f', -1), qr/out of range/ ],
	[ 'growth without bound', at_meta(92, 'f', 1e30), qr/out of range/ ],
	[ 'growth that is no number', at_meta(92, 'f', 'NaN'), qr/out of range/ ],
	[ 'free_large', at_meta(64, 'V', 5000), qr/large nodes, leads to no page of its kind/ ],
	calibrations(),
);
my @pages = (
	[ 'pd_lower', at_page(1, 12, 'v', 100), qr/pd_lower is not at the end of a slot/ ],
	[ 'pd_upper', at_page(1, 14, 'v', 8176), qr/pd_upper|pd_lower/ ],
	[ 'pd_special', sub { my ($f) = @_; put($f, page_of($f, 1) + 14, 'v', 8176); put($f, page_of($f, 1) + 16, 'v', 8176); }, qr/another layout/ ],
	[ 'pd_prune_xid', at_page(1, 20, 'V', 7), qr/to prune at/ ],
	[ 'page_id', at_page(1, 8191, 'C', 0), qr/none of this access method/ ],
	[ 'kind', at_page(1, 8188, 'v', 4), qr/./ ],
	[ 'no kind', at_page(1, 8188, 'v', 44), qr/unknown kind/ ],
	[ 'listed', at_page(1, 8190, 'C', 1), qr/marked as listed, but no list/ ],
	[ 'listed twice over', at_page(1, 8190, 'C', 9), qr/may or may not/ ],
	[ 'next_free', at_page(1, 8184, 'V', 1), qr/in no list .* but leads to another/ ],
	[ 'a list that returns', sub { my ($f) = @_; my ($b) = grep { get($f, block_of($_) + 8190, 'C') == 1 } pages_of($f, 4); put($f, block_of($b) + 8184, 'V', $b) }, qr/returns to a page/ ],
	[ 'a page of zeros', sub { my ($f) = @_; substr($f->{data}, page_of($f, 1), 8192) = "\0" x 8192 }, qr/no page of nodes/ ],
	[ 'the file cut short', sub { my ($f) = @_; substr($f->{data}, -8192) = '' }, qr/does not exist|leads to no page/ ],
	[ 'the file cut to nothing', sub { my ($f) = @_; $f->{data} = '' }, qr/no metapage/ ],
);
my @nodes = (
	[ 'tid', at_node(4, 'v', 0), qr/live node without rows|not in the index/ ],
	[ 'tid of a page to be added', at_node(0, 'V', 0xFFFFFFFF), qr/in the index, but not in the table/, qr/pointer to row \(4294967295,/ ],
	[ 'tid of no row', at_node(0, 'V', 0x00800000), qr/in the index, but not in the table/ ],
	[ 'tid of another', sub { my ($f) = @_; put($f, live_at($f, 0) + 4, 'v', get($f, live_at($f, 1) + 4, 'v')) }, qr/in the index twice/ ],
	[ 'flags', at_node(6, 'C', 6), qr/impossible flags/ ],
	[ 'flags of a free slot', at_node(6, 'C', 0, 0), qr/leads to a freed node/ ],
	[ 'a dead node with a row', at_node(6, 'C', 3), qr/a dead node has rows/ ],
	[ 'level', at_node(7, 'C', 200), qr/impossible level/ ],
	[ 'level too high', at_node(7, 'C', 2, 0), qr/without its upper links|entry point is below/ ],
	[ 'level too low', at_node(7, 'C', 0, 1), qr/level 0 has upper links/ ],
	[ 'mark', at_node(8, 'V', 1), qr/another one's mark/ ],
	[ 'generation', at_node(12, 'V', 0), qr/no generation/ ],
	[ 'generation too large', at_node(12, 'V', 0x80000001), qr/generation is out of range/ ],
	[ 'upper', at_node(16, 'V', 50000, 1), qr/upper links is broken/ ],
	[ 'upper of another', sub { my ($f) = @_; my @n = grep { get($f, node_at($f, $_) + 16, 'V') != $none && get($f, node_at($f, $_) + 6, 'C') == 1 } numbers($f); put($f, node_at($f, $n[0]) + 16, 'V', get($f, node_at($f, $n[1]) + 16, 'V')) }, qr/upper links is broken/ ],
	[ 'posting', at_node(20, 'V', 60000), qr/chunk of rows that does not exist/ ],
	[ 'link_count', at_node(24, 'v', 99, 0), qr/too many links/ ],
	[ 'lo', at_node(28, 'V', 0x7FC00000), qr/no numbers/ ],
	[ 'step', at_node(32, 'f', -1), qr/no numbers/ ],
	[ 'sum', at_node(36, 'V', 5), qr/sums are not/ ],
	[ 'sum_sq', at_node(40, 'V', 5), qr/sums are not/ ],
	[ 'residual', at_node(44, 'f', 0), qr/code is not that of row/ ],
	[ 'residual infinite', at_node(44, 'V', 0x7F800000), qr/code is not that of row/ ],
	[ 'a byte of a code', sub { my ($f) = @_; flip($f, live_at($f, 0) + 50, 'C') }, qr/sums are not/ ],
	[ 'the code of another', sub { my ($f) = @_; substr($f->{data}, live_at($f, 0) + 28, 28) = substr($f->{data}, live_at($f, 1) + 28, 28) }, qr/code is not that of row/ ],
	[ 'a link past the end', sub { my ($f) = @_; put($f, links_at($f), 'V', 3000000) }, qr/no page of nodes/ ],
	[ 'a link to the metapage', sub { my ($f) = @_; put($f, links_at($f), 'V', 0) }, qr/no page of nodes/ ],
	[ 'a link to itself', sub { my ($f) = @_; put($f, links_at($f), 'V', live($f, 0)) }, qr/links to itself/ ],
	[ 'a link twice', sub { my ($f) = @_; put($f, links_at($f), 'V', get($f, links_at($f) + 4, 'V')) }, qr/another twice/ ],
	[ 'transaction id of a free slot', sub { my ($f) = @_; my $n = some($f, sub { get($f, $_ + 6, 'C') == 0 && get($f, $_ + 12, 'V') > 0 }); put($f, node_at($f, $n) + 4, 'v', 9) }, qr/freed in the future/ ],
);
my @rows = (
	[ 'links: node', at_slot(3, 0, 'V', 70000), qr/upper links is broken/ ],
	[ 'links: above', at_slot(3, 4, 'V', 90000), qr/longer than its level|upper links is broken/ ],
	[ 'links: flags', at_slot(3, 8, 'C', 3), qr/impossible flags/ ],
	[ 'links: flags of a free slot', at_slot(3, 8, 'C', 0), qr/upper links is broken/ ],
	[ 'links: level', at_slot(3, 9, 'C', 40), qr/impossible level/ ],
	[ 'links: count', at_slot(3, 10, 'v', 500), qr/row of links is too long/ ],
	[ 'links: a link', at_slot(3, 12, 'V', 3000000), qr/no page of nodes/ ],
	[ 'postings: node', at_slot(4, 0, 'V', 60000), qr/not its own/ ],
	[ 'postings: next', at_slot(4, 4, 'V', 99999), qr/does not exist/ ],
	[ 'postings: a ring', sub { my ($f) = @_; my $at = slot_at($f, 4); my $b = int($at / 8192); put($f, $at + 4, 'V', $b * 63 + ($at - $b * 8192 - 24) / 128) }, qr/in two places/ ],
	[ 'postings: flags', at_slot(4, 8, 'C', 0), qr/not its own/ ],
	[ 'postings: count', at_slot(4, 9, 'C', 99), qr/too long/ ],
	[ 'postings: uniform', at_slot(4, 10, 'C', 7), qr/impossible header/ ],
	[ 'postings: fingerprint', at_slot(4, 124, 'V', 0), qr/different vectors/ ],
	[ 'postings: tid', at_slot(4, 16, 'v', 0), qr/invalid row pointer/, qr/pointer to row \(\d+,0\)/ ],
);

# Small slots of many levels, rows of one vector, and a freed slot; some pages have no room and are in no list.
my $make = q{
	CREATE TABLE T (id int, v vector(8)); INSERT INTO T SELECT id, v FROM some_rows;
	INSERT INTO T SELECT 1000 + o.id, s.v FROM some_rows o, some_rows s WHERE o.id <= 40 AND s.id = 7;
	CREATE INDEX T_idx ON T USING hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 20);
	DELETE FROM T WHERE id = 20; VACUUM T};

# Runs of slots: a map in slot 0, links in front of the codes.
my $sparse = q{
	CREATE TABLE T (id int, v sparsevec(500));
	INSERT INTO T SELECT i, format('{%s:%s,%s:2,%s:-1.5}/500', 1 + i % 90, i, 100 + i % 13, 300 + i)::sparsevec FROM generate_series(1, 150) i;
	CREATE INDEX T_idx ON T USING hnsw (v sparsevec_l2_ops) WITH (m = 4, ef_construction = 20)};
sub map_at { my ($f) = @_; return page_of($f, 1) + 24; }
sub run_code { my ($f) = @_; return page_of($f, 1) + 24 + 32 + 28 + 8 * get($f, META + 16, 'v'); }
my @runs = (
	[ 'map: slot 0', sub { my ($f) = @_; put($f, map_at($f), 'C', get($f, map_at($f), 'C') | 1) }, qr/map of runs is not valid/ ],
	[ 'map: slot 1', sub { my ($f) = @_; put($f, map_at($f), 'C', get($f, map_at($f), 'C') & ~2) }, qr/map of runs is not valid/ ],
	[ 'map: slot 255', sub { my ($f) = @_; put($f, map_at($f) + 31, 'C', get($f, map_at($f) + 31, 'C') | 128) }, qr/map of runs is not valid/ ],
	[ 'map: a start inside a run', sub { my ($f) = @_; put($f, map_at($f), 'C', get($f, map_at($f), 'C') | 4) }, qr/longer than its run/ ],
	[ 'map: all starts', sub { my ($f) = @_; substr($f->{data}, map_at($f), 32) = "\xFF" x 32 }, qr/map of runs is not valid/ ],
	[ 'map: no starts', sub { my ($f) = @_; substr($f->{data}, map_at($f), 32) = "\0" x 32 }, qr/map of runs is not valid/ ],
	[ 'code: count', sub { my ($f) = @_; put($f, run_code($f), 'v', 60000) }, qr/longer than its run|too many elements/ ],
	[ 'code: nnz', sub { my ($f) = @_; put($f, run_code($f) + 2, 'v', 60000) }, qr/too many elements/ ],
	[ 'code: width', sub { my ($f) = @_; put($f, run_code($f) + 4, 'C', 9) }, qr/header is not valid|longer than its run/ ],
	[ 'code: zero', sub { my ($f) = @_; flip($f, run_code($f) + 5, 'C') }, qr/sum is not/ ],
	[ 'code: step', sub { my ($f) = @_; put($f, run_code($f) + 8, 'f', 1e30) }, qr/code is not that of row/ ],
	[ 'code: size', sub { my ($f) = @_; put($f, run_code($f) + 12, 'V', 1) }, qr/sum is not/ ],
	[ 'code: residual', sub { my ($f) = @_; put($f, run_code($f) + 16, 'f', 1e9) }, qr/code is not that of row/ ],
	[ 'code: gap', sub { my ($f) = @_; put($f, run_code($f) + 20, 'v', 65535) }, qr/beyond its dimensions|code is not that of row/ ],
	[ 'flags', sub { my ($f) = @_; put($f, page_of($f, 1) + 24 + 32 + 6, 'C', 1 + 4) }, qr/impossible flags/ ],
	[ 'link_count', sub { my ($f) = @_; put($f, page_of($f, 1) + 24 + 32 + 24, 'v', 900) }, qr/too many links/ ],
);

# Links of level 0 in pages of their own.
my $wide = q{
	CREATE TABLE T (id int, v vector(2000)); INSERT INTO T SELECT i, vec(i, 2000) FROM generate_series(1, 12) i;
	CREATE INDEX T_idx ON T USING hnsw (v vector_l2_ops) WITH (m = 30, ef_construction = 60, quantization = none)};
my @base = (
	[ 'base: node', at_slot(2, 0, 'V', 70000), qr/level 0 that are not its own/ ],
	[ 'base: above', at_slot(2, 4, 'V', 3), qr/leads to a further one/ ],
	[ 'base: flags', at_slot(2, 8, 'C', 0), qr/level 0 that are not its own/ ],
	[ 'base: level', at_slot(2, 9, 'C', 1), qr/impossible level/ ],
	[ 'base: count', at_slot(2, 10, 'v', 500), qr/row of links is too long/ ],
	[ 'base: a link', at_slot(2, 12, 'V', 3000000), qr/no page of nodes/ ],
	[ 'base: number', sub { my ($f) = @_; put($f, live_at($f) + 28 + 8000, 'V', 90000) }, qr/level 0 that are not its own/ ],
	[ 'base: no number', sub { my ($f) = @_; put($f, live_at($f) + 28 + 8000, 'V', $none) }, qr/without links, whose insert has failed/ ],
	[ 'code: an infinite element', sub { my ($f) = @_; put($f, live_at($f) + 28, 'V', 0x7F800000) }, qr/is no number/ ],
	[ 'code: another element', sub { my ($f) = @_; put($f, live_at($f) + 28, 'f', 0.123) }, qr/code is not that of row/ ],
);

# Of the other codecs only the code.
my $packed = $make;
$packed =~ s/ef_construction = 20/ef_construction = 20, quantization = sq4/;
my @packed = (
	[ 'code: sum', at_node(36, 'V', 5), qr/sums are not/ ],
	[ 'code: nibbles', sub { my ($f) = @_; flip($f, live_at($f, 0) + 49, 'C') }, qr/sums are not/ ],
	[ 'code: step', at_node(32, 'f', 1e9), qr/code is not that of row/ ],
);

# Attributes of a node's row, and of one in a chunk of rows.
(my $filtered = $make) =~ s/vector_l2_ops/vector_l2_ops, id, (id::text)/;
my @attributes = (
	attribute_heads(96),
	[ 'number', at_node(28, 'Q', 999999), qr/column 2 is not that of row/ ],
	[ 'hash', at_node(36, 'Q', 1), qr/column 3 is not that of row/ ],
	[ 'null', at_node(26, 'v', 1), qr/column 2 is not that of row/ ],
	[ 'sketch: base', at_sketch(0, 'Q', 1 << 40), qr/leave out a node/ ],
	[ 'sketch: shift', at_sketch(12, 'C', 77), qr/sketch of an attribute is not valid/ ],
	[ 'sketch: a smaller shift', sub { my ($f) = @_; my $at = second_sketch($f) + 12; put($f, $at, 'C', get($f, $at, 'C') - 1) }, qr/leave out a node/ ],
	[ 'sketch: reserved', at_sketch(13, 'C', 1), qr/sketch of an attribute is not valid/ ],
	[ 'sketch: code', sub { my ($f) = @_; my $n = live($f, 0); put($f, block_of(int($n / per_page($f))) + 24 + 16 + $n % per_page($f), 'C', 253) }, qr/leave out a node/ ],
	[ 'sketch: code of a node with further rows', sub { my ($f) = @_; my $n = some($f, sub { get($f, $_ + 6, 'C') == 1 && get($f, $_ + 20, 'V') != $none }); put($f, block_of(int($n / per_page($f))) + 24 + 16 + $n % per_page($f), 'C', 0) }, qr/leave out a node/ ],
	[ 'sketch: behind the last code', sub { my ($f) = @_; put($f, second_sketch($f) - 1, 'C', 1) }, qr/sketch of an attribute is not valid/ ],
	[ 'of a further row', sub { my ($f) = @_; put($f, slot_at($f, 4) + 12 + 8, 'Q', 999999) }, qr/column 2 is not that of row/ ],
);

my $probe = q{
	SET enable_seqscan = off;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 10) s;
	SET hnsw.ef_search = 1000;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 1000) s;
	SET hnsw.recall_target = 0.9;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> (SELECT v FROM T LIMIT 1) LIMIT 10) s;
	RESET hnsw.recall_target;
	SELECT count(*) FROM (SELECT 1 FROM T ORDER BY v <-> NULL LIMIT 1000) s;
	SELECT count(*) FROM (SELECT 1 FROM T WHERE id < 50 AND id::text = '7' ORDER BY v <-> (SELECT v FROM T LIMIT 1)) s;
	INSERT INTO T SELECT 5000 + id, v FROM T LIMIT 20;
	INSERT INTO T SELECT id, v FROM T WHERE id = 1;
	DELETE FROM T WHERE id % 2 = 0;
	VACUUM T;
	INSERT INTO T SELECT 7000 + id, v FROM T LIMIT 20;
	SELECT count(*) FROM vectorext_index_stats('T_idx');
	SELECT vectorext_prewarm('T_idx');
	SELECT vectorext_calibrate('T_idx');
};
$node->safe_psql("postgres", "CREATE TABLE some_rows AS SELECT i AS id, vec(i, 8) AS v FROM generate_series(1, 300) i");
damage_all($node, { h => [ $make, @meta, @pages, @nodes, @rows ], s => [ $sparse, @runs ], w => [ $wide, @base ], p => [ $packed, @packed ], a => [ $filtered, @attributes ] }, $probe);
$node->stop;
done_testing();
