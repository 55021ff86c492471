// Codec sq8: per vector `lo` and `step` and a byte per dimension (locally adaptive quantization, LVQ: Aguerrebere
// et al., "Similarity search in the blink of an eye with compressed indices", 2023, section 3). A coded vector is
// exactly x' = lo + step * code, so distances between coded vectors follow from one integer dot product and are
// exact up to double rounding; |x - x'| is stored, which makes a certain bound of the true distance:
//   |d(q, x) - d(q', x')| <= |q - q'| + |x - x'|.
#pragma once

#include "codec/codec.h"

namespace vext::codec {

struct Sq8Factors {
    float lo;
    float step;
    uint32_t sum;     // of the code bytes
    uint32_t sum_sq;  // of their squares
    float residual;   // |x - x'| rounded up, in l1 norm for l1, else Euclidean; inf: no bound can be promised
};
static_assert(sizeof(Sq8Factors) == 20);

std::span<const Codec> sq8_codecs();

}  // namespace vext::codec
