#include "codec/rotation.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/hash.h"

namespace vext::codec {
namespace {

constexpr int kRounds = 3;
constexpr uint64_t kSeed = 0x76657874726F7461;  // part of the disk format: never change

void flip_signs(float* x, uint32_t n, int round) {
    for (uint32_t i = 0; i < n; i += 64) {
        uint64_t signs = mix64(kSeed ^ mix64(static_cast<uint64_t>(round) << 32 | i));
        for (uint32_t j = 0; j < 64; j++) {
            uint32_t word;
            memcpy(&word, x + i + j, sizeof word);
            word ^= static_cast<uint32_t>(signs >> j & 1) << 31;
            memcpy(x + i + j, &word, sizeof word);
        }
    }
}

// Two levels at once where the distance is small: the loops of the later ones are long enough to be vectorized.
void hadamard(float* x, uint32_t n, float scale) {
    for (uint32_t i = 0; i < n; i += 4) {
        float a = x[i] + x[i + 1], b = x[i] - x[i + 1], c = x[i + 2] + x[i + 3], d = x[i + 2] - x[i + 3];
        x[i] = scale * (a + c);
        x[i + 1] = scale * (b + d);
        x[i + 2] = scale * (a - c);
        x[i + 3] = scale * (b - d);
    }
    for (uint32_t h = 4; h < n; h *= 2) {
        for (uint32_t i = 0; i < n; i += 2 * h) {
            float* __restrict lower = x + i;
            float* __restrict upper = x + i + h;
            for (uint32_t j = 0; j < h; j++) {
                float a = lower[j], b = upper[j];
                lower[j] = a + b;
                upper[j] = a - b;
            }
        }
    }
}

}  // namespace

void rotate(const float* x, uint32_t dim, float* out) {
    uint32_t n = rotated_dims(dim);
    memcpy(out, x, dim * sizeof(float));
    memset(out + dim, 0, (n - dim) * sizeof(float));
    uint32_t window = std::bit_floor(n);
    float scale = 1 / std::sqrt(static_cast<float>(window));
    for (int round = 0; round < kRounds; round++) {
        flip_signs(out, n, round);
        hadamard(out, window, scale);
        if (window < n) hadamard(out + (n - window), window, scale);
    }
}

}  // namespace vext::codec
