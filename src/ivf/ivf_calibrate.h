// What an index knows of its own recall: measured when it is built, and by vectorext_calibrate().
#pragma once

#include "pg/postgres.h"

#include "ivf/ivf_index.h"

namespace vext::ivf {

// Measures, and writes what it found into the metapage. Searches and inserts may go on. `changes`: what count_changes()
// says.
void calibrate(const IvfIndex& index, uint64 changes);

// As many lists as a search must scan for ivfflat.recall_target; 0: nothing was measured.
size_t probes_for(const IvfIndex& index, double target);

}  // namespace vext::ivf
