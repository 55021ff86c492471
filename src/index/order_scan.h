// Index scans that give rows in the order of a distance: the frame around an access method's own search.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "pg/postgres.h"

#include "codec/codec.h"
#include "index/opclass.h"
#include "index/scan_counts.h"
#include "index/scan_watch.h"

namespace vext::index {

// The last search of this session that came to its end.
struct LastScan {
    Oid index;
    ScanCounts counts;
};
extern LastScan last_scan;

struct CountedScan : WatchedScan {
    MemoryContext context;
    ScanCounts counts;
    ScanTotals earlier;  // searches before the last rescan
};

// `Search` is made when the first row is asked for, in a context that goes with the next rescan.
template <typename Search>
struct ScanFrame : CountedScan {
    Search* search;
};

// Of the search under way.
inline ScanCounts& counts_of(IndexScanDesc scan) { return static_cast<CountedScan*>(scan->opaque)->counts; }

template <typename Search>
ScanFrame<Search>* frame_of(IndexScanDesc scan) {
    return static_cast<ScanFrame<Search>*>(scan->opaque);
}

template <typename Search>
IndexScanDesc begin_scan(Relation rel, int keys, int order_bys, const char* context_name) {
    IndexScanDesc scan = RelationGetIndexScan(rel, keys, order_bys);
    auto* frame = static_cast<ScanFrame<Search>*>(palloc0(sizeof(ScanFrame<Search>)));
    frame->context = AllocSetContextCreateInternal(CurrentMemoryContext, context_name, ALLOCSET_DEFAULT_SIZES);
    watch(frame);
    scan->opaque = frame;
    if (order_bys > 0) {
        scan->xs_orderbyvals = static_cast<Datum*>(palloc0(sizeof(Datum) * order_bys));
        scan->xs_orderbynulls = static_cast<bool*>(palloc0(sizeof(bool) * order_bys));
    }
    return scan;
}

void search_ended(Oid index, CountedScan* frame);

// A search gives back what is not memory alone.
template <typename Search>
void release(IndexScanDesc scan) {
    ScanFrame<Search>* frame = frame_of<Search>(scan);
    if (frame->search != nullptr) {
        frame->search->release();
        search_ended(RelationGetRelid(scan->indexRelation), frame);
    }
    frame->search = nullptr;
    frame->counts = {};
    frame->stopped_by = nullptr;
    frame->unfilled = false;
}

template <typename Search>
void rescan(IndexScanDesc scan, ScanKey keys, ScanKey order_bys) {
    ScanFrame<Search>* frame = frame_of<Search>(scan);
    release<Search>(scan);
    MemoryContextReset(frame->context);
    if (keys != nullptr && scan->numberOfKeys > 0) {
        memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
    }
    if (order_bys != nullptr && scan->numberOfOrderBys > 0) {
        memmove(scan->orderByData, order_bys, scan->numberOfOrderBys * sizeof(ScanKeyData));
    }
}

template <typename Search>
void end_scan(IndexScanDesc scan) {
    release<Search>(scan);
    MemoryContextDelete(frame_of<Search>(scan)->context);
    pfree(scan->opaque);
    scan->opaque = nullptr;
}

// The search of a scan; start(context) makes it the first time.
template <typename Search, typename Start>
Search& search_of(IndexScanDesc scan, Start start) {
    ScanFrame<Search>* frame = frame_of<Search>(scan);
    if (frame->search == nullptr) {
        pg::count_index_scan(scan);
        learn_use(frame);
        MemoryContext outer = MemoryContextSwitchTo(frame->context);
        frame->search = start(frame->context);
        MemoryContextSwitchTo(outer);
    }
    return *frame->search;
}

// ERROR for scans that cannot be served.
void check_scan(IndexScanDesc scan, const char* access_method);

// What a scan looks for: vectors around a query, in the order of their distances (ORDER BY), or up to a radius (<<->> and
// its like), or both.
struct Target {
    Datum query;
    bool null_query;
    bool nothing;    // a ball without center or radius: no row is in it
    bool has_range;  // rows are rechecked
    double radius;   // of the smallest ball around the query
};
Target read_target(IndexScanDesc scan);

// What a scan orders by. `every_row`: there is no distance that could order rows, all of them are returned.
struct OrderBy {
    const void* elements;  // of the query; nullptr: it is NULL
    const float* values;   // which of them were coded; nullptr: the codec does not ask for them
    bool every_row;
    bool has_range;
    double radius;  // rows farther away are not asked for; infinite without a range
};
// Allocates and writes the query's code, of the given codec and dimensions. ERROR for a query of other dimensions.
OrderBy read_order_by(const Target& target, const codec::Codec& codec, uint32 dim, uint8** code);

// What the executor need not check again, or must.
struct RowChecks {
    bool exact;     // the distance is that of the operator
    bool rechecks;  // conditions may fail
};
// ERROR (index corrupted) for what points to no row: of its blocks one would make the table add a page, and return it.
void check_row_pointer(IndexScanDesc scan, const ItemPointerData& tid);
// A row for the executor. Where no distance orders rows, `bound` is NaN; for a NULL query it is null.
inline void return_row(IndexScanDesc scan, const ItemPointerData& tid, RowChecks checks, const OrderBy& by,
                       double bound) {
    check_row_pointer(scan, tid);
    scan->xs_heaptid = tid;
    scan->xs_recheck = checks.rechecks || by.has_range;
    scan->xs_recheckorderby = !checks.exact && !by.every_row && scan->numberOfOrderBys > 0;
    ScanCounts& counts = counts_of(scan);
    counts.returned++;
    counts.rechecked += scan->xs_recheckorderby || scan->xs_recheck;
    if (scan->numberOfOrderBys == 0) return;
    scan->xs_orderbyvals[0] = Float8GetDatum(by.every_row ? get_float8_nan() : bound);
    scan->xs_orderbynulls[0] = by.every_row && by.elements == nullptr;
}

// The order of what an iterative scan hands out over its batches.
class OrderKeeper {
public:
    // False for a row that a later batch found nearer than what was handed out already, under strict order.
    bool may_follow(double bound, bool strict) const { return !strict || bound >= last_; }
    // The least bound that may follow.
    float next() const {
        auto bound = static_cast<float>(std::min<double>(last_, std::numeric_limits<float>::max()));
        return bound < last_ ? std::nextafter(bound, HUGE_VALF) : bound;
    }
    void handed_out(double bound) {
        if (bound > last_) last_ = bound;
    }

private:
    double last_ = -HUGE_VAL;
};

}  // namespace vext::index
