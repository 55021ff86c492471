// In which buffers this backend last saw the blocks of a relation's file, so that a lookup needs no shared hash table
// (ReadRecentBuffer).
#pragma once

#include "pg/postgres.h"

namespace vext::page {

extern uint64 hint_epoch;  // changes when all hints were dropped

class BufferHints {
public:
    struct Hint {
        Buffer buffer;
        uint32 kind;  // what the user of the relation notes of the page
    };

    // The relation must stay open as long as its hints.
    explicit BufferHints(Relation rel);

    Hint of(BlockNumber block) {
        File& f = file();
        return block < f.count ? f.hints[block] : Hint{InvalidBuffer, 0};
    }
    // To be noted; of a block of the relation.
    Hint& to_note(BlockNumber block);

    // Whether the server should be asked for a block this time, wherever it is: that tells the clock sweep that the page is in
    // use, as neither a look at it nor a pin by the hint does.
    bool due() { return count() % kUses == 0; }
    // Pins a block where its hint says. False: it is not there, or the server should be asked.
    bool pin(BlockNumber block, Buffer buffer) {
        return !due() && ReadRecentBuffer(pg::file_locator(rel_), MAIN_FORKNUM, block, buffer);
    }
    // Whether a buffer holds the block, as a whole and to stay for the moment. (It may be on its way, back to where it was
    // before, and a part of it to be seen already.) A look without a lock.
    bool holds(Buffer buffer, BlockNumber block) const {
        BufferDesc* descriptor = GetBufferDescriptor(buffer - 1);
        uint32 state = pg_atomic_read_u32(&descriptor->state);
        return (state & (BM_VALID | BM_IO_IN_PROGRESS)) == BM_VALID &&
               pg::is_of(descriptor, pg::file_locator(rel_), block);
    }

    // Whether, besides, nobody is changing it.
    bool is_still(Buffer buffer, BlockNumber block) const {
        return holds(buffer, block) &&
               !pg::is_locked_exclusively(BufferDescriptorGetContentLock(GetBufferDescriptor(buffer - 1)));
    }

    // Whether lately a block was found in another buffer than before: there are too few for all.
    bool moved() {
        File& f = file();
        f.moved = f.moved && f.uses - f.moved_at < kLately;
        return f.moved;
    }
    void note_moved() {
        File& f = file();
        f.moved = true;
        f.moved_at = f.uses;
    }
    // A use that is not counted otherwise.
    uint32 count() { return ++file().uses; }

    Relation rel() const { return rel_; }

private:
    struct File {
        pg::FileLocator locator;  // hash key
        Hint* hints;
        BlockNumber count;
        uint32 uses, moved_at;
        bool moved;
    };
    File& file() {
        if (epoch_ != hint_epoch) find();
        return *file_;
    }
    static constexpr uint32 kUses = 32;
    static constexpr uint32 kLately = 1 << 16;  // some thousand searches
    void find();
    static void drop_all();

    Relation rel_;
    File* file_ = nullptr;
    uint64 epoch_ = 0;
};

}  // namespace vext::page
