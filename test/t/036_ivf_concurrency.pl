# What 007_hnsw_concurrency.pl tests of hnsw, of ivfflat.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use VectorExt;

access_method('ivfflat');
do "$FindBin::RealBin/007_hnsw_concurrency.pl" or die $@ || $!;
