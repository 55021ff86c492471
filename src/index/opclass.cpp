#include "index/opclass.h"

#include "base/hash.h"
#include "type/halfvec.h"
#include "type/sparsevec.h"
#include "type/vector.h"

extern "C" {
Datum vector_l2_squared_distance(PG_FUNCTION_ARGS);
Datum vector_negative_inner_product(PG_FUNCTION_ARGS);
Datum l1_distance(PG_FUNCTION_ARGS);
Datum halfvec_l2_squared_distance(PG_FUNCTION_ARGS);
Datum halfvec_negative_inner_product(PG_FUNCTION_ARGS);
Datum halfvec_l1_distance(PG_FUNCTION_ARGS);
Datum sparsevec_l2_squared_distance(PG_FUNCTION_ARGS);
Datum sparsevec_negative_inner_product(PG_FUNCTION_ARGS);
Datum sparsevec_l1_distance(PG_FUNCTION_ARGS);
Datum hamming_distance(PG_FUNCTION_ARGS);
Datum jaccard_distance(PG_FUNCTION_ARGS);
}

namespace vext::index {
namespace {

using codec::Element;
using codec::Metric;

struct Row {
    PGFunction distance;
    bool normalized;  // the class names a norm function: distances of vectors scaled to length one
    OpclassMeaning meaning;
};

const Row kRows[] = {
    {vector_l2_squared_distance, false, {Element::f32, Metric::l2}},
    {vector_negative_inner_product, false, {Element::f32, Metric::inner_product}},
    {vector_negative_inner_product, true, {Element::f32, Metric::cosine}},
    {l1_distance, false, {Element::f32, Metric::l1}},
    {halfvec_l2_squared_distance, false, {Element::f16, Metric::l2}},
    {halfvec_negative_inner_product, false, {Element::f16, Metric::inner_product}},
    {halfvec_negative_inner_product, true, {Element::f16, Metric::cosine}},
    {halfvec_l1_distance, false, {Element::f16, Metric::l1}},
    {sparsevec_l2_squared_distance, false, {Element::sparse, Metric::l2}},
    {sparsevec_negative_inner_product, false, {Element::sparse, Metric::inner_product}},
    {sparsevec_negative_inner_product, true, {Element::sparse, Metric::cosine}},
    {sparsevec_l1_distance, false, {Element::sparse, Metric::l1}},
    {hamming_distance, false, {Element::bit, Metric::hamming}},
    {jaccard_distance, false, {Element::bit, Metric::jaccard}},
};

static_assert(codec::kMaxSparseElements == kSparseMaxNnz);

const char* type_name(Element element) {
    switch (element) {
        case Element::f16: return HalfElement::name;
        case Element::sparse: return kSparseName;
        default: return FloatElement::name;
    }
}

[[noreturn]] void report_not_supported(const char* access_method) {
    ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
            errmsg("type not supported for %s index", access_method));
    pg_unreachable();
}

template <typename T>
VectorValue dense_value(Datum datum) {
    const auto* v = reinterpret_cast<const T*>(PG_DETOAST_DATUM(datum));
    return {v->x, static_cast<uint32>(v->dim)};
}

}  // namespace

bool is_vector(Relation index, int column) {
    return OidIsValid(index_getprocid(index, static_cast<AttrNumber>(column), kDistanceProc));
}

OpclassMeaning opclass_meaning(Relation index) {
    if (!is_vector(index, 1)) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("first column of %s index must be a vector", get_am_name(index->rd_rel->relam)),
                errhint("Put the columns to filter on behind it."));
    }
    PGFunction distance = index_getprocinfo(index, 1, kDistanceProc)->fn_addr;
    bool normalized = OidIsValid(index_getprocid(index, 1, kNormProc));
    for (const Row& row : kRows) {
        if (row.distance != distance || row.normalized != normalized) continue;
        // varbit shares the operator classes of bit, but its values have no length in common.
        if (row.meaning.element == Element::bit && TupleDescAttr(index->rd_att, 0)->atttypid != BITOID) break;
        return row.meaning;
    }
    report_not_supported(get_am_name(index->rd_rel->relam));
}

uint32 max_dimensions(Element element) {
    switch (element) {
        case Element::bit: return 64000;
        case Element::sparse: return kSparseMaxDim;
        default: return 16000;
    }
}

VectorValue vector_value(Element element, Datum datum) {
    switch (element) {
        case Element::f32: return dense_value<Vector>(datum);
        case Element::f16: return dense_value<Halfvec>(datum);
        case Element::bit: {
            const VarBit* v = DatumGetVarBitP(datum);
            return {VARBITS(v), static_cast<uint32>(VARBITLEN(v))};
        }
        case Element::sparse: {
            SparseArg v{PointerGetDatum(PG_DETOAST_DATUM(datum))};
            auto* view = static_cast<SparseView*>(palloc(sizeof(SparseView)));
            *view = v->view();
            return {view, static_cast<uint32>(v->dim)};
        }
    }
    elog(ERROR, "a vector of unknown type %d", static_cast<int>(element));
    pg_unreachable();
}

VectorValue value_to_index(Element element, Datum datum, uint32 dim) {
    VectorValue value = vector_value(element, datum);
    if (value.dim != dim) {
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %u dimensions, not %u", dim, value.dim));
    }
    return value;
}

uint32 fingerprint(Element element, const VectorValue& value) {
    size_t bytes;
    switch (element) {
        case Element::f32: bytes = value.dim * sizeof(float); break;
        case Element::f16: bytes = value.dim * sizeof(uint16); break;
        case Element::bit: bytes = (value.dim + 7) / 8; break;
        default: return 0;
    }
    auto hash = static_cast<uint32>(hash_bytes64(value.elements, bytes));
    return hash == 0 ? 1 : hash;
}

void check_dimensions(Element element, uint32 expected, uint32 found) {
    if (found == expected) return;
    if (element == Element::bit) {
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("different bit lengths %u and %u", found, expected));
    }
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
            errmsg("different %s dimensions %u and %u", type_name(element), found, expected));
}

}  // namespace vext::index
