# Functions that measure and load: that they can be interrupted, that a build tells beforehand when it will not fit, and
# that a large table is sampled.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $node = new_server('main', 'shared_buffers = 32MB');
make_items($node, 1, 30000, dims => 8);
my ($rc, $out, $err) = $node->psql('postgres', "SET maintenance_work_mem = '1MB'; " . create_index());
like($err, qr/NOTICE:  hnsw graph of about 30000 rows needs \d+ MB, maintenance_work_mem is 1 MB\n.*HINT:  SET maintenance_work_mem = '(\d+) MB'/s,
	'a build tells beforehand that it will not fit');
my ($enough) = $err =~ /SET maintenance_work_mem = '(\d+) MB'/;
($rc, $out, $err) = $node->psql('postgres', "SET maintenance_work_mem = '$enough MB'; REINDEX INDEX items_idx");
is($err, '', 'with what it asks for it fits');

# ---- a large table: queries are of some pages, the truth is of all
is($node->safe_psql('postgres', "SELECT recall > 0.9, queries, rows FROM vectorext_recall('items_idx', 10, 20)"), 't|20|30000',
	'recall over a sample of a large table');
is($node->safe_psql('postgres', "SELECT count(*) FROM vectorext_advise('items', 'embedding', trial_rows => 500) WHERE index_bytes > 30000 * 30"),
	2, 'advice from a sample is for all rows');

# ---- interrupted
foreach my $call ("vectorext_recall('items_idx', 10, 10000)", "vectorext_advise('items', 'embedding', trial_rows => 30000)")
{
	($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '300ms'; SELECT * FROM $call");
	like($err, qr/canceling statement due to statement timeout/, "$call can be cancelled");
}
# afterwards the session's planner knows all indexes again, and settings are as before
is($node->safe_psql('postgres', q{
	SET statement_timeout = '300ms';
	DO $$ BEGIN PERFORM vectorext_recall('items_idx', 10, 10000); EXCEPTION WHEN query_canceled THEN NULL; END $$;
	RESET statement_timeout;
	SET enable_seqscan = off;
	EXPLAIN (COSTS OFF) SELECT id FROM items WHERE id = 5;}), "Index Only Scan using items_pkey on items\n  Index Cond: (id = 5)",
	'an interrupted measurement leaves no trace');
is($node->safe_psql('postgres', q{
	DO $$ BEGIN PERFORM vectorext_recall('items_idx', 10, 0); EXCEPTION WHEN OTHERS THEN NULL; END $$;
	SELECT * FROM vectorext_recall('items_idx', 10, 5) WHERE queries <> 5;
	SHOW enable_seqscan;}), 'on', 'nor does a measurement change a setting');

# ---- prewarm
$node->restart;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_buffercache');
my $cached = q{SELECT count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('items_idx') AND relforknumber = 0};
is($node->safe_psql('postgres', $cached), 0, 'after a restart nothing is there');
my $pages = $node->safe_psql('postgres', "SELECT pg_relation_size('items_idx') / 8192");
is($node->safe_psql('postgres', "SELECT part, pages FROM vectorext_prewarm('items_idx') WHERE part = 'left out'; $cached"),
	"left out|0\n$pages", 'prewarm loads all of it');
$node->append_conf('postgresql.conf', 'shared_buffers = 1MB');
$node->restart;
like($node->safe_psql('postgres', "SELECT sum(pages), max(pages) FILTER (WHERE part = 'left out') > 0 FROM vectorext_prewarm('items_idx')"),
	qr/^$pages\|t$/, 'what has no room is left out');

log_is_clean($node);
done_testing();
