#include "index/order_scan.h"

#include "index/access_method.h"
#include "type/ball.h"

namespace vext::index {
namespace {

bool is_within(const ScanKeyData& key) { return key.sk_attno == 1 && key.sk_strategy == kWithinStrategy; }

const ScanKeyData* within_key(IndexScanDesc scan) {
    for (int i = 0; i < scan->numberOfKeys; i++) {
        if (is_within(scan->keyData[i])) return &scan->keyData[i];
    }
    return nullptr;
}

bool same_value(Datum a, Datum b) { return datum_image_eq(a, b, false, -1); }

}  // namespace

LastScan last_scan;

void search_ended(Oid index, CountedScan* frame) {
    last_scan = {index, frame->counts};
    frame->earlier.add(frame->counts);
    count_search(index, frame->counts);
}

void check_scan(IndexScanDesc scan, const char* access_method) {
    bool ordered = scan->numberOfOrderBys > 0 && scan->orderByData != nullptr;
    if (!ordered && within_key(scan) == nullptr) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot scan %s index without order", access_method));
    }
    if (!IsMVCCSnapshot(scan->xs_snapshot)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("non-MVCC snapshots are not supported with %s", access_method));
    }
}

Target read_target(IndexScanDesc scan) {
    Target target{};
    target.radius = HUGE_VAL;
    bool known = scan->numberOfOrderBys > 0;
    if (known) {
        const ScanKeyData& by = scan->orderByData[0];
        target.null_query = (by.sk_flags & SK_ISNULL) != 0;
        target.query = by.sk_argument;
    }
    for (int i = 0; i < scan->numberOfKeys; i++) {
        const ScanKeyData& key = scan->keyData[i];
        if (!is_within(key)) continue;
        Ball ball;
        target.has_range = true;
        if ((key.sk_flags & SK_ISNULL) != 0 || !read_ball(key.sk_argument, &ball)) {
            target.nothing = true;
            return target;
        }
        if (!known) target.query = ball.center;
        known = true;
        // One around something else is left to the recheck. (A radius of NaN is no limit.)
        if (!target.null_query && ball.radius < target.radius && same_value(ball.center, target.query)) {
            target.radius = ball.radius;
        }
    }
    return target;
}

OrderBy read_order_by(const Target& target, const codec::Codec& codec, uint32 dim, uint8** code) {
    if (target.null_query) return {nullptr, nullptr, true, target.has_range, target.radius};
    VectorValue query = vector_value(codec.element, target.query);
    check_dimensions(codec.element, dim, query.dim);
    auto* scratch = static_cast<float*>(palloc(codec::scratch_floats(codec, dim) * sizeof(float)));
    *code = static_cast<uint8*>(palloc0(codec.bytes(dim)));
    bool every_row = !codec.encode(query.elements, dim, scratch, *code);
    const float* values = nullptr;
    if (codec.score_closely != nullptr) values = codec::coded_values(codec, query.elements, scratch);
    return {query.elements, values, every_row, target.has_range, target.radius};
}

void check_row_pointer(IndexScanDesc scan, const ItemPointerData& tid) {
    if (is_row_pointer(tid)) return;
    ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("index \"%s\" is corrupted: a pointer to row (%u,%u)", RelationGetRelationName(scan->indexRelation),
                   ItemPointerGetBlockNumberNoCheck(&tid), ItemPointerGetOffsetNumberNoCheck(&tid)),
            errhint("REINDEX the index."));
}

}  // namespace vext::index
