# Every SQL statement of README.md and docs/*.md is run, in order, in a database of its own per file.
#   ```sql                  must succeed
#   ```sql fails            must raise an error
#   <!-- sql ... -->        runs too, and is not shown: tables that a text takes for granted
#   ```sql not run: why     is left out, with the reason
# And docs/reference.md names all that there is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

my $root = "$FindBin::RealBin/../..";
my $node = new_server('main', 'shared_buffers = 64MB', 'maintenance_work_mem = 128MB', 'max_prepared_transactions = 2');
# texts show plans: they are to be those of the index, whatever the sizes of tables made up for them
my @files = ("$root/README.md", sort glob("$root/docs/*.md"));

# The blocks of a file: [line, how, SQL].
sub blocks
{
	my ($file) = @_;
	my (@blocks, $open);
	my $n = 0;
	foreach my $line (split /\n/, slurp_file($file))
	{
		$n++;
		if (defined $open)
		{
			if ($line =~ /^\s*(```|-->)\s*$/) { push @blocks, $open; undef $open; }
			else { $open->[2] .= "$line\n"; }
		}
		elsif ($line =~ /^\s*```sql\b *(.*?)\s*$/) { $open = [ $n, $1 || 'succeeds', '' ]; }
		elsif ($line =~ /^<!-- sql\s*$/) { $open = [ $n, 'succeeds', '' ]; }
	}
	die "$file: a block is not closed" if defined $open;
	return @blocks;
}

foreach my $file (@files)
{
	my ($name) = $file =~ m{([^/]+)\.md$};
	my @blocks = blocks($file);
	next unless @blocks;
	my $db = "docs_" . lc($name =~ s/\W/_/gr);
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	my $own = grep { $_->[2] =~ /CREATE EXTENSION (vectorext|vector);/ } @blocks;
	my $script = $own ? '' : "CREATE EXTENSION vectorext;\n";
	my $ran = 0;
	foreach my $b (@blocks)
	{
		my ($line, $how, $sql) = @$b;
		if ($how =~ /^not run: (.+)/) { note "$name line $line is not run: $1"; next; }
		die "$file line $line: \"sql $how\"" unless $how =~ /^(succeeds|fails)$/;
		$ran++;
		$script .= $how eq 'fails'
		  ? "\\unset ON_ERROR_STOP\n$sql\n\\if :ERROR\n\\else\n\\warn line $line: this should be an error\n\\endif\n\\set ON_ERROR_STOP 1\n"
		  : "\\set at $line\n$sql\n";
	}
	my ($rc, $out, $err) = $node->psql($db, $script, on_error_stop => 1, timeout => 120);
	my @unexpected = grep { /this should be an error/ } split /\n/, $err;
	ok($rc == 0 && !@unexpected, "$name: $ran blocks") or diag $err;
}

# ---- the reference is complete ------------------------------------------------------------------------
my $reference = slurp_file("$root/docs/reference.md");
my @names = split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT kind || ' ' || name FROM (
		SELECT CASE d.classid WHEN 'pg_proc'::regclass THEN 'function' WHEN 'pg_type'::regclass THEN 'type' WHEN 'pg_operator'::regclass THEN 'operator'
				WHEN 'pg_opclass'::regclass THEN 'operator class' WHEN 'pg_am'::regclass THEN 'access method' WHEN 'pg_class'::regclass THEN 'view' END AS kind,
			CASE d.classid WHEN 'pg_proc'::regclass THEN (SELECT proname FROM pg_proc WHERE oid = d.objid)
				WHEN 'pg_type'::regclass THEN (SELECT typname FROM pg_type WHERE oid = d.objid AND typname !~ '^_' AND typrelid = 0)
				WHEN 'pg_operator'::regclass THEN (SELECT oprname FROM pg_operator WHERE oid = d.objid)
				WHEN 'pg_opclass'::regclass THEN (SELECT opcname FROM pg_opclass WHERE oid = d.objid)
				WHEN 'pg_am'::regclass THEN (SELECT amname FROM pg_am WHERE oid = d.objid)
				WHEN 'pg_class'::regclass THEN (SELECT relname FROM pg_class WHERE oid = d.objid) END AS name
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		WHERE e.extname = 'vectorext' AND d.deptype = 'e') s
	WHERE name IS NOT NULL AND kind IS NOT NULL});
cmp_ok(scalar @names, '>', 150, 'the catalogs tell what there is');
push @names, split /\n/, $node->safe_psql('postgres', q{
	LOAD 'vectorext';
	SELECT 'setting ' || name FROM pg_settings WHERE name ~ '^(hnsw|ivfflat|vectorext)\.'});
my @missing = grep { my ($n) = /([^ ]+)$/; $reference !~ /`[^`]*(?<![\w<>=#~%+*\/-])\Q$n\E(?![\w<>=#~%+*\/-])[^`]*`/ } @names;
is(join("\n", @missing), '', 'docs/reference.md names every object and setting');

# ---- and says of each what is so: ranges and defaults of settings and options, arguments and columns of functions
# The cells of the line of a table that begins with this name.
sub row_of
{
	my ($name) = @_;
	my ($line) = $reference =~ /^\| (`\Q$name\E(?:\(.*?)?` \|.*)$/m or return;
	return map { s/^\s+|\s+$//gr } split /(?<!\\)\|/, $line;
}
sub words { return join ' ', $_[0] =~ /`(\w+)`/g }

my @wrong;
foreach my $setting (split /\n/, $node->safe_psql('postgres', q{
	LOAD 'vectorext';
	SELECT name || '|' || CASE WHEN enumvals IS NULL THEN min_val || ' to ' || max_val ELSE array_to_string(enumvals, ' ') END || '|' || boot_val
	FROM pg_settings WHERE name ~ '^(hnsw|ivfflat|vectorext)\.'}))
{
	my ($name, $range, $default) = split /\|/, $setting;
	my (undef, $says_range, $says_default) = row_of($name);
	push @wrong, "$name: $range" unless $range eq ($says_range =~ /`/ ? words($says_range) : $says_range);
	push @wrong, "$name: $default" unless $says_default =~ /^`?\Q$default\E(?![\w.])/;
}
is(join("\n", @wrong), '', 'ranges and defaults of settings');

@wrong = ();
$node->safe_psql('postgres', 'CREATE TABLE o (v vector(64), b bit(8), s sparsevec(4))');
# An index with an option of no possible value: the DETAIL has the possible ones.
sub possible
{
	my ($method, $option) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "CREATE INDEX ON o USING $method (v vector_l2_ops) WITH ($option = 999999)");
	return $err =~ /Valid values are between "(\d+)" and "(\d+)"/ ? "$1 to $2" : join ' ', ($err =~ /DETAIL:(.*)/)[0] =~ /"(\w+)"/g;
}
my %stated;
while ($reference =~ /^\| `(\w+)` \| (hnsw|ivfflat) \| (.*?) \| (.*?) \|$/mg)
{
	my ($option, $method, $range, $default) = ($1, $2, $3, $4);
	my $is = possible($method, $option);
	$stated{$method}{$option} = $default;
	push @wrong, "$method, $option: $is" unless $is eq ($range =~ /`/ ? words($range) : $range =~ s/,.*//r);
}
is(join("\n", @wrong), '', 'ranges of options');
is(join(' ', map { join ',', $_, sort keys %{ $stated{$_} } } sort keys %stated), 'hnsw,ef_construction,m,quantization ivfflat,lists,quantization',
	'options of both access methods');
foreach my $method (sort keys %stated)
{
	$node->safe_psql('postgres', "SET client_min_messages = error; CREATE INDEX o_$method ON o USING $method (v vector_l2_ops)");
	foreach my $option (sort keys %{ $stated{$method} })
	{
		# an empty table gets one list, whatever is said
		next if $option eq 'lists';
		is($stated{$method}{$option} =~ s/^`?(\w+).*/$1/r, $node->safe_psql('postgres', "SELECT value FROM vectorext_index_stats('o_$method') WHERE name = '$option'"),
			"the default of $option of $method");
	}
}

@wrong = ();
my $functions = 0;
foreach my $function (split /\n/, $node->safe_psql('postgres', q{
	SELECT proname || '|' || pronargs || '|' || pronargdefaults || '|'
		|| coalesce((SELECT string_agg(proargnames[i], ' ' ORDER BY i) FROM generate_subscripts(proargmodes, 1) i WHERE proargmodes[i] IN ('o', 't')), '')
	FROM pg_proc WHERE proname ~ '^vectorext_' AND proname NOT IN ('vectorext_ball', 'vectorext_within')}))
{
	my ($name, $arguments, $defaults, $columns) = split /\|/, $function, -1;
	my ($call, @cells) = row_of($name);
	$functions++;
	if (!defined $call) { push @wrong, "$name has no line of its own"; next; }
	my ($list) = $call =~ /\((.*)\)/;
	my @listed = split /,/, $list;
	push @wrong, "$name has $arguments arguments" unless @listed == $arguments;
	push @wrong, "$name has $defaults defaults" unless (() = $list =~ /DEFAULT/g) == $defaults;
	push @wrong, map { "$name: column $_" } grep { "@cells" !~ /\b$_\b/ } split / /, $columns;
}
cmp_ok($functions, '>', 8, 'functions that look at indexes');
is(join("\n", @wrong), '', 'arguments and columns of functions');
my (undef, $view) = row_of('vectorext_indexes');
is(join(' ', grep { $view !~ /\b$_\b/ } split /\n/, $node->safe_psql('postgres', q{SELECT attname FROM pg_attribute WHERE attrelid = 'vectorext_indexes'::regclass AND attnum > 0})),
	'', 'columns of the view');

# ---- what the documents name is there
my %known = map { (split / /)[-1] => 1 } @names, split /\n/, $node->safe_psql('postgres', "SELECT 'c ' || relname FROM pg_class");
foreach my $file (@files)
{
	my @unknown = grep { !$known{$_} } slurp_file($file) =~ /\b(?!vectorext\.(?:control|so|sql)\b)((?:vectorext_|(?:hnsw|ivfflat|vectorext)\.)[a-z_]+[a-z])\b/g;
	is(join(' ', @unknown), '', "$file: names that there are");
}
done_testing();
