// Attributes: the key columns of an index behind the vector, on which filters are tested inside the index. Of each value
// an index keeps 8 bytes: numbers and times in their order, a hash of what knows only equality, a signature of arrays.
#pragma once

#include "pg/postgres.h"

#include "format/page_format.h"

namespace vext::index {

// Support function of the operator class of a hashed attribute: the type's extended hash function.
inline constexpr uint16 kHashProc = 6;

// Strategies of attributes' operators; the first five are a btree's.
enum AttributeStrategy : StrategyNumber { kLess = 1, kLessEqual, kEqual, kGreaterEqual, kGreater, kOverlaps, kContains };

// What the 8 bytes are. Stored, never renumber.
enum class AttributeKind : uint8 {
    none = 0,
    number = 1,       // bool, int2, int4, int8: the value
    real = 2,         // float4, float8: place_of()
    date = 3,         // days
    timestamp = 4,    // microseconds
    timestamptz = 5,  // microseconds
    hash = 6,         // by the operator class's own function and the column's collation
    signature = 7,    // of an array: signature_bits() of all elements' hashes
};
inline bool is_ordered(AttributeKind kind) {
    return kind >= AttributeKind::number && kind <= AttributeKind::timestamptz;
}

// The attributes of a row; bit i of nulls: that of attribute i.
struct RowAttributes {
    int64 values[format::kMaxAttributes];
    uint16 nulls;
};

// Of a new index, for its metapage; gives how many there are. ERROR for what cannot be an attribute.
int describe_attributes(Relation index, format::Attribute* attributes);
// Whether a metapage says what the catalogs say.
bool has_attributes(Relation index, const format::Attribute* attributes, int count);

// Where a real number stands among all: ascending, -0 as 0, NaN last.
int64 place_of(double number);
// Of a type whose values are kept in their order; else none.
AttributeKind kind_of_order(Oid type);
// The 8 bytes of a value of such a type.
int64 ordered_value(Oid type, Datum value);
// The bits of an element in the signature of its array.
inline uint64 signature_bits(uint64 hash) {
    return uint64{1} << (hash & 63) | uint64{1} << (hash >> 6 & 63) | uint64{1} << (hash >> 12 & 63);
}

// How the values of one attribute become 8 bytes.
class AttributeCoder {
public:
    // Of the index's column `attribute` + 1 behind the vector, from 0. Keeps what it looks up in the current context.
    AttributeCoder(Relation index, int attribute);

    AttributeKind kind() const { return kind_; }
    Oid type() const { return type_; }  // that the operator class was made for
    int64 encode(Datum value);
    // Of an array's elements, or of the value itself where there is no array.
    uint64 hash(Datum value) { return DatumGetUInt64(FunctionCall2Coll(&hash_, collation_, value, Int64GetDatum(0))); }
    // The parts of an array; elements are not NULL. Allocates.
    int elements(Datum array, Datum** values);

private:
    AttributeKind kind_;
    Oid type_;
    Oid collation_;
    FmgrInfo hash_;  // of hash and signature
};

// All attributes of an index, for whoever adds rows.
class AttributeEncoder {
public:
    // In the current context.
    explicit AttributeEncoder(Relation index);

    int count() const { return count_; }
    // Of the values of all key columns, the vector's first. May allocate.
    RowAttributes encode(const Datum* values, const bool* nulls);

private:
    int count_;
    AttributeCoder* coders_;
};

}  // namespace vext::index
