// Where a constant of an operator stands among the values of an ordered attribute, also one of another type.
#pragma once

#include "pg/postgres.h"

#include "index/attributes.h"

namespace vext::index {

// Of the attribute's values, `first` is the least that is not below the constant, `last` the greatest that is not above
// it: those between them equal it. Not certain: both may be farther out than need be.
struct Place {
    int64 first, last;
    bool certain = true;
};

// `type` is that of the constant.
Place place_constant(AttributeKind kind, Oid type, Datum constant);

}  // namespace vext::index
