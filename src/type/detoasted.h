// A variable-length SQL argument, out of any toast and aligned.
#pragma once

#include <cstring>

#include "pg/postgres.h"

namespace vext {

// Short values (a one-byte header, so the rest at odd addresses) are copied into the object itself: no palloc for small
// ones. No destructor; a comparison function must call release(), since sorts call it often in one memory context.
class Detoasted {
public:
    explicit Detoasted(Datum datum) {
        auto* raw = reinterpret_cast<struct varlena*>(DatumGetPointer(datum));
        if (!VARATT_IS_EXTENDED(raw)) {
            value_ = raw;
        } else if (VARATT_IS_SHORT(raw) && !VARATT_IS_EXTERNAL(raw)) {  // the former is true of both
            const size_t payload = VARSIZE_SHORT(raw) - VARHDRSZ_SHORT;
            std::memcpy(short_ + VARHDRSZ, VARDATA_SHORT(raw), payload);
            value_ = short_;
            SET_VARSIZE(value_, payload + VARHDRSZ);
        } else {
            value_ = pg_detoast_datum(raw);
            copied_ = true;
        }
    }
    Detoasted(const Detoasted&) = delete;
    Detoasted& operator=(const Detoasted&) = delete;

    void* get() const { return value_; }
    size_t size() const { return VARSIZE(value_); }
    void release() {
        if (copied_) pfree(value_);
    }

private:
    void* value_;
    bool copied_ = false;
    alignas(8) char short_[VARHDRSZ + VARATT_SHORT_MAX];
};

}  // namespace vext
