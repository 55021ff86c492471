#include "index/order_scan.h"

namespace vext::index {

LastScan last_scan;

void check_scan(IndexScanDesc scan, const char* access_method) {
    if (scan->numberOfOrderBys == 0 || scan->orderByData == nullptr) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot scan %s index without order", access_method));
    }
    if (!IsMVCCSnapshot(scan->xs_snapshot)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("non-MVCC snapshots are not supported with %s", access_method));
    }
}

OrderBy read_order_by(IndexScanDesc scan, const codec::Codec& codec, uint32 dim, uint8** code) {
    if (is_null_query(scan)) return {nullptr, true};
    VectorValue query = vector_value(codec.element, scan->orderByData[0].sk_argument);
    check_dimensions(codec.element, dim, query.dim);
    auto* scratch = static_cast<float*>(palloc(codec::scratch_floats(codec, dim) * sizeof(float)));
    *code = static_cast<uint8*>(palloc0(codec.bytes(dim)));
    return {query.elements, !codec.encode(query.elements, dim, scratch, *code)};
}

}  // namespace vext::index
