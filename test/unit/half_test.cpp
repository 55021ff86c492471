// Half precision: all halves, and all the places between two halves where rounding turns, against plain arithmetic.
#include "base/half.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "test_util.h"

using vext::float_to_half;
using vext::Half;
using vext::half_to_float;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double value_of(Half h) {
    const int exponent = h.bits >> 10 & 31, mantissa = h.bits & 0x3FF;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return h.bits & 0x8000 ? -magnitude : magnitude;
}

// The nearest half of a finite float, ties to even: in units of the last place, which a double holds exactly.
uint16_t nearest(float f) {
    const double magnitude = std::fabs(double(f));
    int exponent = 0;
    std::frexp(magnitude, &exponent);
    const int place = std::max(exponent - 11, -24);
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -place)), place);
    const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
    if (rounded > 65504) return sign | 0x7C00;
    if (rounded < 0x1p-14) return sign | uint16_t(rounded * 0x1p24);
    std::frexp(rounded, &exponent);
    return uint16_t(sign | (exponent + 14) << 10 | (int(std::ldexp(rounded, 11 - exponent)) & 0x3FF));
}

void check_float(float f) {
    const uint16_t got = float_to_half(f).bits, expected = nearest(f);
    CHECK(got == expected, "%a: %04x, nearest %04x", double(f), got, expected);
}

void check_all_halves() {
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const Half h{uint16_t(bits)};
        const float f = half_to_float(h);
        const bool special = (bits & 0x7C00) == 0x7C00, mantissa = (bits & 0x3FF) != 0;
        CHECK(is_nan(h) == (special && mantissa) && is_inf(h) == (special && !mantissa));
        CHECK(is_zero(h) == ((bits & 0x7FFF) == 0));
        if (special) {
            CHECK(mantissa ? std::isnan(f) : f == ((bits & 0x8000) ? -kInfinity : kInfinity));
            CHECK(float_to_half(f).bits == (mantissa ? bits | 0x200 : bits));  // a NaN comes out quiet
            continue;
        }
        CHECK(double(f) == value_of(h) && std::signbit(f) == (bits >= 0x8000), "%04x: %a", bits, double(f));
        CHECK(float_to_half(f).bits == bits);
        // Halfway to the next half, which is exact in float, and one float to either side.
        const Half next{uint16_t(bits + 1)};
        const float between = float((value_of(h) + value_of(next)) / 2);  // beyond 65504 lies 65536
        check_float(between);
        check_float(std::nextafter(between, kInfinity));
        check_float(std::nextafter(between, -kInfinity));
        check_float(std::nextafter(f, kInfinity));
        check_float(std::nextafter(f, -kInfinity));
    }
}

void check_random_floats() {
    vext::test::Random rng{2};
    for (int i = 0; i < 1000000; i++) {
        const float f = std::bit_cast<float>(uint32_t(rng.next()));
        if (std::isfinite(f)) check_float(f);
        else if (std::isnan(f)) CHECK(is_nan(float_to_half(f)));
    }
    check_float(std::numeric_limits<float>::max());
    check_float(std::numeric_limits<float>::denorm_min());
    check_float(-0.0f);
}

}  // namespace

int main() {
    check_all_halves();
    check_random_floats();
    return vext::test::finish("half");
}
