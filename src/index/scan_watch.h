// Scans seen from the executor: what a scan should know of the plan around it, and what those who run a query should know
// of the scan. An access method sees neither the plan nor its LIMIT; hooks of the executor do.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// Why a scan ended although there may be further rows.
struct ScanLimit {
    const char* setting;
    const char* hint;
};

// A query in execution whose plan has scans of our indexes.
struct WatchedQuery;

// What a plan does with the rows of a scan.
struct ScanUse {
    bool drops_rows;  // it looks at more of them than it asks for: a filter, a join
    bool merges;      // with those of other scans, by their order: it may need none of these
    uint64 rows;      // and ends with so many of them, the LIMIT; 0: not known
};

// At the head of every scan of ours (IndexScanDesc.opaque).
struct WatchedScan {
    WatchedQuery* query;          // nullptr: not started by a plan
    ScanUse use;
    const ScanLimit* stopped_by;  // since the last rescan
    bool unfilled;                // and that left the query with fewer rows than it asked for; known when it has finished
};

// The scan of a plan's node, if it is one of ours and has begun.
WatchedScan* watched_scan(PlanState* node);

// Finds the query that a scan belongs to, while it begins.
void watch(WatchedScan* scan);

// Finds what its plan makes of a scan that has begun, before each of its searches: a LIMIT may change.
void learn_use(WatchedScan* scan);

// A scan ends at a limit.
void stopped(WatchedScan* scan, const ScanLimit& limit);

// Settings and hooks; from _PG_init.
void init_scan_watch();

}  // namespace vext::index
