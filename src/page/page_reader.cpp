#include "page/page_reader.h"

#include <algorithm>

#include "pg/guards.h"

namespace vext::page {

uint64 hint_epoch = 1;

namespace {

// ReadRecentBuffer does not raise the usage count: every so often a plain ReadBuffer does, or pages that are
// used all the time would look cold to the clock sweep.
constexpr uint32 kTouchEvery = 32;

// The kind of a block that was asked for, and not pinned since.
constexpr uint32 kAsked = 0xFFFFFFFF;

// Hints of files that are gone stay until this many have gathered; then all are dropped.
constexpr long kMaxFiles = 256;

MemoryContext hint_context = nullptr;
HTAB* hint_table = nullptr;

void drop_hints() {
    hint_table = nullptr;
    hint_epoch++;
    if (hint_context == nullptr) {
        hint_context = AllocSetContextCreate(TopMemoryContext, "vectorext buffer hints", ALLOCSET_DEFAULT_SIZES);
    } else {
        MemoryContextReset(hint_context);
    }
    HASHCTL info{};
    info.keysize = sizeof(pg::FileLocator);
    info.entrysize = sizeof(BufferHints);
    info.hcxt = hint_context;
    hint_table = hash_create("vectorext buffer hints", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void enlarge(BufferHints* hints, BlockNumber wanted) {
    size_t bytes = static_cast<size_t>(wanted) * sizeof(BufferHints::Hint);
    hints->hints = static_cast<BufferHints::Hint*>(hints->hints == nullptr ? MemoryContextAllocHuge(hint_context, bytes)
                                                                           : repalloc_huge(hints->hints, bytes));
    std::fill(hints->hints + hints->count, hints->hints + wanted, BufferHints::Hint{InvalidBuffer, 0});
    hints->count = wanted;
}

}  // namespace

PageReader::PageReader(Relation index) : index_(index) { find_hints(); }

void PageReader::find_hints() {
    if (hint_table == nullptr || hash_get_num_entries(hint_table) >= kMaxFiles) drop_hints();
    pg::FileLocator file = pg::file_locator(index_);
    bool found;
    hints_ = static_cast<BufferHints*>(hash_search(hint_table, &file, HASH_ENTER, &found));
    if (!found) {
        hints_->hints = nullptr;
        hints_->count = 0;
    }
    epoch_ = hint_epoch;
}

Buffer PageReader::pin(BlockNumber block, const SlotShape& shape) {
    BufferHints::Hint hint = hint_of(block);
    if (hint.buffer != InvalidBuffer && hint.kind == static_cast<uint32>(shape.kind) && ++touches_ % kTouchEvery != 0 &&
        ReadRecentBuffer(pg::file_locator(index_), MAIN_FORKNUM, block, hint.buffer)) {
        return hint.buffer;
    }
    return pin_slowly(block, shape);
}

Buffer PageReader::pin_if(BlockNumber block, const SlotShape& shape) {
    if (hint_of(block).kind != static_cast<uint32>(shape.kind)) {
        if (!exists(block)) return InvalidBuffer;
        pg::Pin page{ReadBuffer(index_, block)};
        pg::ContentLock lock{page.buffer(), BUFFER_LOCK_SHARE};  // somebody may be making the page
        if (!has_kind(page.page(), shape.kind)) return InvalidBuffer;
    }
    return pin(block, shape);
}

bool PageReader::exists(BlockNumber block) {
    if (block >= block_count_) block_count_ = RelationGetNumberOfBlocks(index_);
    return block < block_count_;
}

// A block that has to come from the disk brings its surroundings with it, where the index is expected to stay in memory:
// neighbours in the index lie near each other, and the disk would be asked for them one by one.
void PageReader::ask(BlockNumber block) {
    constexpr BlockNumber kWindow = 16;
    if (!exists(block)) return;
    if (block >= hints_->count) enlarge(hints_, block_count_ + block_count_ / 8 + 16);
    BufferHints::Hint& hint = hints_->hints[block];
    if (hint.kind == kAsked) return;
    hint.kind = kAsked;
    if (!PrefetchBuffer(index_, MAIN_FORKNUM, block).initiated_io) return;
    if (block_count_ > static_cast<BlockNumber>(effective_cache_size)) return;
    BlockNumber first = block / kWindow * kWindow, end = std::min(first + kWindow, block_count_);
    for (BlockNumber near = first; near < std::min(end, hints_->count); near++) {
        BufferHints::Hint& other = hints_->hints[near];
        if (other.buffer != InvalidBuffer || other.kind == kAsked) continue;
        other.kind = kAsked;
        PrefetchBuffer(index_, MAIN_FORKNUM, near);
    }
}

Buffer PageReader::pin_slowly(BlockNumber block, const SlotShape& shape) {
    if (!exists(block)) check_exists(index_, block);
    if (block >= hints_->count) enlarge(hints_, block_count_ + block_count_ / 8 + 16);
    Buffer buffer = ReadBuffer(index_, block);
    // Where this backend saw the block before, it has validated it; looking again would cost a cache miss.
    BufferHints::Hint& hint = hints_->hints[block];
    if (buffer != hint.buffer || hint.kind != static_cast<uint32>(shape.kind)) {
        check_page(index_, block, BufferGetPage(buffer), shape);
    }
    hint = {buffer, static_cast<uint32>(shape.kind)};
    return buffer;
}

}  // namespace vext::page
