# bench/report --html: a page of one index and one of a comparison; both are whole without anything else, and a browser
# shows them, where there is one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $root = "$FindBin::RealBin/../..";
plan skip_all => 'there is no python3' if system('python3 -c "import json" 2>/dev/null') != 0;
plan skip_all => 'bench is not here' unless -f "$root/bench/report";
my $node = new_server('main', 'shared_buffers = 32MB');
my $dir = PostgreSQL::Test::Utils::tempdir();
make_items($node, 1, 2000, dims => 16);
$node->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING hnsw (embedding vector_l2_ops)');

sub report
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'python3', "$root/bench/report", @arguments ], '<', \undef, '>', \$out, '2>', \$err);
	return ($ok, $out . $err);
}

my $index_page = "$dir/index.html";
my ($ok, $said) = report('--index', 'items_idx', '--samples', '10', '--html', $index_page, '--', '-d', $node->connstr('postgres'));
ok($ok, 'a page of an index') or diag $said;
($ok, $said) = report('--index', 'items_pkey', '--html', "$dir/none.html", '--', '-d', $node->connstr('postgres'));
like($said, qr/items_pkey is not an index of vectorext/, 'not of any index');

my $ivf_page = "$dir/ivf.html";
$node->safe_psql('postgres', 'DROP INDEX items_idx; CREATE INDEX items_ivf ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 60)');
($ok, $said) = report('--index', 'items_ivf', '--samples', '10', '--html', $ivf_page, '--', '-d', $node->connstr('postgres'));
ok($ok, 'a page of an index with lists') or diag $said;

# a comparison of two engines, as bench/run leaves it
mkdir "$dir/run";
append_to_file("$dir/run/results.json", q{{"title": "rows <of> two", "machine": "a machine", "settings": "m = 16", "command": "bench/run", "warnings": ["noisy"],
	"tables": {"sweep": [
		{"ef_construction": 64, "engine": "vectorext", "LIMIT": 10, "clients": 1, "knob": "ef", "value": 20, "recall": 0.91, "QPS": [3000, 3100]},
		{"ef_construction": 64, "engine": "vectorext", "LIMIT": 10, "clients": 1, "knob": "ef", "value": 80, "recall": 0.98, "QPS": [1500, 1400]},
		{"ef_construction": 64, "engine": "pgvector", "LIMIT": 10, "clients": 1, "knob": "ef", "value": 40, "recall": 0.92, "QPS": [700, 710]},
		{"ef_construction": 64, "engine": "pgvector", "LIMIT": 10, "clients": 1, "knob": "ef", "value": 80, "recall": null, "QPS": null}],
	"build": [{"ef_construction": 64, "engine": "vectorext", "workers": 0, "s": [3.0, 3.2], "bytes a row": 591},
		{"ef_construction": 64, "engine": "pgvector", "workers": 0, "s": [9.0], "bytes a row": 2048}],
	"recall": [{"engine": "vectorext", "recall": 0.95, "QPS": [2000], "times pgvector": [3.1]}]}}});
my $run_page = "$dir/run.html";
($ok, $said) = report("$dir/run", '--html', $run_page);
ok($ok, 'a page of a comparison') or diag $said;

my %shows = ($index_page => [ 'Recall at 10 and time of a search', 'Recall by effort', 'Nodes by level', 'Where the bytes are' ],
	$ivf_page => [ 'Recall at 10 and time of a search', 'Recall by effort', 'Lists by size', 'Where the bytes are' ],
	$run_page => [ 'Recall and speed: ef_construction 64, LIMIT 10, clients 1', 'Build: ef_construction 64, workers 0', 'Size: ef_construction 64, workers 0' ]);
my ($browser) = grep { defined } map { my $b = $_; (grep { -x "$_/$b" } split /:/, $ENV{PATH}) ? $b : undef } qw(chromium-headless-shell chromium chromium-browser google-chrome chrome);
note $browser ? "screenshots by $browser" : "no screenshots: apt-get install chromium-headless-shell";
foreach my $page ($index_page, $ivf_page, $run_page)
{
	my $text = slurp_file($page);
	my ($name) = $page =~ m{([^/]+)$};
	like($text, qr/aria-label="\Q$_\E"/, "$name shows: $_") foreach @{ $shows{$page} };
	cmp_ok(scalar(() = $text =~ /<(?:circle|rect) /g), '>=', 6, "$name has points and bars");
	unlike($text, qr/NaN|\binf\b|None/, "$name has no broken number");
	unlike($text, qr/(?:src|href)=|url\(|<script|\@import/, "$name needs nothing else");
	my @open = $text =~ /<(svg|figure|table|p|h[123])\b/g;
	my @close = $text =~ m{</(svg|figure|table|p|h[123])>}g;
	is(scalar @open, scalar @close, "$name: what is opened is closed");
  SKIP:
	{
		skip 'there is no Chromium: apt-get install chromium-headless-shell', 2 unless $browser;
		my @run = ($browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', "--user-data-dir=$dir/profile", '--window-size=1240,1600');
		my ($out, $err) = ('', '');
		IPC::Run::run([ @run, '--dump-dom', "file://$page" ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(90));
		like($out, qr/aria-label="\Q$shows{$page}[0]\E"/, "$name: the browser reads it");
		IPC::Run::run([ @run, "--screenshot=$dir/$name.png", "file://$page" ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(90));
		cmp_ok(-s "$dir/$name.png" // 0, '>', 20000, "$name: a screenshot");
	}
}
done_testing();
