#!/bin/bash
# docs/reference.md names every message that the library raises, every option of an index and every setting.
# (Objects of the catalogs: test/t/090_docs.pl.)
cd "$(dirname "$0")/../.." || exit 1
exec perl - <<'P'
use strict;
use warnings;
local $/;
my $read = sub { open my $f, '<', $_[0] or die "$_[0]: $!"; return scalar <$f> };
my $reference = $read->('docs/reference.md');
my ($errors) = $reference =~ /^## Errors\n(.*?)(?:^## |\z)/ms or die 'no errors in docs/reference.md';
my $source = join "\n", map { $read->($_) } glob 'src/*.cpp src/*/*.cpp src/*/*.h';
my ($messages, %named, @missing) = (0);
while ($source =~ /\berrmsg\(((?:\s*"(?:[^"\\]|\\.)*")+)/g)
{
	my $message = join '', $1 =~ /"((?:[^"\\]|\\.)*)"/g;
	$message =~ s/\\"/"/g;
	$messages++;
	my $pattern = join '.{1,40}?', map { quotemeta } split /%(?:\.\d+)?(?:zu|[a-z])/, $message, -1;
	push @missing, "message: $message" unless $errors =~ /$pattern/;
}
$named{option}{$1}++ while $source =~ /\badd_\w+_reloption\([^,]+,\s*"(\w+)"/g;
$named{setting}{$1}++ while $source =~ /\bDefineCustom\w+Variable\(\s*"([\w.]+)"/g;
foreach my $kind (qw(option setting))
{
	push @missing, "no $kind found in the sources" unless $named{$kind};
	push @missing, map { "$kind: $_" } grep { $reference !~ /^\| `\Q$_\E` \|/m } sort keys %{ $named{$kind} };
}
push @missing, 'no messages found in the sources' unless $messages > 50;
my %seen;
print "docs/reference.md has not: $_\n" foreach grep { !$seen{$_}++ } @missing;
exit(@missing > 0);
P
