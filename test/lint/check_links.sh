#!/bin/bash
# Links of the documents lead to files that are there, and to headings that these have.
cd "$(dirname "$0")/../.." || exit 1
mapfile -t files < <(git ls-files '*.md' 2>/dev/null || true)
[[ ${#files[@]} -gt 0 ]] || mapfile -t files < <(find . -name '*.md' -not -path './build/*')
exec perl - "${files[@]}" <<'P'
use strict;
use warnings;
my $links = 0;
my $text = sub { local $/; open my $f, '<', $_[0] or die "$_[0]: $!"; return <$f> =~ s/^```.*?^```//gmsr };
my %headings;
my $has = sub {
	my ($file, $anchor) = @_;
	$headings{$file} //= { map { (lc =~ s/[`*]//gr =~ s/[^\w\- ]//gr =~ s/ /-/gr) => 1 } $text->($file) =~ /^#+ +(.*)$/mg };
	return $headings{$file}{$anchor};
};
my $bad = 0;
foreach my $file (@ARGV)
{
	my ($dir) = $file =~ m{^(.*/)} ? $1 : '';
	foreach my $link (grep { !m{^(https?|mailto):} } $text->($file) =~ /\]\(([^)\s]+)\)/g)
	{
		$links++;
		my ($path, $anchor) = split /#/, $link, 2;
		my $to = $path eq '' ? $file : "$dir$path";
		next if -e $to && (!defined $anchor || $to !~ /\.md$/ || $has->($to, $anchor));
		print "$file: $link leads nowhere\n";
		$bad = 1;
	}
}
print "only $links links found\n" unless $links > 50;
exit($bad || $links <= 50);
P
