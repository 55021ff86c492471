// A change of up to four pages as one: one generic WAL record, or, while an index is being built, in place, since a
// build logs all its pages at its end.
#pragma once

#include "pg/postgres.h"

namespace vext::page {

class PageChange {
public:
    PageChange() = default;
    PageChange(Relation rel, bool logged) : record_(logged ? GenericXLogStart(rel) : nullptr) {}

    // The page to be changed of an exclusively locked buffer. Flags are GenericXLogRegisterBuffer's.
    Page add(Buffer buffer, int flags = 0) {
        if (record_ != nullptr) {
            // The first change since a checkpoint is logged as the whole page anyway: nobody need look for what differs.
            if (XLogCheckBufferNeedsBackup(buffer)) flags |= GENERIC_XLOG_FULL_IMAGE;
            return GenericXLogRegisterBuffer(record_, buffer, flags);
        }
        Assert(count_ < MAX_GENERIC_XLOG_PAGES);
        changed_[count_++] = buffer;
        return BufferGetPage(buffer);
    }

    void finish() {
        if (record_ != nullptr) GenericXLogFinish(record_);
        for (int i = 0; i < count_; i++) MarkBufferDirty(changed_[i]);
    }

private:
    GenericXLogState* record_ = nullptr;
    Buffer changed_[MAX_GENERIC_XLOG_PAGES];
    int count_ = 0;
};

}  // namespace vext::page
