// vectorext_last_scan(): what the last search of this session did.
#include "index/order_scan.h"

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_last_scan);
PGDLLEXPORT Datum vectorext_last_scan(PG_FUNCTION_ARGS);

Datum vectorext_last_scan(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const auto& [index, counts] = vext::index::last_scan;
    if (index == InvalidOid) return static_cast<Datum>(0);
    auto number = [](uint64 n) { return Int64GetDatum(static_cast<int64>(n)); };
    Datum values[] = {ObjectIdGetDatum(index),   number(counts.visited),  number(counts.scored),
                      number(counts.rechecked), number(counts.returned), number(counts.batches)};
    bool nulls[6] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    return static_cast<Datum>(0);
}
}
