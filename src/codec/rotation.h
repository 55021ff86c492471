// A random rotation that is the same everywhere: rounds of random signs and fast Hadamard transforms over two
// overlapping windows whose length is a power of two (as in the fast Johnson-Lindenstrauss transform: Ailon and Chazelle
// 2006). It spreads what a vector has in few dimensions evenly over all, and keeps distances.
#pragma once

#include <cstdint>

namespace vext::codec {

// Dimensions of a rotated vector: a multiple of 64.
inline uint32_t rotated_dims(uint32_t dim) { return (dim + 63) / 64 * 64; }

// `out` has rotated_dims(dim) floats.
void rotate(const float* x, uint32_t dim, float* out);

}  // namespace vext::codec
