// A random rotation that is the same everywhere: rounds of random signs and fast Hadamard transforms over two
// overlapping windows whose length is a power of two (as in the fast Johnson-Lindenstrauss transform: Ailon and
// Chazelle 2006). It spreads what a vector has in few dimensions evenly over all, and keeps distances.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vext::codec {

// Dimensions of a rotated vector: a multiple of 64.
inline uint32_t rotated_dims(uint32_t dim) { return (dim + 63) / 64 * 64; }

class Rotation {
public:
    static size_t signs_for(uint32_t dim) { return kRounds * rotated_dims(dim); }

    // `signs` has signs_for(dim) floats and lives as long as the rotation.
    Rotation(uint32_t dim, float* signs);

    // `out` has rotated_dims(dim) floats.
    void apply(const float* x, float* out) const;

private:
    static constexpr size_t kRounds = 3;

    uint32_t dim_;
    const float* signs_;
};

}  // namespace vext::codec
