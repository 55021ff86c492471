// vectorext_last_scan(): what the last search of this session did; vectorext_search_counts(): all searches of an index.
#include "index/order_scan.h"

namespace {

Datum number(uint64 n) { return Int64GetDatum(static_cast<int64>(n)); }

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_last_scan);
PGDLLEXPORT Datum vectorext_last_scan(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(vectorext_search_counts);
PGDLLEXPORT Datum vectorext_search_counts(PG_FUNCTION_ARGS);

Datum vectorext_last_scan(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const auto& [index, counts] = vext::index::last_scan;
    if (index == InvalidOid) return static_cast<Datum>(0);
    Datum values[] = {ObjectIdGetDatum(index),   number(counts.visited),  number(counts.scored),
                      number(counts.rechecked), number(counts.returned), number(counts.batches)};
    bool nulls[6] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    return static_cast<Datum>(0);
}

// No row: nobody counts them.
Datum vectorext_search_counts(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    vext::index::ScanTotals totals;
    if (!vext::index::read_shared_counts(PG_GETARG_OID(0), &totals)) return static_cast<Datum>(0);
    const auto& [searches, counts] = totals;
    Datum values[] = {number(searches),         number(counts.visited),  number(counts.scored),
                      number(counts.rechecked), number(counts.returned), number(counts.batches)};
    bool nulls[6] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    return static_cast<Datum>(0);
}
}
