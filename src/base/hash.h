// Hashing and random numbers that are the same on every machine and run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vext {

// splitmix64's finalizer (Steele, Lea, Flood 2014).
inline uint64_t mix64(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

inline uint64_t hash_bytes64(const void* data, size_t bytes) {
    const auto* p = static_cast<const uint8_t*>(data);
    uint64_t h = mix64(bytes);
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    if (bytes > 0) memcpy(&tail, p, bytes);
    return mix64(h ^ tail);
}

// Uniform in (0, 1].
inline double unit_interval(uint64_t bits) { return static_cast<double>((bits >> 11) + 1) * 0x1.0p-53; }

}  // namespace vext
