// A set-returning function's rows of (name, value).
#pragma once

#include "pg/postgres.h"

namespace vext::index {

class NameValueRows {
public:
    explicit NameValueRows(ReturnSetInfo* result) : result_(result) {}

    void add(const char* name, const char* value) {
        Datum values[] = {CStringGetTextDatum(name), CStringGetTextDatum(value)};
        bool nulls[] = {false, false};
        tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
    }
    void add(const char* name, uint64 value) { add(name, psprintf(UINT64_FORMAT, value)); }
    // A share of something, per row.
    void add(const char* name, uint64 sum, uint64 count) {
        if (count > 0) add(name, psprintf("%.1f", static_cast<double>(sum) / static_cast<double>(count)));
    }

private:
    ReturnSetInfo* result_;
};

}  // namespace vext::index
