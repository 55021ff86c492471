// The true distances of rows, for a scan over a codec whose bounds are not certain (Codec.uncertain): the executor,
// which rechecks rows elsewhere, takes a bound above the true distance for an error.
#pragma once

#include "pg/postgres.h"

#include "codec/codec.h"
#include "index/opclass.h"

namespace vext::index {

class Rerank {
public:
    // The query must outlive this. Allocates in the current memory context, and holds a pin until end().
    Rerank(IndexScanDesc scan, const codec::Codec& codec, VectorValue query);

    // False: no version of the row is visible to the scan's snapshot, or its value is not indexed.
    bool distance(const ItemPointerData& tid, float* distance);

    void end();

private:
    bool value(Datum* datum);

    IndexScanDesc scan_;
    const codec::Codec* exact_;
    codec::Query query_;
    IndexFetchTableData* fetch_;
    TupleTableSlot* slot_;
    AttrNumber column_;          // 0: an expression
    IndexInfo* info_ = nullptr;  // of an expression
    EState* estate_ = nullptr;
    MemoryContext row_context_;
};

}  // namespace vext::index
