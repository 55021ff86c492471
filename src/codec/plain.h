// Codec none: the value itself. Keys are computed by the very kernels that the SQL operators use.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

std::span<const Codec> plain_codecs();

}  // namespace vext::codec
