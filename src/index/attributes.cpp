#include "index/attributes.h"

#include <bit>
#include <cmath>
#include <new>

#include "index/opclass.h"

namespace vext::index {
namespace {

struct OrderedType {
    Oid type;
    AttributeKind kind;
};
const OrderedType kOrderedTypes[] = {
    {BOOLOID, AttributeKind::number},        {INT2OID, AttributeKind::number},
    {INT4OID, AttributeKind::number},        {INT8OID, AttributeKind::number},
    {FLOAT4OID, AttributeKind::real},        {FLOAT8OID, AttributeKind::real},
    {DATEOID, AttributeKind::date},          {TIMESTAMPOID, AttributeKind::timestamp},
    {TIMESTAMPTZOID, AttributeKind::timestamptz},
};

// Of a key column, counted from 1; none: its operator class is of no attribute.
AttributeKind kind_of(Relation index, int column) {
    if (OidIsValid(index_getprocid(index, static_cast<AttrNumber>(column), kHashProc))) return AttributeKind::hash;
    Oid type = index->rd_opcintype[column - 1];
    return type == ANYARRAYOID ? AttributeKind::signature : kind_of_order(type);
}

// The element type's hash function, which agrees with the equality that && and @> use.
void look_up_element_hash(Oid array_type, FmgrInfo* hash) {
    Oid element = get_base_element_type(array_type);
    TypeCacheEntry* entry = lookup_type_cache(element, TYPECACHE_HASH_EXTENDED_PROC_FINFO);
    if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid)) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
                errmsg("could not identify an extended hash function for type %s", format_type_be(element)));
    }
    fmgr_info_copy(hash, &entry->hash_extended_proc_finfo, CurrentMemoryContext);
}

}  // namespace

AttributeKind kind_of_order(Oid type) {
    for (const OrderedType& t : kOrderedTypes) {
        if (t.type == type) return t.kind;
    }
    return AttributeKind::none;
}

int describe_attributes(Relation index, format::Attribute* attributes) {
    const char* access_method = get_am_name(index->rd_rel->relam);
    int count = IndexRelationGetNumberOfKeyAttributes(index) - 1;
    if (count > format::kMaxAttributes) {
        ereport(ERROR, errcode(ERRCODE_TOO_MANY_COLUMNS),
                errmsg("cannot use more than %d columns besides the vector in %s index", format::kMaxAttributes,
                       access_method));
    }
    for (int i = 0; i < count; i++) {
        AttributeKind kind = kind_of(index, i + 2);
        if (kind == AttributeKind::none) {
            const char* what = is_vector(index, i + 2) ? "only one column of %s index can be a vector"
                                                       : "operator class is not supported for %s index";
            ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg(what, access_method));
        }
        attributes[i] = {static_cast<uint8>(kind), 0, 0};
        AttributeCoder{index, i};  // its functions are there
    }
    return count;
}

bool has_attributes(Relation index, const format::Attribute* attributes, int count) {
    if (IndexRelationGetNumberOfKeyAttributes(index) - 1 != count) return false;
    for (int i = 0; i < format::kMaxAttributes; i++) {
        AttributeKind kind = i < count ? kind_of(index, i + 2) : AttributeKind::none;
        const format::Attribute& a = attributes[i];
        if (a.kind != static_cast<uint8>(kind) || a.flags != 0 || a.reserved != 0) return false;
    }
    return true;
}

int64 place_of(double number) {
    if (std::isnan(number)) return PG_INT64_MAX;
    if (number == 0) number = 0;  // -0
    auto bits = std::bit_cast<int64>(number);
    // Below zero greater magnitudes come first.
    return bits >= 0 ? bits : bits ^ PG_INT64_MAX;
}

AttributeCoder::AttributeCoder(Relation index, int attribute) {
    int column = attribute + 2;
    kind_ = kind_of(index, column);
    type_ = index->rd_opcintype[column - 1];
    collation_ = index->rd_indcollation[column - 1];
    if (kind_ == AttributeKind::hash) {
        fmgr_info_copy(&hash_, index_getprocinfo(index, static_cast<AttrNumber>(column), kHashProc),
                       CurrentMemoryContext);
    } else if (kind_ == AttributeKind::signature) {
        look_up_element_hash(getBaseType(TupleDescAttr(index->rd_att, column - 1)->atttypid), &hash_);
    }
}

int AttributeCoder::elements(Datum array, Datum** values) {
    ArrayType* a = DatumGetArrayTypeP(array);
    int16 length;
    bool by_value;
    char alignment;
    bool* nulls;
    int n, kept = 0;
    get_typlenbyvalalign(ARR_ELEMTYPE(a), &length, &by_value, &alignment);
    deconstruct_array(a, ARR_ELEMTYPE(a), length, by_value, alignment, values, &nulls, &n);
    for (int i = 0; i < n; i++) {
        if (!nulls[i]) (*values)[kept++] = (*values)[i];
    }
    return kept;
}

int64 ordered_value(Oid type, Datum value) {
    switch (type) {
        case BOOLOID: return DatumGetBool(value);
        case INT2OID: return DatumGetInt16(value);
        case INT4OID: return DatumGetInt32(value);
        case INT8OID: return DatumGetInt64(value);
        case FLOAT4OID: return place_of(DatumGetFloat4(value));
        case FLOAT8OID: return place_of(DatumGetFloat8(value));
        case DATEOID: return DatumGetDateADT(value);
        case TIMESTAMPOID: return DatumGetTimestamp(value);
        case TIMESTAMPTZOID: return DatumGetTimestampTz(value);
        default: elog(ERROR, "type %u has no order here", type);
    }
    pg_unreachable();
}

int64 AttributeCoder::encode(Datum value) {
    if (is_ordered(kind_)) return ordered_value(type_, value);
    if (kind_ == AttributeKind::hash) return static_cast<int64>(hash(value));
    Datum* elements_of_array;
    int n = elements(value, &elements_of_array);
    uint64 signature = 0;
    for (int i = 0; i < n; i++) signature |= signature_bits(hash(elements_of_array[i]));
    return static_cast<int64>(signature);
}

AttributeEncoder::AttributeEncoder(Relation index) : count_(IndexRelationGetNumberOfKeyAttributes(index) - 1) {
    coders_ = static_cast<AttributeCoder*>(palloc(sizeof(AttributeCoder) * format::kMaxAttributes));
    for (int i = 0; i < count_; i++) new (&coders_[i]) AttributeCoder{index, i};
}

RowAttributes AttributeEncoder::encode(const Datum* values, const bool* nulls) {
    RowAttributes row{};
    for (int i = 0; i < count_; i++) {
        if (nulls[i + 1]) {
            row.nulls |= static_cast<uint16>(1 << i);
        } else {
            row.values[i] = coders_[i].encode(values[i + 1]);
        }
    }
    return row;
}

}  // namespace vext::index
