// Cosine distance from the three sums that define it.
#pragma once

#include <algorithm>
#include <cmath>

#include "simd/kernels.h"

namespace vext {

// NaN for a zero vector, which std::clamp passes on.
inline double cosine_distance_of(const simd::CosineSums& sums) {
    const double norms = std::sqrt(double{sums.norm_a_sq} * double{sums.norm_b_sq});
    return 1.0 - std::clamp(double{sums.dot} / norms, -1.0, 1.0);
}

}  // namespace vext
