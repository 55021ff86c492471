# Damaging indexes on purpose: many copies of a few tables, one wrong field in the index of each, written while the
# server is stopped. vectorext_index_check has to see each; searches, inserts and vacuums have to go through or say that
# the index is corrupted, and end.
package Damage;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;

our @EXPORT = qw(damage_all attribute_heads calibrations META at_meta block_of pages_of get put flip);

use constant { BLOCK => 8192, TAIL => 8184, SLOTS => 24, META => 24 };

# What a file says at an offset, by pack's letter, and what it shall say.
my %size = (C => 1, v => 2, V => 4, f => 4, d => 8, Q => 8);
sub get { my ($f, $at, $as) = @_; return unpack $as, substr($f->{data}, $at, $size{$as}); }
sub put { my ($f, $at, $as, $value) = @_; substr($f->{data}, $at, $size{$as}) = pack $as, $value; return; }
sub flip { my ($f, $at, $as) = @_; put($f, $at, $as, get($f, $at, $as) ^ 0x55); return; }

sub at_meta { my ($offset, $as, $value) = @_; return sub { put($_[0], META + $offset, $as, $value) }; }

# What the metapage says of attributes, of which there are two; they begin at an offset.
sub attribute_heads
{
	my ($at) = @_;
	return (
		[ 'how many', at_meta(15, 'C', 1), qr/another layout|attributes are not those/ ],
		[ 'too many', at_meta(15, 'C', 9), qr/out of range/ ],
		[ 'kind', at_meta($at, 'C', 2), qr/attributes are not those/ ],
		[ 'flags', at_meta($at + 1, 'C', 1), qr/attributes are not those/ ],
		[ 'kind of one too many', at_meta($at + 8, 'C', 1), qr/attributes are not those/ ]);
}

# What the metapage says of a calibration: rows, samples, steps, then of each step its width and recall.
sub calibrations
{
	my $steps = sub {
		my @steps = @_;
		return sub {
			my ($f) = @_;
			put($f, META + 128, 'd', 300);
			put($f, META + 144, 'V', 100);
			put($f, META + 148, 'V', scalar(@steps) / 2);
			put($f, META + 152 + 4 * $_, $_ % 2 ? 'f' : 'V', $steps[$_]) foreach 0 .. $#steps;
		};
	};
	return (
		[ 'a calibration that is possible', $steps->(10, 0.5, 20, 0.875, 40, 1), undef ],
		[ 'a calibration: rows that are no number', at_meta(128, 'd', 'NaN'), qr/out of range/ ],
		[ 'a calibration: rows', at_meta(128, 'd', 1e300), qr/out of range/ ],
		[ 'a calibration: steps', at_meta(148, 'V', 13), qr/out of range/ ],
		[ 'a calibration: width', $steps->(10, 0.5, 2000000000, 1), qr/out of range/ ],
		[ 'a calibration: widths that fall', $steps->(20, 0.5, 10, 1), qr/out of range/ ],
		[ 'a calibration: recall', $steps->(10, 0.5, 20, 1.5), qr/out of range/ ],
		[ 'a calibration: recall that is no number', $steps->(10, 'NaN', 20, 1), qr/out of range/ ]);
}

sub block_of { my ($block) = @_; return $block * BLOCK; }

# The blocks of a kind of page.
sub pages_of
{
	my ($f, $kind) = @_;
	return grep { get($f, $_ * BLOCK + TAIL + 7, 'C') == 0xA7 && get($f, $_ * BLOCK + TAIL + 4, 'v') == $kind }
		0 .. length($f->{data}) / BLOCK - 1;
}

# damage_all($node, { name of a fixture => [ SQL that makes table T and index T_idx, damages ] }): a damage is [ what it
# is, sub that changes the file, pattern that one of the checker's findings matches, and perhaps one for what the probe is told ].
# `probe` is SQL that searches, inserts, deletes and vacuums a table T.
sub damage_all
{
	my ($node, $fixtures, $probe) = @_;
	my @cases;
	foreach my $fixture (sort keys %$fixtures)
	{
		my ($make, @damages) = @{ $fixtures->{$fixture} };
		my $script = '';
		foreach my $d ([ 'nothing', sub { }, undef ], @damages)
		{
			my $table = $fixture . scalar(@cases);
			push @cases, { table => $table, name => "$fixture: $d->[0]", change => $d->[1], pattern => $d->[2], said => $d->[3] };
			(my $sql = $make) =~ s/\bT(_idx)?\b/$table . ($1 \/\/ '')/ge;
			$script .= "$sql;\n";
		}
		$node->safe_psql('postgres', $script);
	}
	$_->{file} = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_->{table}_idx')") foreach @cases;
	stop_to_change_files($node);
	foreach my $case (@cases)
	{
		my $f = { data => slurp_file($case->{file}), %{ $fixtures->{layout} // {} } };
		$case->{change}->($f);
		open(my $fh, '>:raw', $case->{file}) or die $!;
		print $fh $f->{data};
		close $fh;
	}
	$node->start;
	my @found = run_all($node, \@cases,
		"SELECT severity, message FROM vectorext_index_check('T_idx', true) WHERE severity <> 'info';");
	my @used = run_all($node, \@cases, $probe);
	judge($cases[$_], $found[$_], $used[$_]) foreach 0 .. $#cases;
	log_has_no_crash($node);
	return;
}

# Runs SQL for each case, in one session; gives what it wrote, errors included.
sub run_all
{
	my ($node, $cases, $sql) = @_;
	my $script = "\\set VERBOSITY verbose\nSET statement_timeout = '20s';\n";
	foreach my $case (@$cases)
	{
		(my $own = $sql) =~ s/\bT(_idx)?\b/$case->{table} . ($1 \/\/ '')/ge;
		$script .= "\\echo >>>>\n\\warn >>>>\n$own\n";
	}
	my ($rc, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0, timeout => 200);
	my (undef, @out) = split />>>>/, $out;
	my (undef, @err) = split />>>>/, $err;
	return map { ($out[$_] // '') . ($err[$_] // 'no answer: ERROR') } 0 .. $#$cases;
}

sub judge
{
	my ($case, $found, $used) = @_;
	if (!defined $case->{pattern})
	{
		unlike($found, qr/\S/, "$case->{name}: the checker finds nothing");
	}
	else
	{
		like($found, $case->{pattern}, "$case->{name}: found");
	}
	# The executor finds out that a damaged code's bound is none.
	my @errors = grep { /(ERROR|FATAL|PANIC):|server closed|connection to server/ } split /\n/, $used;
	my @bad = grep { !/XX00[12]:|returned tuples in wrong order/ } @errors;
	is(join("\n", @bad), '', "$case->{name}: used without harm");
	like($used, $case->{said}, "$case->{name}: told") if $case->{said};
	my $hints = () = $used =~ /REINDEX the index/g;
	my $ours = grep { /XX002:/ } @errors;
	cmp_ok($hints, '>=', $ours, "$case->{name}: the errors say what to do") if $ours > 0;
	return;
}

sub log_has_no_crash
{
	my ($node) = @_;
	my @bad = grep { /PANIC|TRAP|was terminated by signal|leak/ } split /\n/, log_of($node);
	is(join("\n", @bad), '', 'the log tells of no crash');
	return;
}

1;
