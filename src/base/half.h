// Half precision (IEEE 754 binary16) in portable code, bit for bit what the machines' instructions give: widening is
// exact, narrowing rounds to nearest even, NaNs come out quiet. Loops over these vectorize. Always inlined, so that no
// two instruction sets share a copy.
#pragma once

#include <cstdint>

namespace vext {

struct Half {
    uint16_t bits;
};

// std::bit_cast, always inlined as well.
template <class To, class From>
[[gnu::always_inline]] constexpr To bits_as(From from) {
    return __builtin_bit_cast(To, from);
}

inline constexpr float kMaxHalf = 65504;

[[gnu::always_inline]] constexpr bool is_nan(Half h) { return (h.bits & 0x7FFF) > 0x7C00; }
[[gnu::always_inline]] constexpr bool is_inf(Half h) { return (h.bits & 0x7FFF) == 0x7C00; }
[[gnu::always_inline]] constexpr bool is_zero(Half h) { return (h.bits & 0x7FFF) == 0; }

// Exponent and mantissa of a finite half, moved to their places in a float, are 2^112 times too small; the product is
// exact, and makes subnormal halves normal floats.
[[gnu::always_inline]] constexpr float half_to_float(Half h) {
    const uint32_t magnitude = h.bits & 0x7FFFu, sign = (h.bits & 0x8000u) << 16;
    const uint32_t finite = bits_as<uint32_t>(bits_as<float>(magnitude << 13) * 0x1p112f);
    const uint32_t quiet = magnitude > 0x7C00 ? 0x400000u : 0u;
    const uint32_t special = 0x7F800000u | (magnitude & 0x3FF) << 13 | quiet;
    return bits_as<float>(sign | (magnitude < 0x7C00 ? finite : special));
}

[[gnu::always_inline]] constexpr Half float_to_half(float f) {
    const uint32_t bits = bits_as<uint32_t>(f), magnitude = bits & 0x7FFFFFFFu, sign = bits >> 16 & 0x8000u;
    // Up to 2^-14: in [0.5, 1) the floats lie 2^-24 apart like subnormal halves, so the sum rounds as wanted.
    const uint32_t small = bits_as<uint32_t>(bits_as<float>(magnitude) + 0.5f) - 0x3F000000u;
    // Then up to 65536: the exponent's new bias, and half of the last place that is kept, less one where that place
    // is even; a carry may reach the exponent, and there infinity.
    const uint32_t normal = (magnitude - 0x38000000u + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    const uint32_t nan = 0x7E00u | (magnitude >> 13 & 0x3FF);
    const uint32_t large = magnitude > 0x7F800000u ? nan : 0x7C00u;
    const uint32_t rounded = magnitude < 0x38800000u ? small : magnitude < 0x47800000u ? normal : large;
    return {static_cast<uint16_t>(sign | rounded)};
}

static_assert(sizeof(Half) == 2);
static_assert(float_to_half(kMaxHalf).bits == 0x7BFF && float_to_half(65520).bits == 0x7C00);
static_assert(half_to_float({0x0001}) == 0x1p-24f && half_to_float({0xFBFF}) == -kMaxHalf);

}  // namespace vext
