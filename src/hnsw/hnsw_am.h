// The access method's callbacks, by file.
#pragma once

#include "pg/postgres.h"

#include "codec/codec.h"
#include "hnsw/hnsw_index.h"
#include "index/access_method.h"
#include "index/name_values.h"

namespace vext::hnsw {

// ---- options and settings: hnsw_am.cpp
using index::IterativeScan;

struct Settings {
    int ef_search;
    int iterative_scan;  // IterativeScan
    int max_scan_tuples;
    double scan_mem_multiplier;
    double recall_target;  // 0: none
    bool adaptive_beam;
    int calibration_samples;
};
extern Settings settings;

inline constexpr int kDefaultM = 16;
inline constexpr int kDefaultEfConstruction = 100;

HnswOptions read_options(Relation index);

// What ambuildphasename reports; PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE is 1.
enum class BuildPhase : int { initializing = 1, loading = 2, building = 3, writing = 4 };

void init_access_method();  // from _PG_init

// Whether a relation is an index of this access method.
bool is_hnsw_index(Relation rel);

// ---- hnsw_build.cpp
// Bytes that a build in memory takes.
double build_memory(const HnswIndex& index, double rows);
IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info);
void build_empty(Relation index);

// ---- hnsw_am.cpp
bool insert_row(Relation index, Datum* values, bool* is_null, ItemPointer tid, bool unchanged, IndexInfo* info);

// ---- hnsw_scan.cpp
IndexScanDesc begin_scan(Relation index, int keys, int order_bys);
void rescan(IndexScanDesc scan, ScanKey keys, int key_count, ScanKey order_bys, int order_by_count);
bool get_tuple(IndexScanDesc scan, ScanDirection direction);
void end_scan(IndexScanDesc scan);

// ---- hnsw_scan_batches.cpp
// The beam under a filter, which is to find its rows with the default settings: without one their recall is pgvector's.
// The more rows, the more a beam misses: measured with 62,666 and 1,000,000.
size_t under_filter(double rows, size_t ef_search);

// ---- hnsw_vacuum.cpp
IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* state);

// ---- hnsw_stats.cpp
void index_stats(Relation index, index::NameValueRows& out);

// ---- hnsw_cost.cpp
void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages);

}  // namespace vext::hnsw
