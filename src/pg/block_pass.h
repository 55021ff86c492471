// A pass over the blocks of an index in file order. What comes next is on its way from the disk by a read stream,
// PostgreSQL 17 and later; before, the system's own read-ahead has to do, which explicit advice would disturb.
#pragma once

#include "pg/postgres.h"

namespace vext::pg {

// The file may grow meanwhile: what is new comes too. On ERROR: the resource owner releases the pins, and the context
// that was current when the pass began has the stream.
class BlockPass {
public:
    BlockPass(Relation index, BlockNumber first, BufferAccessStrategy strategy)
        : index_(index), next_(first), count_(RelationGetNumberOfBlocks(index)), strategy_(strategy) {
#if PG_VERSION_NUM >= 170000
        stream_ = read_stream_begin_relation(READ_STREAM_MAINTENANCE | READ_STREAM_FULL, strategy, index, MAIN_FORKNUM,
                                             next_block, this, 0);
#endif
    }
    BlockPass(const BlockPass&) = delete;
    BlockPass& operator=(const BlockPass&) = delete;

    // Pinned, and the caller's to release; InvalidBuffer at the end.
    Buffer next() {
#if PG_VERSION_NUM >= 170000
        Buffer buffer = read_stream_next_buffer(stream_, nullptr);
        if (buffer != InvalidBuffer || !has_grown()) return buffer;
        read_stream_reset(stream_);
        return read_stream_next_buffer(stream_, nullptr);
#else
        if (next_ >= count_ && !has_grown()) return InvalidBuffer;
        return ReadBufferExtended(index_, MAIN_FORKNUM, next_++, RBM_NORMAL, strategy_);
#endif
    }

    // Not needed after an ERROR.
    void end() {
#if PG_VERSION_NUM >= 170000
        read_stream_end(stream_);
#endif
    }

private:
    bool has_grown() {
        count_ = RelationGetNumberOfBlocks(index_);
        return next_ < count_;
    }

#if PG_VERSION_NUM >= 170000
    static BlockNumber next_block(ReadStream*, void* self, void*) {
        auto* pass = static_cast<BlockPass*>(self);
        return pass->next_ < pass->count_ ? pass->next_++ : InvalidBlockNumber;
    }
    ReadStream* stream_;
#endif
    Relation index_;
    BlockNumber next_, count_;
    [[maybe_unused]] BufferAccessStrategy strategy_;
};

}  // namespace vext::pg
