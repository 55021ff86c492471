// Whether bytes that should be a code are one. For whoever checks an index.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

// What is wrong with a code by itself, or nullptr. At most bytes(dim) bytes are read.
const char* code_problem(const Codec& codec, const uint8_t* code, uint32_t dim);

// Whether `stored` may be the code of a row that this machine codes as `fresh`. Another instruction set may have rounded
// sums otherwise, so codes need not be equal in every byte; but both are of one vector, and lost as much of it.
bool may_be_of_one_vector(const Codec& codec, const uint8_t* stored, const uint8_t* fresh, uint32_t dim);

}  // namespace vext::codec
