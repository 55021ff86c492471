// How wide a search must be to find a given share of the ten nearest: read off what an index has measured on its own
// rows (format::Calibration). docs/recall-target.md.
#pragma once

#include <algorithm>
#include <cmath>

#include "pg/postgres.h"

#include "format/page_format.h"
#include "index/name_values.h"
#include "page/meta_page.h"
#include "page/page_change.h"

namespace vext::index {

// Of this many nearest rows recall is measured; a search that is asked for more widens as it goes.
inline constexpr size_t kCalibratedRows = 10;
// Where all samples are rows of the index, they miss so many times fewer neighbours than queries do.
inline constexpr double kFewerMissesOfRows = 1.5;
// A change of more than this share of the index makes a calibration stale.
inline constexpr double kStaleShare = 0.2;

// What an index may say of itself. Numbers of rows are doubles, which hold whole numbers up to 2^53.
inline constexpr uint32 kWidest = 65535;
inline bool is_count(double rows) { return rows >= 0 && rows <= 0x1p53; }
inline bool is_possible(const format::Calibration& c) {
    if (!is_count(c.rows) || c.steps > format::kCalibrationSteps) return false;
    format::Calibration::Step before = {0, 0};
    for (uint32 i = 0; i < c.steps; before = c.step[i++]) {
        const auto& [width, recall] = c.step[i];
        if (width <= before.width || width > kWidest || !(recall >= before.recall && recall <= 1)) return false;
    }
    return true;
}

inline bool is_stale(const format::Calibration& c, double changed) { return changed > kStaleShare * c.rows; }

// The width at which so much was found, or 0 where nothing was measured. Between two steps recall is linear in the
// logarithm of the width.
inline uint32 width_for(const format::Calibration& c, double aim) {
    if (c.samples == 0 || c.steps == 0) return 0;
    uint32 i = 0;
    while (i < c.steps && !(c.step[i].recall >= aim)) i++;
    if (i == 0) return c.step[0].width;
    if (i == c.steps) return c.step[i - 1].width;
    const format::Calibration::Step &below = c.step[i - 1], &above = c.step[i];
    double part = (aim - below.recall) / (static_cast<double>(above.recall) - below.recall);
    double width = below.width * std::pow(static_cast<double>(above.width) / below.width, part);
    return static_cast<uint32>(std::ceil(width));
}

// Into the metapage: set(the metapage's contents).
template <typename Meta, typename Set>
void store_calibration(Relation rel, bool logged, Set set) {
    pg::Pin pin{ReadBuffer(rel, page::kMetaBlock)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    page::PageChange record{rel, logged};
    set(page::meta_at<Meta>(record.add(pin.buffer())));
    record.finish();
}

// For vectorext_index_stats(): `changed` of what (nodes, rows) since.
inline void report_calibration(NameValueRows& out, const format::Calibration& c, const char* what, uint64 changed) {
    out.add("calibration", c.samples == 0 ? "none" : is_stale(c, static_cast<double>(changed)) ? "stale" : "fresh");
    if (c.samples > 0) out.add(psprintf("%s changed since calibration", what), changed);
}

// Settings of both access methods; `width` is the setting that a target stands for.
void define_recall_settings(const char* prefix, const char* width, int samples, double* target, int* samples_setting);

}  // namespace vext::index
