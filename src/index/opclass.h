// What an operator class means to an access method: element type and metric. They are derived from the functions
// that the operator class names, as pgvector's do, so that its catalogs keep their meaning.
#pragma once

#include "pg/postgres.h"

#include "codec/codec.h"

namespace vext::index {

// Support functions of an operator class, by pgvector's numbers.
inline constexpr uint16 kDistanceProc = 1;
inline constexpr uint16 kNormProc = 2;
inline constexpr uint16 kTypeInfoProc = 3;
// pgvector's ivfflat has 4 and 5 too; behind them the hash of an attribute (attributes.h).
inline constexpr uint16 kSupportProcs = 6;

struct OpclassMeaning {
    codec::Element element;
    codec::Metric metric;
};

// Whether a key column, counted from 1, is of an operator class of distances.
bool is_vector(Relation index, int column);
// Of an index's first column. ERROR where that is no vector or the functions are not ours.
OpclassMeaning opclass_meaning(Relation index);

// The vector of a datum as the codecs take it; detoasts into the current memory context.
struct VectorValue {
    const void* elements;
    uint32 dim;
};
VectorValue vector_value(codec::Element element, Datum datum);

// The same of a value to be indexed. ERROR where it has other dimensions than the index.
VectorValue value_to_index(codec::Element element, Datum datum, uint32 dim);

// Tells vectors apart that a code does not; 0: not known. Equal bytes have equal fingerprints, others hardly ever.
uint32 fingerprint(codec::Element element, const VectorValue& value);

// Of a column that is indexed, whatever its pages could hold.
uint32 max_dimensions(codec::Element element);

// ERROR, as the operators have it, for a query of other dimensions than the index.
void check_dimensions(codec::Element element, uint32 expected, uint32 found);

}  // namespace vext::index
