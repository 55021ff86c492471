// Reading slot pages of one index quickly: each backend remembers in which buffer it last saw a block, so that a
// lookup needs no shared hash table (ReadRecentBuffer). A page is validated when a backend looks it up the first time.
#pragma once

#include "pg/postgres.h"

#include "base/prefetch.h"
#include "page/slot_page.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" void __asan_unpoison_memory_region(const volatile void* from, size_t bytes);
#endif

namespace vext::page {

// Whoever pins a buffer needs what the server notes of it, a cache line that is seldom near.
inline void prefetch_pin(Buffer buffer) {
    if (buffer > InvalidBuffer && buffer <= NBuffers) prefetch_to_write(GetBufferDescriptor(buffer - 1));
}

// Bytes of a page that is not pinned are looked at, or again: the server may have told the sanitizer that nobody may (where
// test/assert_server has built it), or have pinned another page in its buffer meanwhile and have told it that it let go.
inline void unpinned_again([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(from, bytes);
#endif
}

// What a buffer holds, without a pin; nullptr under valgrind, which the server tells that nobody may look there.
inline const char* unpinned(Buffer buffer) {
#ifdef USE_VALGRIND
    return nullptr;
#endif
    const auto* page = static_cast<const char*>(BufferGetBlock(buffer));
    unpinned_again(page, BLCKSZ);
    return page;
}

// The buffers in which this backend last saw the blocks of one relation file.
struct BufferHints {
    pg::FileLocator file;  // hash key
    struct Hint {
        Buffer buffer;
        uint32 kind;  // PageKind that the page was found to be; without a buffer: 0, or it was asked for
    };
    Hint* hints;
    BlockNumber count;
    bool moved;  // a block was found in another buffer than before: there are too few for all
};
// The kind of a block that was asked for, and not pinned since.
inline constexpr uint32 kAsked = 0xFFFFFFFF;
extern uint64 hint_epoch;  // changes when all hints were dropped

class PageReader {
public:
    // The relation must stay open as long as the reader.
    explicit PageReader(Relation index);

    // Pins the page of a block, which must be of the shape's kind. ERROR: the index is corrupted.
    Buffer pin(BlockNumber block, const SlotShape& shape);
    // The same of a block that may be of another kind, or new, or not there: then InvalidBuffer.
    Buffer pin_if(BlockNumber block, const SlotShape& shape);

    // Where the block probably is in memory, or nullptr. Without a pin it may be another page at any moment: good for
    // prefetching, and for reading what may be wrong.
    const char* guess(BlockNumber block) {
        Buffer buffer = hint_of(block).buffer;
        return buffer <= InvalidBuffer ? nullptr : unpinned(buffer);
    }

    // Whether a block is where the hint says, or is on its way there. (A look at what the buffer is for, without a lock: it may
    // change at any moment. Of temporary tables the hint has to do.)
    bool is_near(BlockNumber block) {
        BufferHints::Hint hint = hint_of(block);
        if (hint.buffer <= InvalidBuffer) return hint.buffer < InvalidBuffer || hint.kind == kAsked;
        return GetBufferDescriptor(hint.buffer - 1)->tag.blockNum == block;
    }

    // Of what guess() gave: whether the page is there, as a whole and to stay for the moment. (It may be on its way, back to
    // where it was before, and a part of it to be seen already.)
    bool holds(BlockNumber block) {
        BufferDesc* buffer = descriptor_of(block);
        uint32 state = pg_atomic_read_u32(&buffer->state);
        return (state & (BM_VALID | BM_IO_IN_PROGRESS)) == BM_VALID && buffer->tag.blockNum == block;
    }
    // Whether, besides, nobody holds its lock, and so is changing it.
    bool is_still(BlockNumber block) {
        return holds(block) && !pg::is_locked(BufferDescriptorGetContentLock(descriptor_of(block)));
    }
    // Whether pages of this index have been seen to leave their buffers.
    bool moves() const { return hints_->moved; }

    // Whether it was there, as far as this backend saw, or is on its way.
    bool was_near(BlockNumber block) {
        BufferHints::Hint hint = hint_of(block);
        return hint.buffer != InvalidBuffer || hint.kind == kAsked;
    }

    // Blocks that will be pinned soon, and mostly are of a shape: those that are not near come into memory, neighbours together
    // (PostgreSQL 17 and later), or are asked of the disk. Disorders them. No lock may be held.
    void bring(BlockNumber* blocks, size_t n, const SlotShape& shape);

    // The block will be pinned soon.
    void prefetch_pin(BlockNumber block) { page::prefetch_pin(hint_of(block).buffer); }

    Relation index() const { return index_; }

private:
    Buffer pin_slowly(BlockNumber block, const SlotShape& shape);
    bool exists(BlockNumber block);
    BufferHints::Hint& hint_for(BlockNumber block);
    void note(BufferHints::Hint* hint, Buffer buffer, const SlotShape& shape);
    void find_hints();
    BufferDesc* descriptor_of(BlockNumber block) { return GetBufferDescriptor(hint_of(block).buffer - 1); }
    BufferHints::Hint hint_of(BlockNumber block) {
        if (epoch_ != hint_epoch) find_hints();
        return block < hints_->count ? hints_->hints[block] : BufferHints::Hint{InvalidBuffer, 0};
    }

    Relation index_;
    BufferHints* hints_ = nullptr;
    uint64 epoch_ = 0;
    BlockNumber block_count_ = 0;
    uint32 touches_ = 0;
};

}  // namespace vext::page
