# Crashes at random moments under a load of writes, vacuums and builds on hnsw: five here, VECTOREXT_CRASHES=500 for more.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VectorExt;
use CrashCampaign;

access_method('hnsw');
campaign(rounds => $ENV{VECTOREXT_CRASHES} || 5, seed => $ENV{VECTOREXT_SEED} || 20261121);
done_testing();
