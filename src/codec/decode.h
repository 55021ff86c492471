// From a code back to floats.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

// `out` has dim floats; bits become 0 and 1.
void decode(const Codec& codec, const uint8_t* code, uint32_t dim, float* out);

// Elements as they come from SQL.
void to_floats(Element element, const void* values, uint32_t dim, float* out);

}  // namespace vext::codec
