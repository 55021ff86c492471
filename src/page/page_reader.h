// Reading slot pages of one index quickly, by hints where they are. A page is validated when a backend looks it up the
// first time.
#pragma once

#include "pg/postgres.h"

#include "base/prefetch.h"
#include "page/buffer_hints.h"
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

// Of a block of an index. Its hint's kind is the PageKind that the page was found to be; without a buffer it is 0, or says
// that the block was asked for, and not pinned since.
inline constexpr uint32 kAsked = 0xFFFFFFFF;

class PageReader {
public:
    // The relation must stay open as long as the reader.
    explicit PageReader(Relation index) : hints_(index) {}

    // Pins the page of a block, which must be of the shape's kind. ERROR: the index is corrupted.
    Buffer pin(BlockNumber block, const SlotShape& shape);
    // The same of a block that may be of another kind, or new, or not there: then InvalidBuffer.
    Buffer pin_if(BlockNumber block, const SlotShape& shape);

    // Where the block probably is in memory, or nullptr. Without a pin it may be another page at any moment: good for
    // prefetching, and for reading what may be wrong.
    const char* guess(BlockNumber block) {
        Buffer buffer = hints_.of(block).buffer;
        return buffer <= InvalidBuffer ? nullptr : unpinned(buffer);
    }

    // Whether a block is where the hint says, or is on its way there. (A look at what the buffer is for, without a lock: it may
    // change at any moment. Of temporary tables the hint has to do.)
    bool is_near(BlockNumber block) {
        BufferHints::Hint hint = hints_.of(block);
        if (hint.buffer <= InvalidBuffer) return hint.buffer < InvalidBuffer || hint.kind == kAsked;
        return GetBufferDescriptor(hint.buffer - 1)->tag.blockNum == block;
    }

    // Of what guess() gave: whether the page is there.
    bool holds(BlockNumber block) { return hints_.holds(hints_.of(block).buffer, block); }
    // Whether, besides, nobody is changing it.
    bool is_still(BlockNumber block) { return hints_.is_still(hints_.of(block).buffer, block); }
    // Calls use(page) without a pin. True: the page was there, of the shape's kind, and nobody was changing it, before and
    // after. Who comes and goes between these may be seen halfway.
    template <typename Use>
    bool look(BlockNumber block, const SlotShape& shape, Use use) {
        if (hints_.due()) ReleaseBuffer(pin_slowly(block, shape));
        BufferHints::Hint hint = hints_.of(block);
        if (hint.buffer <= InvalidBuffer || hint.kind != static_cast<uint32>(shape.kind)) return false;
        const char* page = unpinned(hint.buffer);
        if (page == nullptr || !hints_.is_still(hint.buffer, block)) return false;
        pg_read_barrier();
        use(page);
        pg_read_barrier();
        return hints_.is_still(hint.buffer, block);
    }
    // Whether pages of this index have been seen to leave their buffers.
    bool moves() { return hints_.moved(); }

    // Whether it was there, as far as this backend saw, or is on its way.
    bool was_near(BlockNumber block) {
        BufferHints::Hint hint = hints_.of(block);
        return hint.buffer != InvalidBuffer || hint.kind == kAsked;
    }

    // Blocks that will be pinned soon, and mostly are of a shape: those that are not near come into memory, neighbours together
    // (PostgreSQL 17 and later), or are asked of the disk. Disorders them. No lock may be held.
    void bring(BlockNumber* blocks, size_t n, const SlotShape& shape);

    // The block will be pinned soon.
    void prefetch_pin(BlockNumber block) { page::prefetch_pin(hints_.of(block).buffer); }
    // There will be a look() at it.
    void prefetch_look(BlockNumber block) {
        Buffer buffer = hints_.of(block).buffer;
        if (buffer > InvalidBuffer) prefetch(GetBufferDescriptor(buffer - 1));
    }

    Relation index() const { return hints_.rel(); }

private:
    Buffer pin_slowly(BlockNumber block, const SlotShape& shape);
    bool exists(BlockNumber block);
    void note(BufferHints::Hint* hint, Buffer buffer, const SlotShape& shape);

    BufferHints hints_;
    BlockNumber block_count_ = 0;
};

}  // namespace vext::page
