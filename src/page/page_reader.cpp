#include "page/page_reader.h"

#include <algorithm>

#include "pg/block_stream.h"
#include "pg/guards.h"

namespace vext::page {

uint64 hint_epoch = 1;

namespace {

// ReadRecentBuffer does not raise the usage count: every so often a plain ReadBuffer does, or pages that are
// used all the time would look cold to the clock sweep.
constexpr uint32 kTouchEvery = 32;

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
        hints_->moved = false;
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

BufferHints::Hint& PageReader::hint_for(BlockNumber block) {
    if (epoch_ != hint_epoch) find_hints();
    if (block >= hints_->count) enlarge(hints_, block_count_ + block_count_ / 8 + 16);
    return hints_->hints[block];
}

// A page of that shape is in that buffer.
void PageReader::note(BufferHints::Hint* hint, Buffer buffer, const SlotShape& shape) {
    hints_->moved |= hint->buffer > InvalidBuffer && hint->buffer != buffer;
    *hint = {buffer, static_cast<uint32>(shape.kind)};
}

namespace {

// Of some blocks those that are not near, and what comes with them; in file order.
struct Far {
    PageReader& reader;
    const BlockNumber *next, *end;
    BlockNumber window, count;
    bool once;                      // leaves out what was near once
    BlockNumber at = 0, until = 0;  // what is left of a window

    static BlockNumber take(void* self) { return static_cast<Far*>(self)->take(); }
    BlockNumber take() {
        for (;;) {
            for (; at < until; at++) {
                if (!(once ? reader.was_near(at) : reader.is_near(at))) return at++;
            }
            while (next < end && *next < until) next++;
            if (next == end || *next >= count) return InvalidBlockNumber;
            at = *next / window * window;
            until = std::min(at + window, count);
        }
    }
};

}  // namespace

// What is to be read comes in runs by a stream; scattered blocks would wait there for each other, unless
// effective_io_concurrency is large (it is 1 on 17), and are asked for all at once. A block that has to come from the disk
// brings its surroundings with it, where the index is expected to stay in memory: neighbours in the index lie near each
// other, and the disk would be asked for them one by one. There, what was in memory once is so still, if not in
// shared_buffers: to ask for it costs a call and gains nothing.
void PageReader::bring(BlockNumber* blocks, size_t n, const SlotShape& shape) {
    constexpr BlockNumber kWindow = 16, kLongRun = 4;
    n = static_cast<size_t>(std::remove_if(blocks, blocks + n, [&](BlockNumber block) { return is_near(block); }) - blocks);
    if (n == 0) return;
    std::sort(blocks, blocks + n);
    size_t runs = 1;
    for (size_t i = 1; i < n; i++) runs += blocks[i] > blocks[i - 1] + 1;
    (void)exists(blocks[n - 1]);
    bool fits = block_count_ <= static_cast<BlockNumber>(NBuffers);
    bool stays = block_count_ <= static_cast<BlockNumber>(effective_cache_size);
    bool streams = pg::kHasReadStreams && ((fits && stays) || n >= runs * kLongRun);
    Far far{*this, blocks, blocks + n, stays && (fits || !streams) ? kWindow : 1, block_count_,
            stays && !streams};
    if (!streams) {
        for (BlockNumber block; (block = far.take()) != InvalidBlockNumber;) {
            PrefetchBuffer(index_, MAIN_FORKNUM, block);
            hint_for(block) = {InvalidBuffer, kAsked};
        }
        return;
    }
    pg::BlockStream stream{index_, pg::BlockStream::For::search, nullptr, Far::take, &far};
    for (Buffer buffer; (buffer = stream.next()) != InvalidBuffer; ReleaseBuffer(buffer)) {
        CHECK_FOR_INTERRUPTS();
        BufferHints::Hint& hint = hint_for(BufferGetBlockNumber(buffer));
        // What is wrong with a page, whoever pins it says.
        bool sound = what_is_wrong(BufferGetPage(buffer), shape) == nullptr;
        if (sound) note(&hint, buffer, shape);
    }
    stream.end();
}

Buffer PageReader::pin_slowly(BlockNumber block, const SlotShape& shape) {
    if (!exists(block)) check_exists(index_, block);
    BufferHints::Hint& hint = hint_for(block);
    Buffer buffer = ReadBuffer(index_, block);
    // Where this backend saw the block before, it has validated it; looking again would cost a cache miss.
    if (buffer != hint.buffer || hint.kind != static_cast<uint32>(shape.kind)) {
        check_page(index_, block, BufferGetPage(buffer), shape);
    }
    note(&hint, buffer, shape);
    return buffer;
}

}  // namespace vext::page
