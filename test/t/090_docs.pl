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
# what the documents name is there
my %known = map { (split / /)[-1] => 1 } @names, split /\n/, $node->safe_psql('postgres', "SELECT 'c ' || relname FROM pg_class");
foreach my $file (@files)
{
	my @unknown = grep { !$known{$_} } slurp_file($file) =~ /\b(?!vectorext\.(?:control|so|sql)\b)((?:vectorext_|(?:hnsw|ivfflat|vectorext)\.)[a-z_]+[a-z])\b/g;
	is(join(' ', @unknown), '', "$file: names that there are");
}
done_testing();
