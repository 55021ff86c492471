#include "index/opclass.h"

#include "type/vector.h"

extern "C" {
Datum vector_l2_squared_distance(PG_FUNCTION_ARGS);
Datum vector_negative_inner_product(PG_FUNCTION_ARGS);
Datum l1_distance(PG_FUNCTION_ARGS);
}

namespace vext::index {
namespace {

struct Row {
    PGFunction distance;
    bool normalized;  // the class names a norm function: distances of vectors scaled to length one
    OpclassMeaning meaning;
};

const Row kRows[] = {
    {vector_l2_squared_distance, false, {codec::Element::f32, codec::Metric::l2}},
    {vector_negative_inner_product, false, {codec::Element::f32, codec::Metric::inner_product}},
    {vector_negative_inner_product, true, {codec::Element::f32, codec::Metric::cosine}},
    {l1_distance, false, {codec::Element::f32, codec::Metric::l1}},
};

}  // namespace

OpclassMeaning opclass_meaning(Relation index) {
    PGFunction distance = index_getprocinfo(index, 1, kDistanceProc)->fn_addr;
    bool normalized = OidIsValid(index_getprocid(index, 1, kNormProc));
    for (const Row& row : kRows) {
        if (row.distance == distance && row.normalized == normalized) return row.meaning;
    }
    ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("type not supported for hnsw index"));
    pg_unreachable();
}

VectorValue vector_value(codec::Element, Datum datum) {
    const auto* v = reinterpret_cast<const Vector*>(PG_DETOAST_DATUM(datum));
    return {v->x, static_cast<uint32>(v->dim)};
}

}  // namespace vext::index
