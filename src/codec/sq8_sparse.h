// Codec sq8 of sparse vectors: a byte per element and the gaps between indices. A coded vector is exactly
//   x'[index] = step * (byte - zero), and 0 at every other index,
// so distances between coded vectors follow from one integer dot product over the indices in common. |x - x'| is
// stored, whatever the code left out: small values that became the byte of zero, and of a vector with too many elements
// the smallest. That makes a certain bound of the true distance, as for dense vectors (sq8.h).
#pragma once

#include "codec/codec.h"

namespace vext::codec {

// `count` gaps of `width` bytes follow, then as many bytes of values, then zeros up to a multiple of 4. A gap is the
// number of indices that are skipped. Where one does not fit into its bytes, elements of value 0 bridge it.
struct SparseFactors {
    uint16_t count;
    uint16_t nnz;  // of the vector that was coded
    uint8_t width;
    uint8_t zero;
    uint16_t reserved;
    float step;
    uint32_t size;   // sum of (byte - zero)^2; under l1 of |byte - zero|
    float residual;  // |x - x'| rounded up, in l1 norm for l1, else Euclidean; inf: no bound can be promised
};
static_assert(sizeof(SparseFactors) == kMinSparseCode);

std::span<const Codec> sparse_codecs();

}  // namespace vext::codec
