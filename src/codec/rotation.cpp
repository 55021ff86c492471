#include "codec/rotation.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "simd/kernels.h"

namespace vext::codec {

constexpr uint64_t kSeed = 0x76657874726F7461;  // part of the disk format: never change

Rotation::Rotation(uint32_t dim, float* signs) : dim_(dim), signs_(signs) {
    uint32_t n = rotated_dims(dim);
    for (size_t round = 0; round < kRounds; round++) {
        for (uint32_t i = 0; i < n; i += 64, signs += 64) {
            uint64_t bits = mix64(kSeed ^ mix64(static_cast<uint64_t>(round) << 32 | i));
            for (uint32_t j = 0; j < 64; j++) signs[j] = bits >> j & 1 ? -1.0f : 1.0f;
        }
    }
}

void Rotation::apply(const float* x, float* out) const {
    uint32_t n = rotated_dims(dim_);
    uint32_t window = std::bit_floor(n);
    float scale = 1 / std::sqrt(static_cast<float>(window));
    const float* signs = signs_;
    for (size_t round = 0; round < kRounds; round++, signs += n) {
        simd::active->multiply_f32(round == 0 ? x : out, signs, round == 0 ? dim_ : n, out);
        if (round == 0) memset(out + dim_, 0, (n - dim_) * sizeof(float));
        simd::active->hadamard(out, window, scale);
        if (window < n) simd::active->hadamard(out + (n - window), window, scale);
    }
}

}  // namespace vext::codec
