// The true distances of rows, for a scan over a codec whose bounds are not certain (Codec.uncertain): the executor,
// which rechecks rows elsewhere, takes a bound above the true distance for an error.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

class Rerank {
public:
    // Of the scan's ORDER BY operator, while it gives rows. Allocates in the current memory context, and holds a pin until
    // end().
    explicit Rerank(IndexScanDesc scan);

    // What the operator says of the row; infinite for NaN, which sorts behind all numbers. False: no version of the row
    // is visible to the scan's snapshot.
    bool distance(const ItemPointerData& tid, double* distance);

    void end();

private:
    bool value(Datum* datum);

    IndexScanDesc scan_;
    TupleTableSlot* slot_;
    AttrNumber column_;          // 0: an expression
    IndexInfo* info_ = nullptr;  // of an expression
    EState* estate_ = nullptr;
    MemoryContext row_context_;
};

}  // namespace vext::index
