#include "index/attribute_place.h"

namespace vext::index {
namespace {

constexpr Place kAnywhere = {PG_INT64_MIN, PG_INT64_MAX, false};
// What clocks are put forward or back, and zones apart, is less.
constexpr int64 kTwoDays = 2 * USECS_PER_DAY;

Place exactly(int64 value) { return {value, value}; }

// A constant that was converted to microseconds; beyond all finite ones where that overflowed.
Place converted(int64 value, int overflow) {
    if (overflow > 0) return {PG_INT64_MAX, PG_INT64_MAX - 1};
    if (overflow < 0) return {PG_INT64_MIN + 1, PG_INT64_MIN};
    return exactly(value);
}

// A day among days, by a moment in microseconds.
Place place_among_days(Timestamp moment, bool same_zone) {
    if (TIMESTAMP_IS_NOBEGIN(moment)) return exactly(DATEVAL_NOBEGIN);
    if (TIMESTAMP_IS_NOEND(moment)) return exactly(DATEVAL_NOEND);
    int64 day = moment / USECS_PER_DAY - (moment % USECS_PER_DAY < 0);
    if (!same_zone) return {day - 2, day + 2, false};
    return {moment % USECS_PER_DAY == 0 ? day : day + 1, day};
}

// Seconds west of Greenwich at a moment; false beyond what the server can tell.
bool zone_at(TimestampTz moment, int* seconds) {
    pg_tm parts;
    fsec_t fraction;
    return IS_VALID_TIMESTAMP(moment) && timestamp2tm(moment, seconds, &parts, &fraction, nullptr, nullptr) == 0;
}

// A moment among readings of the session's clock. Where that was changed nearby, readings and moments are not in the
// same order.
Place place_among_readings(TimestampTz moment) {
    if (TIMESTAMP_NOT_FINITE(moment)) return exactly(moment);
    int zone, before, after;
    if (zone_at(moment, &zone) && zone_at(moment - kTwoDays, &before) && zone_at(moment + kTwoDays, &after) &&
        before == zone && after == zone) {
        return exactly(moment - int64{zone} * USECS_PER_SEC);
    }
    Place place = kAnywhere;
    int64 bound;
    if (!pg_sub_s64_overflow(moment, 2 * kTwoDays, &bound)) place.first = bound;
    if (!pg_add_s64_overflow(moment, 2 * kTwoDays, &bound)) place.last = bound;
    return place;
}

Place place_moment(AttributeKind kind, Oid type, Datum constant) {
    int overflow = 0;
    if (kind == AttributeKind::date) return place_among_days(DatumGetTimestamp(constant), type == TIMESTAMPOID);
    if (kind == AttributeKind::timestamp && type == TIMESTAMPTZOID) {
        return place_among_readings(DatumGetTimestampTz(constant));
    }
    int64 value;
    if (type == TIMESTAMPOID) {
        value = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(constant), &overflow);
    } else if (kind == AttributeKind::timestamp) {
        value = date2timestamp_opt_overflow(DatumGetDateADT(constant), &overflow);
    } else {
        value = date2timestamptz_opt_overflow(DatumGetDateADT(constant), &overflow);
    }
    return converted(value, overflow);
}

bool is_time(AttributeKind kind) { return kind >= AttributeKind::date && kind <= AttributeKind::timestamptz; }

}  // namespace

Place place_constant(AttributeKind kind, Oid type, Datum constant) {
    AttributeKind other = kind_of_order(type);
    if (other == kind) return exactly(ordered_value(type, constant));
    // An operator that somebody else put into the family.
    if (!is_time(kind) || !is_time(other)) return kAnywhere;
    return place_moment(kind, type, constant);
}

}  // namespace vext::index
