// The access method's callbacks, by file.
#pragma once

#include "pg/postgres.h"

#include "index/access_method.h"
#include "index/name_values.h"
#include "ivf/ivf_index.h"

namespace vext::ivf {

// ---- options and settings: ivf_am.cpp
using index::IterativeScan;

struct Settings {
    int probes;
    int iterative_scan;  // IterativeScan
    int max_probes;
    double recall_target;  // 0: none
    int calibration_samples;
};
extern Settings settings;

inline constexpr int kMaxLists = 32768;
inline constexpr int kDefaultLists = 100;

IvfOptions read_options(Relation index);

// What ambuildphasename reports; PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE is 1.
enum class BuildPhase : int { initializing = 1, clustering = 2, assigning = 3, loading = 4 };

void init_access_method();  // from _PG_init

// Whether a relation is an index of this access method.
bool is_ivf_index(Relation rel);

// ---- ivf_build.cpp
IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info);
// Bytes that building such an index over so many rows takes of maintenance_work_mem at least.
double build_memory(const IvfIndex& index, double rows, int lists_option);
void build_empty(Relation index);

// ---- ivf_insert.cpp
bool insert_row(Relation index, Datum* values, bool* is_null, ItemPointer tid);

// ---- ivf_scan.cpp
IndexScanDesc begin_scan(Relation index, int keys, int order_bys);
void rescan(IndexScanDesc scan, ScanKey keys, int key_count, ScanKey order_bys, int order_by_count);
bool get_tuple(IndexScanDesc scan, ScanDirection direction);
void end_scan(IndexScanDesc scan);

// ---- ivf_vacuum.cpp
IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback is_dead,
                                   void* state);

// ---- ivf_stats.cpp
void index_stats(Relation index, index::NameValueRows& out);
// How many rows have come and gone since the build.
uint64 count_changes(const IvfIndex& index);

// ---- ivf_cost.cpp
void estimate_cost(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages);

}  // namespace vext::ivf
