// Float rounding, bounded. The SQL operators sum float32 products in an order that depends on the instruction set;
// the proven worst case for any order is what a lower bound has to leave room for (Higham, Accuracy and Stability
// of Numerical Algorithms, section 4.2).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace vext::codec {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Relative error of a float32 sum of `dim` rounded terms, any order: gamma_n with a little to spare.
inline double sum_error(uint32_t dim) { return (dim + 8) * 0x1.04p-24; }

// Absolute error from products that underflow.
inline double underflow_error(uint32_t dim) { return dim * 0x1.0p-148; }

inline float round_down(double x) {
    auto f = static_cast<float>(x);
    return f > x ? std::nextafter(f, -std::numeric_limits<float>::infinity()) : f;
}

inline float round_up(double x) {
    auto f = static_cast<float>(x);
    return f < x ? std::nextafter(f, std::numeric_limits<float>::infinity()) : f;
}

// NaN (from inf - inf) and negatives become 0: distances that cannot be negative.
inline double at_least_zero(double x) { return x > 0 ? x : 0; }

}  // namespace vext::codec
