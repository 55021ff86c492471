#include "index/attribute_filter.h"

#include <algorithm>

#include "format/ivf_format.h"
#include "index/attribute_place.h"
#include "index/attribute_sketch.h"

namespace vext::index {

struct AttributeFilter::Column {
    uint8 attribute;
    int64 low = PG_INT64_MIN, high = PG_INT64_MAX;
    bool has_set = false;
    ArenaVec<int64> set;  // ascending
    uint64 all_bits = 0;
};

namespace {

// The constants of a key: one, or those of an array that are not NULL.
struct Constants {
    Datum one;
    Datum* values;
    int count;
};

void read_constants(AttributeCoder& coder, const ScanKeyData& key, Constants* constants) {
    *constants = {key.sk_argument, &constants->one, 1};
    if (key.sk_flags & SK_SEARCHARRAY) constants->count = coder.elements(key.sk_argument, &constants->values);
}

Oid constant_type(const AttributeCoder& coder, const ScanKeyData& key) {
    return OidIsValid(key.sk_subtype) ? key.sk_subtype : coder.type();
}

// An interval of values; empty at first.
struct Interval {
    int64 low = PG_INT64_MAX, high = PG_INT64_MIN;

    void take_in(int64 from, int64 to) {
        low = std::min(low, from);
        high = std::max(high, to);
    }
};

// The values that compare so with a constant at that place; one interval takes in several constants of an ANY.
void take_in_values(StrategyNumber strategy, const Place& place, Interval* values) {
    int64 first = place.first, last = place.last;
    switch (strategy) {
        case kLess:
            if (!place.certain) {
                values->take_in(PG_INT64_MIN, last);
            } else if (first > PG_INT64_MIN) {
                values->take_in(PG_INT64_MIN, first - 1);
            }
            break;
        case kLessEqual: values->take_in(PG_INT64_MIN, last); break;
        case kEqual:
            if (first <= last) values->take_in(first, last);
            break;
        case kGreaterEqual: values->take_in(first, PG_INT64_MAX); break;
        default:
            if (!place.certain) {
                values->take_in(first, PG_INT64_MAX);
            } else if (last < PG_INT64_MAX) {
                values->take_in(last + 1, PG_INT64_MAX);
            }
    }
}

}  // namespace

void AttributeFilter::compile(IndexScanDesc scan) {
    for (int i = 0; i < scan->numberOfKeys; i++) {
        const ScanKeyData& key = scan->keyData[i];
        if (key.sk_attno != 1 || (key.sk_flags & SK_SEARCHNOTNULL)) continue;
        if (key.sk_flags & SK_SEARCHNULL) {
            ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot scan %s index for rows without a vector",
                           get_am_name(scan->indexRelation->rd_rel->relam)));
        }
        rechecks_ = true;
    }
    int count = IndexRelationGetNumberOfKeyAttributes(scan->indexRelation) - 1;
    for (int attribute = 0; attribute < count; attribute++) {
        Column column{.attribute = static_cast<uint8>(attribute), .set = ArenaVec<int64>{context_}};
        AttributeCoder coder{scan->indexRelation, attribute};
        for (int i = 0; i < scan->numberOfKeys; i++) {
            if (scan->keyData[i].sk_attno == attribute + 2) add_key(column, coder, scan->keyData[i]);
        }
        finish(column);
    }
}

void AttributeFilter::add_key(Column& column, AttributeCoder& coder, const ScanKeyData& key) {
    auto bit = static_cast<uint16>(1 << column.attribute);
    bool null = (key.sk_flags & SK_SEARCHNULL) != 0;
    if ((tested_nulls_ & bit) != 0 && ((wanted_nulls_ & bit) != 0) != null) never_ = true;
    tested_nulls_ |= bit;
    if (null) wanted_nulls_ |= bit;
    if (null || (key.sk_flags & SK_SEARCHNOTNULL)) return;
    if (key.sk_flags & SK_ISNULL) {
        never_ = true;
        return;
    }
    bool known = coder.kind() == AttributeKind::signature ? key.sk_strategy == kOverlaps || key.sk_strategy == kContains
                 : coder.kind() == AttributeKind::hash    ? key.sk_strategy == kEqual
                                                          : key.sk_strategy <= kGreater;
    if (!is_ordered(coder.kind())) {
        rechecks_ = true;
        // Operators of other types that somebody put into the family, whose hashes nobody knows.
        known &= constant_type(coder, key) == coder.type();
        if (coder.kind() == AttributeKind::signature) known &= (key.sk_flags & SK_SEARCHARRAY) == 0;
    }
    if (!known) {
        rechecks_ = true;
    } else if (coder.kind() == AttributeKind::signature) {
        add_array_test(column, coder, key);
    } else {
        add_comparison(column, coder, key);
    }
}

void AttributeFilter::add_comparison(Column& column, AttributeCoder& coder, const ScanKeyData& key) {
    Constants constants;
    read_constants(coder, key, &constants);
    Interval values;
    ArenaVec<int64> points{context_};
    bool only_points = key.sk_strategy == kEqual;
    for (int i = 0; i < constants.count; i++) {
        Place place;
        if (coder.kind() == AttributeKind::hash) {
            place.first = place.last = static_cast<int64>(coder.hash(constants.values[i]));
        } else {
            place = place_constant(coder.kind(), constant_type(coder, key), constants.values[i]);
        }
        rechecks_ |= !place.certain;
        take_in_values(key.sk_strategy, place, &values);
        if (place.first == place.last) points.push_back(place.first);
        if (place.first < place.last) only_points = false;
    }
    column.low = std::max(column.low, values.low);
    column.high = std::min(column.high, values.high);
    if (only_points && points.size() > 1) add_set(column, points);
}

void AttributeFilter::add_set(Column& column, ArenaVec<int64>& values) {
    std::sort(values.begin(), values.end());
    auto end = std::unique(values.begin(), values.end());
    if (column.has_set) {
        const ArenaVec<int64>& other = column.set;
        end = std::remove_if(values.begin(), end,
                             [&](int64 v) { return !std::binary_search(other.begin(), other.end(), v); });
    }
    values.resize_uninitialized(static_cast<size_t>(end - values.begin()));
    column.set = values;
    column.has_set = true;
}

void AttributeFilter::add_array_test(Column& column, AttributeCoder& coder, const ScanKeyData& key) {
    Datum* elements;
    int n = coder.elements(key.sk_argument, &elements);
    ArenaVec<int64> masks{context_};
    for (int i = 0; i < n; i++) {
        uint64 bits = signature_bits(coder.hash(elements[i]));
        if (key.sk_strategy == kContains) column.all_bits |= bits;
        masks.push_back(static_cast<int64>(bits));
    }
    if (key.sk_strategy == kContains) return;
    if (n == 0) never_ = true;  // nothing overlaps an empty array
    add_test(Test::What::any_bits, column.attribute, masks);
}

void AttributeFilter::add_test(Test::What what, uint8 attribute, const ArenaVec<int64>& members) {
    auto begin = static_cast<uint32>(members_.size());
    for (int64 m : members) members_.push_back(m);
    tests_.push_back({what, attribute, begin, static_cast<uint32>(members_.size())});
}

void AttributeFilter::finish(Column& column) {
    if (column.has_set) {
        ArenaVec<int64> kept{context_};
        for (int64 v : column.set) {
            if (v >= column.low && v <= column.high) kept.push_back(v);
        }
        // What is left lies within narrower bounds, which are tested first.
        column.low = kept.empty() ? PG_INT64_MAX : kept[0];
        column.high = kept.empty() ? PG_INT64_MIN : kept.back();
        if (kept.size() > 1) add_test(Test::What::among, column.attribute, kept);
    }
    if (column.low > column.high) never_ = true;
    if (column.low > PG_INT64_MIN || column.high < PG_INT64_MAX) {
        auto low = static_cast<uint64>(column.low);
        ranges_.push_back({low, static_cast<uint64>(column.high) - low, column.attribute});
    }
    if (column.all_bits != 0) {
        ArenaVec<int64> mask{context_};
        mask.push_back(static_cast<int64>(column.all_bits));
        add_test(Test::What::all_bits, column.attribute, mask);
    }
}

uint32 AttributeFilter::passing(const char* columns, uint32 rows) const {
    constexpr size_t kStride = format::kIvfAttributeBytes, kHeader = sizeof(format::IvfAttribute);
    for (uint32 tested = tested_nulls_; tested != 0; tested &= tested - 1) {
        auto attribute = static_cast<uint32>(__builtin_ctz(tested));
        uint32 nulls;
        memcpy(&nulls, columns + attribute * kStride, sizeof nulls);
        rows &= wanted_nulls_ >> attribute & 1 ? nulls : ~nulls;
    }
    for (const Range& r : ranges_) {
        if (rows == 0) return 0;
        const char* column = columns + r.attribute * kStride + kHeader;
        uint32 within = 0;
        for (uint32 row = 0; row < 32; row++) {
            within |= static_cast<uint32>(static_cast<uint64>(value_at(column, row)) - r.low <= r.width) << row;
        }
        rows &= within;
    }
    for (uint32 left = tests_.size() == 0 ? 0 : rows; left != 0; left &= left - 1) {
        auto row = static_cast<uint32>(__builtin_ctz(left));
        if (!passes_tests(columns + kHeader + row * sizeof(int64), kStride)) rows &= ~(1u << row);
    }
    return rows;
}

namespace {

using Bytes = uint8 __attribute__((vector_size(16)));

Bytes load(const uint8* from) {
    Bytes bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

// Which of 16 codes are among these; not those that say "look".
Bytes within(Bytes codes, SketchCodes range) {
    Bytes first{}, width{};
    first += range.first;
    width += static_cast<uint8>(range.last - range.first);
    return range.first > range.last ? Bytes{} : reinterpret_cast<Bytes>(codes - first <= width);
}

Bytes look(Bytes codes) { return reinterpret_cast<Bytes>(codes == (Bytes{} + format::kSketchLook)); }

// hits &= test(codes), 16 at a time.
template <typename TestCodes>
void narrow(const AttributeSketch* sketch, uint32 slots, uint8* hits, TestCodes test) {
    for (uint32 i = 0; i < slots; i += sizeof(Bytes)) {
        Bytes kept = load(hits + i) & test(load(codes_of(sketch) + i));
        memcpy(hits + i, &kept, sizeof kept);
    }
}

const AttributeSketch* nth_sketch(const char* sketches, size_t stride, uint32 n) {
    return reinterpret_cast<const AttributeSketch*>(sketches + n * stride);
}

}  // namespace

void AttributeFilter::sketched(const char* sketches, size_t stride, uint32 slots, uint8* hits) const {
    memset(hits, 0xFF, (slots + sizeof(Bytes) - 1) / sizeof(Bytes) * sizeof(Bytes));
    for (uint32 wanted = wanted_nulls_; wanted != 0; wanted &= wanted - 1) {
        narrow(nth_sketch(sketches, stride, static_cast<uint32>(__builtin_ctz(wanted))), slots, hits, look);
    }
    for (const Range& r : ranges_) {
        const AttributeSketch* sketch = nth_sketch(sketches, stride, r.attribute);
        SketchCodes codes = sketch_codes(*sketch, static_cast<int64>(r.low), static_cast<int64>(r.low + r.width));
        narrow(sketch, slots, hits, [&](Bytes c) { return within(c, codes) | look(c); });
    }
    for (const Test& test : tests_) {
        if (test.what == Test::What::among && test.end - test.begin <= kFew) {
            sketched_members(test, nth_sketch(sketches, stride, test.attribute), slots, hits);
        }
    }
}

void AttributeFilter::sketched_members(const Test& test, const AttributeSketch* sketch, uint32 slots, uint8* hits) const {
    SketchCodes codes[kFew];
    size_t count = 0;
    for (uint32 m = test.begin; m < test.end; m++) codes[count++] = sketch_codes(*sketch, members_[m], members_[m]);
    narrow(sketch, slots, hits, [&](Bytes c) {
        Bytes any = look(c);
        for (size_t i = 0; i < count; i++) any |= within(c, codes[i]);
        return any;
    });
}

bool AttributeFilter::passes_tests(const void* values, size_t stride) const {
    for (const Test& test : tests_) {
        int64 value = value_at(values, test.attribute, stride);
        const int64* begin = members_.data() + test.begin;
        const int64* end = members_.data() + test.end;
        bool ok = false;
        switch (test.what) {
            case Test::What::among:
                if (test.end - test.begin > kFew) {
                    ok = std::binary_search(begin, end, value);
                } else {
                    for (const int64* m = begin; m < end; m++) ok |= *m == value;
                }
                break;
            case Test::What::all_bits: ok = (value & *begin) == *begin; break;
            case Test::What::any_bits:
                for (const int64* m = begin; m < end; m++) ok |= (value & *m) == *m;
                break;
        }
        if (!ok) return false;
    }
    return true;
}

}  // namespace vext::index
