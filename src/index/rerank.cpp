#include "index/rerank.h"

#include <cmath>

#include "index/order_scan.h"

namespace vext::index {

Rerank::Rerank(IndexScanDesc scan)
    : scan_(scan), slot_(table_slot_create(scan->heapRelation, nullptr)),
      column_(scan->indexRelation->rd_index->indkey.values[0]),
      row_context_(AllocSetContextCreate(CurrentMemoryContext, "vectorext row", ALLOCSET_DEFAULT_SIZES)) {
    if (column_ != 0) return;
    info_ = BuildIndexInfo(scan->indexRelation);
    estate_ = CreateExecutorState();
    GetPerTupleExprContext(estate_)->ecxt_scantuple = slot_;
}

bool Rerank::value(Datum* datum) {
    bool null;
    if (column_ != 0) {
        *datum = slot_getattr(slot_, column_, &null);
        return !null;
    }
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    ResetPerTupleExprContext(estate_);
    FormIndexDatum(info_, slot_, estate_, values, nulls);
    *datum = values[0];
    return !nulls[0];
}

bool Rerank::distance(const ItemPointerData& tid, double* distance) {
    check_row_pointer(scan_, tid);
    ItemPointerData at = tid;  // the table follows a chain of versions with it
    bool call_again = false;
    counts_of(scan_).rechecked++;
    // As the executor will fetch it, which is waiting for a row and in the middle of none.
    if (!table_index_fetch_tuple(scan_->xs_heapfetch, &at, scan_->xs_snapshot, slot_, &call_again, nullptr)) return false;
    MemoryContext outer = MemoryContextSwitchTo(row_context_);
    Datum datum;
    bool indexed = value(&datum);
    if (indexed) {
        ScanKeyData& order_by = scan_->orderByData[0];
        *distance =
            DatumGetFloat8(FunctionCall2Coll(&order_by.sk_func, order_by.sk_collation, datum, order_by.sk_argument));
        if (std::isnan(*distance)) *distance = get_float8_infinity();
    }
    MemoryContextSwitchTo(outer);
    MemoryContextReset(row_context_);
    return indexed;
}

void Rerank::end() {
    ExecDropSingleTupleTableSlot(slot_);
    if (estate_ != nullptr) FreeExecutorState(estate_);
}

}  // namespace vext::index
