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

// What recall of its own rows an index aims at for a target. Queries that are not among the rows are harder: measured,
// they miss 1.15 times as much where they are of the same kind as the rows, and up to twice where they are not (rows are
// whole descriptions, queries a line). The lower the target, the less may be added without asking for far too much.
inline double aim_of(double target) {
    double part = std::min(0.5 + 3 * std::max(0.95 - target, 0.0), 1.0);
    return 1 - part * (1 - target);
}

// The width for a target, or 0 where nothing was measured. Between two steps recall is linear in the logarithm of the
// width.
inline uint32 width_for(const format::Calibration& c, double target) {
    if (c.samples == 0 || c.steps == 0 || c.steps > format::kCalibrationSteps) return 0;
    double aim = aim_of(target);
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
