// The conditions of a scan on attributes, made ready to be tested on what an index keeps of a row.
#pragma once

#include <cstring>

#include "pg/postgres.h"

#include "format/hnsw_format.h"
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

    // The attributes that are tested, a bit each.
    uint32 tested() const { return tested_nulls_; }
    // Of the slots of a page, those that may have a row that passes: hits[slot] is not 0. Attribute i has its sketch at
    // sketches + i * stride. `hits` has room for the slots rounded up to a multiple of 16.
    void sketched(const char* sketches, size_t stride, uint32 slots, uint8* hits) const;

private:
    struct Range {
        uint64 low, width;
        uint32 attribute;
    };
    // So many members are tried one by one.
    static constexpr uint32 kFew = 8;
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
    void sketched_members(const Test& test, const format::AttributeSketch* sketch, uint32 slots, uint8* hits) const;
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
