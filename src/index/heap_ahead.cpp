#include "index/heap_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "index/access_method.h"
#include "page/page_reader.h"

namespace vext::index {
namespace {

constexpr uint32 kMostOfARow = 2048;  // wider values are out of line

// Of a larger table the first so many blocks (8 GB) have hints: each backend takes 8 bytes for one.
constexpr BlockNumber kMostHints = 1 << 20;

const char* line_pointer(Buffer buffer, const ItemPointerData& tid) {
    return page::unpinned(buffer) + SizeOfPageHeaderData +
           (ItemPointerGetOffsetNumberNoCheck(&tid) - 1) * sizeof(ItemIdData);
}

bool may_be_row(const ItemPointerData& tid) {
    return is_row_pointer(tid) && ItemPointerGetOffsetNumberNoCheck(&tid) <= MaxHeapTuplesPerPage;
}

}  // namespace

HeapAhead::HeapAhead(Relation heap) {
    if (heap != nullptr && heap->rd_tableam == GetHeapamTableAmRoutine()) hints_.emplace(heap);
}

Buffer HeapAhead::announce(const ItemPointerData& tid) {
    if (!hints_ || !may_be_row(tid)) return InvalidBuffer;
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(&tid);
    Buffer buffer = hints_->moved() ? InvalidBuffer : hints_->of(block).buffer;
    if (buffer == InvalidBuffer) {
        buffer = PrefetchBuffer(hints_->rel(), MAIN_FORKNUM, block).recent_buffer;
        if (buffer > InvalidBuffer && block < kMostHints) hints_->to_note(block).buffer = buffer;
    }
#ifndef USE_VALGRIND  // which is told that nobody may look at unpinned pages
    if (buffer > InvalidBuffer) {
        page::prefetch_pin(buffer);
        prefetch(page::unpinned(buffer));
        prefetch(line_pointer(buffer, tid));
        return buffer;
    }
#endif
    return InvalidBuffer;
}

void HeapAhead::hand_over(IndexScanDesc scan, const ItemPointerData& tid) {
    if (!hints_ || scan->xs_heapfetch == nullptr) return;
    if (hints_->moved()) {
        hints_->count();
        return;
    }
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(&tid);
    Buffer buffer = hints_->of(block).buffer;
    Buffer& fetched = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch)->xs_cbuf;
    if (buffer == InvalidBuffer || fetched == buffer) return;
    if (!hints_->pin(block, buffer)) {
        if (!hints_->holds(buffer, block)) hints_->note_moved();
        return;
    }
    std::swap(fetched, buffer);
    if (buffer != InvalidBuffer) ReleaseBuffer(buffer);
    // As heapam does with a page that it has looked up.
    pgstat_count_buffer_read(hints_->rel());
    pgstat_count_buffer_hit(hints_->rel());
    heap_page_prune_opt(hints_->rel(), fetched);
}

void HeapAhead::touch(Buffer buffer, const ItemPointerData& tid) const {
    if (buffer == InvalidBuffer) return;
    ItemIdData item;
    memcpy(&item, line_pointer(buffer, tid), sizeof item);
    if (!ItemIdIsNormal(&item) || ItemIdGetOffset(&item) + ItemIdGetLength(&item) > BLCKSZ) return;
    const char* row = page::unpinned(buffer) + ItemIdGetOffset(&item);
    prefetch(row, std::min<uint32>(ItemIdGetLength(&item), kMostOfARow));
}

}  // namespace vext::index
