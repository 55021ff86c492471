// What an index knows of its own recall: measured when it is built, and by vectorext_calibrate().
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_index.h"

namespace vext::hnsw {

// Of a build: so many workers may be had, and what else can be done meanwhile.
struct CalibrationHelp {
    int workers = 0;
    bool concurrent = false;
    bool log = false;  // log all pages but the metapage
};

// Measures, and writes what it found into the metapage. Searches and inserts may go on. True: it has logged, too.
bool calibrate(const HnswIndex& index, const CalibrationHelp& help = {});

// The ef_search for a target of recall, or 0 where nothing was measured.
size_t ef_for(const HnswIndex& index, double target);

// How many nodes began or ended their lives in the slots of a page; 0 where nodes are runs, of which that is not known.
uint64 lives_on(const HnswIndex& index, Page page);

}  // namespace vext::hnsw
