// The conditions of a scan on attributes, made ready to be tested on what an index keeps of a row.
#pragma once

#include <cstring>

#include "pg/postgres.h"

#include "index/attributes.h"
#include "pg/arena.h"

namespace vext::index {

class AttributeFilter {
public:
    explicit AttributeFilter(MemoryContext context)
        : context_(context), ranges_(context), tests_(context), members_(context) {}

    // From the scan's keys. Those on the vector's own column are not tested here, and all but IS NOT NULL are left to
    // the executor. ERROR for IS NULL there: rows without a vector are in no index.
    void compile(IndexScanDesc scan);

    // Whether there is anything to test.
    bool filters() const { return never_ || tested_nulls_ != 0; }
    // No row can pass.
    bool never() const { return never_; }
    // A row that passes may still fail the conditions.
    bool rechecks() const { return rechecks_; }

    // `values`: 8 bytes for each attribute, of any alignment. Not to be asked where never().
    bool passes(const void* values, uint16 nulls) const {
        bool ok = (nulls & tested_nulls_) == wanted_nulls_;
        for (const Range& r : ranges_) ok &= static_cast<uint64>(value_at(values, r.attribute)) - r.low <= r.width;
        return ok && (tests_.size() == 0 || passes_tests(values, sizeof(int64)));
    }
    // Of the rows of a block, a bit each, those that pass; its attributes stand column by column (format::IvfAttribute).
    // Not to be asked where never().
    uint32 passing(const char* columns, uint32 rows) const;

    // For many rows in turn: what most filters are, one range of one attribute, without a loop.
    struct First {
        uint64 low, width;
        uint32 offset;
        uint16 tested_nulls, wanted_nulls;
        bool all;  // there is nothing more to test

        bool passes(const void* values, uint16 nulls) const {
            uint64 value;
            memcpy(&value, static_cast<const char*>(values) + offset, sizeof value);
            return (nulls & tested_nulls) == wanted_nulls && value - low <= width;
        }
    };
    First first() const {
        if (ranges_.size() == 0) return {0, ~uint64{0}, 0, tested_nulls_, wanted_nulls_, tests_.size() == 0};
        const Range& r = ranges_[0];
        return {r.low, r.width, r.attribute * static_cast<uint32>(sizeof(int64)), tested_nulls_, wanted_nulls_,
                ranges_.size() == 1 && tests_.size() == 0};
    }

private:
    struct Range {
        uint64 low, width;
        uint32 attribute;
    };
    // Against members [begin, end).
    struct Test {
        enum class What : uint8 { among, all_bits, any_bits } what;
        uint8 attribute;
        uint32 begin, end;
    };
    // What is known of one attribute while keys are read.
    struct Column;

    // `stride`: from one attribute's value to that of the next one.
    static int64 value_at(const void* values, size_t attribute, size_t stride = sizeof(int64)) {
        int64 value;
        memcpy(&value, static_cast<const char*>(values) + attribute * stride, sizeof value);
        return value;
    }
    bool passes_tests(const void* values, size_t stride) const;
    void add_key(Column& column, AttributeCoder& coder, const ScanKeyData& key);
    void add_comparison(Column& column, AttributeCoder& coder, const ScanKeyData& key);
    void add_array_test(Column& column, AttributeCoder& coder, const ScanKeyData& key);
    void add_set(Column& column, ArenaVec<int64>& values);
    void add_test(Test::What what, uint8 attribute, const ArenaVec<int64>& members);
    void finish(Column& column);

    MemoryContext context_;
    ArenaVec<Range> ranges_;
    ArenaVec<Test> tests_;
    ArenaVec<int64> members_;
    uint16 tested_nulls_ = 0, wanted_nulls_ = 0;
    bool never_ = false, rechecks_ = false;
};

}  // namespace vext::index
