// Sketches: what a page says of the attributes of all its rows in a byte each, so that a scan that looks for few rows
// need not look at each row. A sketch may let rows through that do not pass, and never leaves one out that does.
#pragma once

#include <algorithm>

#include "pg/postgres.h"

#include "format/hnsw_format.h"

namespace vext::index {

using format::AttributeSketch;

inline uint8* codes_of(AttributeSketch* sketch) { return reinterpret_cast<uint8*>(sketch + 1); }
inline const uint8* codes_of(const AttributeSketch* sketch) { return reinterpret_cast<const uint8*>(sketch + 1); }

// The code of a value; kSketchLook where it is out of the sketch's range.
inline uint8 sketch_code(const AttributeSketch& sketch, int64 value) {
    if (value < sketch.base) return format::kSketchLook;
    uint64 code = (static_cast<uint64>(value) - static_cast<uint64>(sketch.base)) >> (sketch.shift & 63);
    return static_cast<uint8>(std::min<uint64>(code, format::kSketchLook));
}

// Codes of values from low to high, kSketchLook aside; none: first > last.
struct SketchCodes {
    uint8 first, last;
};
inline SketchCodes sketch_codes(const AttributeSketch& sketch, int64 low, int64 high) {
    if (high < sketch.base) return {1, 0};
    SketchCodes codes{low < sketch.base ? uint8{0} : sketch_code(sketch, low), sketch_code(sketch, high)};
    codes.last = std::min<uint8>(codes.last, format::kSketchLook - 1);
    return codes;
}

// What a row holds of one attribute, for its sketch.
struct SketchedValue {
    bool exists;  // there is a row
    bool look;    // it must be looked at
    int64 value;
};

// Makes a sketch anew: as fine as the values of `rows` rows, value_of(row), allow.
template <typename ValueOf>
void make_sketch(AttributeSketch* sketch, uint32 rows, ValueOf value_of) {
    int64 low = PG_INT64_MAX, high = PG_INT64_MIN;
    for (uint32 i = 0; i < rows; i++) {
        SketchedValue v = value_of(i);
        if (!v.exists || v.look) continue;
        low = std::min(low, v.value);
        high = std::max(high, v.value);
    }
    uint64 width = low > high ? 0 : static_cast<uint64>(high) - static_cast<uint64>(low);
    uint8 shift = 0;
    while (width >> shift >= format::kSketchLook) shift++;
    sketch->base = low > high ? 0 : low;
    sketch->shift = shift;
    sketch->changes++;
    for (uint32 i = 0; i < rows; i++) {
        SketchedValue v = value_of(i);
        codes_of(sketch)[i] = !v.exists ? 0 : v.look ? format::kSketchLook : sketch_code(*sketch, v.value);
    }
}

// One row is new, or has changed.
template <typename ValueOf>
void change_sketch(AttributeSketch* sketch, uint32 rows, uint32 row, ValueOf value_of) {
    SketchedValue v = value_of(row);
    uint8 code = v.look ? format::kSketchLook : sketch_code(*sketch, v.value);
    if (!v.look && code == format::kSketchLook) return make_sketch(sketch, rows, value_of);
    codes_of(sketch)[row] = code;
}

// Whether a sketch lets a row through where it should.
inline bool is_sketched(const AttributeSketch* sketch, uint32 row, const SketchedValue& v) {
    uint8 code = codes_of(sketch)[row];
    return code == format::kSketchLook || (!v.look && code == sketch_code(*sketch, v.value));
}

// Whether all but the codes of rows is as it must be.
inline bool is_valid_sketch(const AttributeSketch* sketch, uint32 rows) {
    const uint8* codes = codes_of(sketch);
    const uint8* end = reinterpret_cast<const uint8*>(sketch) + format::sketch_bytes(rows);
    auto zero = [](uint8 byte) { return byte == 0; };
    return sketch->shift < 64 && std::all_of(codes + rows, end, zero) &&
           std::all_of(std::begin(sketch->reserved), std::end(sketch->reserved), zero);
}

}  // namespace vext::index
