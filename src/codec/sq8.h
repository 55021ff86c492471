// Codec sq8: per vector `lo` and `step` and a byte per dimension (codec/affine.h). |x - x'| is stored, which makes a
// certain bound of the true distance: |d(q, x) - d(q', x')| <= |q - q'| + |x - x'|.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

std::span<const Codec> sq8_codecs();

}  // namespace vext::codec
