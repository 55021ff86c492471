// Codec none: the value itself. Keys are computed by the very kernels that the SQL operators use.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

extern const Codec kPlainL2, kPlainInnerProduct, kPlainCosine, kPlainL1;

}  // namespace vext::codec
