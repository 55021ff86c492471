// The heap rows that a scan is about to hand out, brought nearer before the executor fetches them: pages that are on
// disk are asked for, pages in memory are prefetched into the processor's caches, one row after the other.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

class HeapAhead {
public:
    // How many rows before it is handed out a row is announced, and its tuple touched.
    static constexpr size_t kAnnounce = 4;
    static constexpr size_t kTouch = 2;

    // nullptr, or a table that is no heap: does nothing.
    explicit HeapAhead(Relation heap);

    // Looks the row's page up. Gives where it was found, for touch().
    Buffer announce(const ItemPointerData& tid) const;
    // Prefetches the row itself, through its line pointer. The page is not pinned: all it reads is a hint.
    void touch(Buffer buffer, const ItemPointerData& tid) const;

private:
    Relation heap_;
};

}  // namespace vext::index
