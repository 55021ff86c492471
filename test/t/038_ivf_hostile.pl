# What 009_hnsw_hostile.pl tests of hnsw, of ivfflat.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use VectorExt;

access_method('ivfflat');
do "$FindBin::RealBin/009_hnsw_hostile.pl" or die $@ || $!;
