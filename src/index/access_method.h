// What the access methods' callbacks have in common.
#pragma once

#include "pg/postgres.h"

#include "codec/codec.h"

namespace vext::index {

// What an access method does itself; amvacuumcleanup is the same for all.
struct Methods {
    ambuild_function build;
    ambuildempty_function build_empty;
    aminsert_function insert;
    ambulkdelete_function bulk_delete;
    amcostestimate_function estimate_cost;
    amoptions_function options;
    ambuildphasename_function phase_name;
    amvalidate_function validate;
    ambeginscan_function begin_scan;
    amrescan_function rescan;
    amgettuple_function get_tuple;
    amendscan_function end_scan;
};
// The routine, with the flags of all our access methods.
IndexAmRoutine* make_routine(const Methods& methods);

// Whether an index, or one as the planner sees it, is of an access method of ours.
bool is_ours(Relation index);
bool is_ours(const IndexOptInfo* index);

// amvalidate: an operator class of vectors must name functions that we know, and its one operator orders by a float8;
// one of attributes has operators of its kind and, where they are hashed, the function.
bool validate_opclass(Oid opclass, const char* access_method);

// The settings *.iterative_scan.
enum class IterativeScan : int { off, relaxed_order, strict_order };
extern const config_enum_entry kIterativeScans[];

// Progress of CREATE INDEX: a phase begins, with so many rows (or steps) to do.
void set_build_phase(int phase, int64 total);
void set_build_progress(int64 done);

// ---- new indexes
// Of the first column. ERROR where it has none.
uint32 column_dimensions(Relation index);
// The codec of a quantization that the options name, 0: the default one. ERROR where it cannot be.
const codec::Codec* choose_codec(codec::CodecId id, codec::Element element, codec::Metric metric);
// The most dimensions for which fits(dimensions) holds.
template <typename Fits>
uint32 most_dimensions(uint32 limit, Fits fits) {
    uint32 low = 0, high = limit + 1;
    while (high - low > 1) {
        uint32 middle = (low + high) / 2;
        (fits(middle) ? low : high) = middle;
    }
    return low;
}
// `smaller`: a quantization that takes less room, or nullptr.
[[noreturn]] void report_too_wide(uint32 limit, const char* access_method, const char* smaller);

// ---- indexes that cannot be read
[[noreturn]] void report_not_valid(Relation index, const char* access_method, const char* problem);
// The same for a vacuum, which must go on with the table.
void warn_not_valid(Relation index, const char* access_method, const char* problem);

// ---- functions that look into an index
// ERROR: what is named so is no index of ours, or one of a partitioned table, which has no pages.
[[noreturn]] void report_no_index(const char* name, bool partitioned);
// Who owns the index or may read its table may know what it is like. ERROR: not so, or another session's.
void check_may_inspect(Relation index);

// ---- vacuum
// What every row pointer is of an index that is whole: the server takes the other block number for a page to be added.
inline bool is_row_pointer(const ItemPointerData& tid) {
    return ItemPointerGetBlockNumberNoCheck(&tid) != InvalidBlockNumber &&
           ItemPointerGetOffsetNumberNoCheck(&tid) != InvalidOffsetNumber;
}
// Asks a vacuum, which must go on: what points to no row stays, and searches and the checker tell of it.
inline bool is_gone(IndexBulkDeleteCallback row_is_dead, ItemPointer tid, void* state) {
    return is_row_pointer(*tid) && row_is_dead(tid, state);
}
IndexBulkDeleteResult* start_bulk_delete(IndexBulkDeleteResult* stats);
IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

}  // namespace vext::index
