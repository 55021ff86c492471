#include "index/heap_ahead.h"

#include <algorithm>
#include <cstring>

#include "index/access_method.h"
#include "page/page_reader.h"

namespace vext::index {
namespace {

constexpr uint32 kMostOfARow = 2048;  // wider values are out of line

const char* line_pointer(Buffer buffer, const ItemPointerData& tid) {
    return page::unpinned(buffer) + SizeOfPageHeaderData +
           (ItemPointerGetOffsetNumberNoCheck(&tid) - 1) * sizeof(ItemIdData);
}

bool may_be_row(const ItemPointerData& tid) {
    return is_row_pointer(tid) && ItemPointerGetOffsetNumberNoCheck(&tid) <= MaxHeapTuplesPerPage;
}

}  // namespace

HeapAhead::HeapAhead(Relation heap) : heap_(heap) {
    if (heap_ != nullptr && heap_->rd_tableam != GetHeapamTableAmRoutine()) heap_ = nullptr;
}

Buffer HeapAhead::announce(const ItemPointerData& tid) const {
    if (heap_ == nullptr || !may_be_row(tid)) return InvalidBuffer;
    Buffer buffer = PrefetchBuffer(heap_, MAIN_FORKNUM, ItemPointerGetBlockNumberNoCheck(&tid)).recent_buffer;
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

void HeapAhead::touch(Buffer buffer, const ItemPointerData& tid) const {
    if (buffer == InvalidBuffer) return;
    ItemIdData item;
    memcpy(&item, line_pointer(buffer, tid), sizeof item);
    if (!ItemIdIsNormal(&item) || ItemIdGetOffset(&item) + ItemIdGetLength(&item) > BLCKSZ) return;
    const char* row = page::unpinned(buffer) + ItemIdGetOffset(&item);
    prefetch(row, std::min<uint32>(ItemIdGetLength(&item), kMostOfARow));
}

}  // namespace vext::index
