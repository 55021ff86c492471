// Reading a float from text, fast, with exactly the result of strtof in the C locale. No Postgres here.
#pragma once

#include <bit>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>

namespace vext {

namespace float_text {

inline constexpr double kPowerOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline constexpr int kMaxExactPower = 22;      // the last power of ten that a double holds exactly
inline constexpr ptrdiff_t kMaxDigits = 19;    // as many always fit 64 bits
inline constexpr uint64_t kMaxExactInt = uint64_t{1} << 53;

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Eight digits at a time: bytes are tested and then joined pairwise, fourwise, all. Little endian only.
inline bool all_digits(uint64_t eight) {
    return ((eight & (eight + 0x0606060606060606)) & 0xF0F0F0F0F0F0F0F0) == 0x3030303030303030;
}
inline uint64_t join_digits(uint64_t eight) {
    eight -= 0x3030303030303030;
    eight = eight * 10 + (eight >> 8);
    return (((eight & 0x000000FF000000FF) * 0x000F424000000064) +
            (((eight >> 16) & 0x000000FF000000FF) * 0x0000271000000001)) >> 32;
}

// Appends the digits at p to *sum (modulo 2^64) and returns their end.
inline const char* take_digits(const char* p, const char* end, uint64_t* sum) {
    if constexpr (std::endian::native == std::endian::little) {
        while (end - p >= 8) {
            uint64_t eight;
            std::memcpy(&eight, p, 8);
            if (!all_digits(eight)) break;
            *sum = *sum * 100000000 + join_digits(eight);
            p += 8;
        }
    }
    for (; is_digit(*p); p++) *sum = *sum * 10 + static_cast<uint64_t>(*p - '0');
    return p;
}

// Reads e[+-]digits into *scale. nullptr: not an exponent of a sane size.
inline const char* take_exponent(const char* p, int* scale) {
    p++;
    const bool negative = *p == '-';
    if (negative || *p == '+') p++;
    const char* first = p;
    int value = 0;
    for (; is_digit(*p) && p - first < 4; p++) value = value * 10 + (*p - '0');
    if (p == first || is_digit(*p)) return nullptr;
    *scale += negative ? -value : value;
    return p;
}

// Numbers of few digits: digits and power of ten are both exact in double, so the one operation on them
// rounds correctly. Rounding that to float equals rounding the true value, unless the double lies exactly
// halfway between two floats (the true value may lie on either side), and holds for normal floats only.
inline const char* read_short_decimal(const char* p, const char* end, float* out) {
    const bool negative = *p == '-';
    if (negative) p++;
    const char* first = p;
    uint64_t digits = 0;
    int scale = 0;
    p = take_digits(p, end, &digits);
    ptrdiff_t count = p - first;
    if (*p == '.') {
        const char* fraction = ++p;
        p = take_digits(p, end, &digits);
        count += p - fraction;
        if (count > kMaxDigits) return nullptr;
        scale = -static_cast<int>(p - fraction);
    }
    if (count == 0 || count > kMaxDigits || digits > kMaxExactInt) return nullptr;
    if ((*p == 'e' || *p == 'E') && (p = take_exponent(p, &scale)) == nullptr) return nullptr;
    if (digits == 0) {
        *out = negative ? -0.0f : 0.0f;
        return p;
    }
    if (scale < -kMaxExactPower || scale > kMaxExactPower) return nullptr;
    double value = static_cast<double>(digits);
    value = scale < 0 ? value / kPowerOfTen[-scale] : value * kPowerOfTen[scale];
    const bool halfway = (std::bit_cast<uint64_t>(value) & 0x1FFFFFFF) == 0x10000000;
    if (halfway || value < double{FLT_MIN} || value > double{FLT_MAX}) return nullptr;
    *out = static_cast<float>(negative ? -value : value);
    return p;
}

}  // namespace float_text

// Reads the number at p and returns its end; [p, end) is followed by a NUL. nullptr: only strtof can tell
// (no number here, a sign '+', nan, infinity, a result of zero or beyond the range). Hexadecimal numbers look
// like a zero that ends at the 'x'.
inline const char* read_float(const char* p, const char* end, float* out) {
    if constexpr (FLT_EVAL_METHOD == 0) {
        if (const char* after = float_text::read_short_decimal(p, end, out)) return after;
    }
    const auto [after, error] = std::from_chars(p, end, *out);
    if (error != std::errc{} || *out == 0 || !std::isfinite(*out)) return nullptr;
    return after;
}

}  // namespace vext
