// What searches do, counted: of one scan, and of all that the server has run.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// What a search has done.
struct ScanCounts {
    uint64 visited;    // hnsw: nodes whose links were followed; ivfflat: lists
    uint64 scored;     // codes that were compared with the query
    uint64 rechecked;  // rows whose distance was computed from the row itself, by the executor or before
    uint64 returned;   // rows handed to the executor
    uint64 batches;
};

// Searches of one scan, or of one index.
struct ScanTotals {
    uint64 searches;
    ScanCounts counts;

    void add(const ScanCounts& one) {
        searches++;
        counts.visited += one.visited;
        counts.scored += one.scored;
        counts.rechecked += one.rechecked;
        counts.returned += one.returned;
        counts.batches += one.batches;
    }
};

// Where the library is preloaded, shared memory has the totals of each index since the server's start: a table of fixed
// size, so that indexes beyond some thousands find no place in it.
void init_shared_counts();  // from _PG_init, while libraries are preloaded

// A search of an index in this database has ended. (Those that end by an error are not counted.)
void count_search(Oid index, const ScanCounts& counts);

// False: nobody counts them.
bool read_shared_counts(Oid index, ScanTotals* totals);

}  // namespace vext::index
