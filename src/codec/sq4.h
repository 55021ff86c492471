// Codec sq4: as sq8, with four bits a dimension (codec/affine.h). Queries are coded by sq8. What a row's code lost is
// too much for a useful certain bound, but it is known and points in no particular direction: the squared distance
// is that of the coded vectors plus the squared residuals, and the error of this is 2 <q - x', x - x'>, of standard
// deviation 2 |q - x'| |x - x'| / sqrt(dim). The bounds leave room for five of these, which is all there can be in up
// to 25 dimensions; a scan looks at the rows themselves to be exact (Codec.uncertain).
#pragma once

#include "codec/codec.h"

namespace vext::codec {

std::span<const Codec> sq4_codecs();

}  // namespace vext::codec
