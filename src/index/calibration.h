// How wide a search must be to find a given share of the ten nearest: read off what an index has measured on its own
// rows (format::Calibration). docs/recall-target.md.
#pragma once

#include <algorithm>
#include <cmath>

#include "pg/postgres.h"

#include "format/page_format.h"

namespace vext::index {

// Of this many nearest rows recall is measured; a search that is asked for more widens as it goes.
inline constexpr size_t kCalibratedRows = 10;
// A change of more than this share of the index makes a calibration stale.
inline constexpr double kStaleShare = 0.2;

inline bool is_stale(const format::Calibration& c, double changed) { return changed > kStaleShare * c.rows; }

// The width at which so much was found, or 0 where nothing was measured. Between two steps recall is linear in the
// logarithm of the width.
inline uint32 width_for(const format::Calibration& c, double aim) {
    if (c.samples == 0 || c.steps == 0 || c.steps > format::kCalibrationSteps) return 0;
    uint32 i = 0;
    while (i < c.steps && !(c.step[i].recall >= aim)) i++;
    if (i == 0) return c.step[0].width;
    if (i == c.steps) return c.step[i - 1].width;
    const format::Calibration::Step &below = c.step[i - 1], &above = c.step[i];
    double part = (aim - below.recall) / (static_cast<double>(above.recall) - below.recall);
    double width = below.width * std::pow(static_cast<double>(above.width) / below.width, part);
    return static_cast<uint32>(std::ceil(width));
}

}  // namespace vext::index
