// What a check of an index has found: rows for its caller, or counts.
#pragma once

#include "pg/postgres.h"

namespace vext::check {

// error: the index is damaged, REINDEX it. warning: what a crash or a failed statement left behind; no answer is wrong,
// and the next VACUUM, or REINDEX, clears it away. info: what was looked at.
enum class Severity { info, warning, error };

class Findings {
public:
    // Without a result only counts are kept, and the first finding.
    explicit Findings(ReturnSetInfo* result) : result_(result) {}

    // `slot` is -1 where a finding is of a whole page; `block` is InvalidBlockNumber where it is of the whole index.
    void add(Severity severity, BlockNumber block, int64 slot, const char* format, ...)
        __attribute__((format(printf, 5, 6)));  // pg_attribute_printf of a server built by gcc is gnu_printf: not for clang

    // Says how many findings were too many to be listed.
    void finish();

    uint64 count(Severity severity) const { return counts_[static_cast<int>(severity)]; }
    const char* first_error() const { return first_; }  // empty: there is none

private:
    void put(Severity severity, BlockNumber block, int64 slot, const char* message);

    ReturnSetInfo* result_;
    uint64 counts_[3] = {};
    char first_[256] = "";
};

// Checks an index: index_check.cpp. ERROR for what is no index of ours, or no business of the caller.
void check_index(Oid index, bool all_indexed, Findings& findings);

}  // namespace vext::check
