// Writing pages of slots in file order, as builds do: without WAL, which logs the whole file at the end.
#pragma once

#include "pg/postgres.h"

#include "page/run_page.h"
#include "page/slot_page.h"
#include "pg/guards.h"

namespace vext::page {

// The place of the n-th slot of pages that begin at block `first`.
inline SlotNumber nth_slot(const SlotShape& shape, BlockNumber first, size_t n) {
    size_t block = first + n / shape.per_page;
    if (block >= shape.block_limit()) {
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one index"));
    }
    return shape.number(static_cast<BlockNumber>(block), static_cast<uint32>(n % shape.per_page));
}

inline BlockNumber blocks_for(const SlotShape& shape, size_t slots) {
    return static_cast<BlockNumber>((slots + shape.per_page - 1) / shape.per_page);
}

// Where the pages come from: each is added to the file, or the file has them and nothing is on them yet.
enum class Pages { added, there };

// A page that the file has and nobody has used, as one of a shape; exclusively locked.
inline Buffer take_unused_page(Relation index, const SlotShape& shape, ForkNumber fork, BlockNumber block) {
    Buffer buffer = ReadBufferExtended(index, fork, block, RBM_ZERO_AND_LOCK, nullptr);
    init_page(BufferGetPage(buffer), shape);
    return buffer;
}

// Fills the pages of one kind, slot after slot.
class PageWriter {
public:
    PageWriter(Relation index, const SlotShape& shape, ForkNumber fork = MAIN_FORKNUM, Pages pages = Pages::added)
        : index_(index), shape_(shape), fork_(fork), pages_(pages) {}

    // The next slot, or run of so many; its page is locked until the next call or finish().
    char* next(SlotNumber expected, uint32 slots = 1) {
        if (buffer_ == InvalidBuffer || used_ + slots > shape_.per_page) {
            release();
            CHECK_FOR_INTERRUPTS();
            open_page(shape_.block(expected));
        }
        BlockNumber block = BufferGetBlockNumber(buffer_);
        if (shape_.number(block, used_) != expected) elog(ERROR, "index build: slot at an unexpected place");
        if (shape_.runs) place_run(BufferGetPage(buffer_), shape_, used_, slots);
        char* slot = slot_at(BufferGetPage(buffer_), shape_, used_);
        used_ += slots;
        return slot;
    }

    // That of the last slot.
    Page page() const { return BufferGetPage(buffer_); }

    // Gives the last page when it has room left for others to take, marked as listed; else InvalidBlockNumber.
    BlockNumber finish() {
        bool has_room = buffer_ != InvalidBuffer && used_ < shape_.per_page && format::takes_slots(shape_.kind);
        BlockNumber roomy = has_room ? BufferGetBlockNumber(buffer_) : InvalidBlockNumber;
        if (has_room) tail_of(BufferGetPage(buffer_))->listed = 1;
        release();
        return roomy;
    }

private:
    void open_page(BlockNumber expected) {
        if (pages_ == Pages::there) {
            buffer_ = take_unused_page(index_, shape_, fork_, expected);
        } else {
            buffer_ = pg::extend_fork(index_, fork_);
            init_page(BufferGetPage(buffer_), shape_);
        }
        used_ = first_entry(shape_);
    }

    // A page of runs that the next one does not fit any more is left as it is: in no list.
    void release() {
        if (buffer_ == InvalidBuffer) return;
        MarkBufferDirty(buffer_);
        UnlockReleaseBuffer(buffer_);
        buffer_ = InvalidBuffer;
    }

    Relation index_;
    const SlotShape& shape_;
    ForkNumber fork_;
    Pages pages_;
    Buffer buffer_ = InvalidBuffer;
    uint32 used_ = 0;
};

// Block 0 of a fork. init(page) writes its contents.
template <typename Init>
void create_first_page(Relation rel, ForkNumber fork, Init init) {
    Buffer buffer = pg::extend_fork(rel, fork);
    {
        pg::CriticalSection critical;
        init(BufferGetPage(buffer));
        MarkBufferDirty(buffer);
        // The init fork of an unlogged index must survive a crash.
        if (fork == INIT_FORKNUM) log_newpage_buffer(buffer, true);
    }
    UnlockReleaseBuffer(buffer);
}

}  // namespace vext::page
