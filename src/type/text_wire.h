// Steps of reading text and of the binary wire form that all vector types share.
#pragma once

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "pg/postgres.h"
#include "type/checks.h"
#include "type/float_text.h"

namespace vext {

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline const char* skip_space(const char* p) {
    while (is_space(*p)) p++;
    return p;
}

// The float at p, and where it ends, by strtof: whatever read_float leaves. zero_fits: a number too small to be told
// from zero is one, and not out of range.
inline const char* read_float_slow(const char* type, const char* p, const char* text, bool zero_fits, float* out) {
    char* after;
    if (*p == '\0') fail_syntax(type, text, nullptr);
    errno = 0;
    *out = std::strtof(p, &after);
    if (after == p) fail_syntax(type, text, nullptr);
    if (errno == ERANGE && (std::isinf(*out) || (!zero_fits && *out == 0)))
        fail_out_of_range(type, p, static_cast<size_t>(after - p));
    return after;
}

// Network byte order of an element's bits.
inline uint32 swap_bits(uint32 bits) { return pg_hton32(bits); }
inline uint16 swap_bits(uint16 bits) { return pg_hton16(bits); }
template <class Value>
using Bits = std::conditional_t<sizeof(Value) == 4, uint32, uint16>;

template <class Value>
void copy_swapped(void* to, const void* from, int n) {
    for (int i = 0; i < n; i++) {
        Bits<Value> bits;
        std::memcpy(&bits, static_cast<const char*>(from) + i * sizeof bits, sizeof bits);
        bits = swap_bits(bits);
        std::memcpy(static_cast<char*>(to) + i * sizeof bits, &bits, sizeof bits);
    }
}

}  // namespace vext
