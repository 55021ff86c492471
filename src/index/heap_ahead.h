// The heap rows that a scan is about to hand out, brought nearer before the executor fetches them: pages that are on
// disk are asked for, pages in memory are prefetched into the processor's caches, one row after the other, and pinned.
#pragma once

#include <optional>

#include "pg/postgres.h"

#include "page/buffer_hints.h"

namespace vext::index {

class HeapAhead {
public:
    // How many rows before it is handed out a row is announced, and its tuple touched.
    static constexpr size_t kAnnounce = 4;
    static constexpr size_t kTouch = 2;

    // nullptr, or a table that is no heap: does nothing.
    explicit HeapAhead(Relation heap);

    // Looks for the row's page. Gives where it probably is, for touch().
    Buffer announce(const ItemPointerData& tid);
    // Prefetches the row itself, through its line pointer. The page is not pinned: all it reads is a hint.
    void touch(Buffer buffer, const ItemPointerData& tid) const;
    // The row is the next that is fetched for the scan, by the executor or by Rerank: gives it the page, where that is known, as
    // if a row had been fetched from it before. To find a page in the shared table costs as much as all else that is done for
    // a row.
    void hand_over(IndexScanDesc scan, const ItemPointerData& tid);

private:
    std::optional<page::BufferHints> hints_;
};

}  // namespace vext::index
