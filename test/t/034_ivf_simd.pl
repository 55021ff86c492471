# What 005_hnsw_simd.pl tests of hnsw, of ivfflat.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use VectorExt;

access_method('ivfflat');
do "$FindBin::RealBin/005_hnsw_simd.pl" or die $@ || $!;
