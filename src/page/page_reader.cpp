#include "page/page_reader.h"

#include <algorithm>

#include "pg/block_stream.h"
#include "pg/guards.h"

namespace vext::page {

Buffer PageReader::pin(BlockNumber block, const SlotShape& shape) {
    BufferHints::Hint hint = hints_.of(block);
    if (hint.buffer != InvalidBuffer && hint.kind == static_cast<uint32>(shape.kind) && hints_.pin(block, hint.buffer)) {
        return hint.buffer;
    }
    return pin_slowly(block, shape);
}

Buffer PageReader::pin_if(BlockNumber block, const SlotShape& shape) {
    if (hints_.of(block).kind != static_cast<uint32>(shape.kind)) {
        if (!exists(block)) return InvalidBuffer;
        pg::Pin page{ReadBuffer(index(), block)};
        pg::ContentLock lock{page.buffer(), BUFFER_LOCK_SHARE};  // somebody may be making the page
        if (!has_kind(page.page(), shape.kind)) return InvalidBuffer;
    }
    return pin(block, shape);
}

bool PageReader::exists(BlockNumber block) {
    if (block >= block_count_) block_count_ = RelationGetNumberOfBlocks(index());
    return block < block_count_;
}

// A page of that shape is in that buffer.
void PageReader::note(BufferHints::Hint* hint, Buffer buffer, const SlotShape& shape) {
    if (hint->buffer > InvalidBuffer && hint->buffer != buffer) hints_.note_moved();
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
            PrefetchBuffer(index(), MAIN_FORKNUM, block);
            hints_.to_note(block) = {InvalidBuffer, kAsked};
        }
        return;
    }
    pg::BlockStream stream{index(), pg::BlockStream::For::search, nullptr, Far::take, &far};
    for (Buffer buffer; (buffer = stream.next()) != InvalidBuffer; ReleaseBuffer(buffer)) {
        CHECK_FOR_INTERRUPTS();
        BufferHints::Hint& hint = hints_.to_note(BufferGetBlockNumber(buffer));
        // What is wrong with a page, whoever pins it says.
        bool sound = what_is_wrong(BufferGetPage(buffer), shape) == nullptr;
        if (sound) note(&hint, buffer, shape);
    }
    stream.end();
}

Buffer PageReader::pin_slowly(BlockNumber block, const SlotShape& shape) {
    if (!exists(block)) check_exists(index(), block);
    BufferHints::Hint& hint = hints_.to_note(block);
    Buffer buffer = ReadBuffer(index(), block);
    // Where this backend saw the block before, it has validated it; looking again would cost a cache miss.
    if (buffer != hint.buffer || hint.kind != static_cast<uint32>(shape.kind)) {
        check_page(index(), block, BufferGetPage(buffer), shape);
    }
    note(&hint, buffer, shape);
    return buffer;
}

}  // namespace vext::page
