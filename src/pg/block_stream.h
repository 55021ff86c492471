// Blocks of an index in an order that is known beforehand. From PostgreSQL 17 on they come by a read stream: neighbours in
// one read, and what comes next on its way from the disk. Before, they are read one by one.
#pragma once

#include "pg/postgres.h"

namespace vext::pg {

#if PG_VERSION_NUM >= 170000
inline constexpr bool kHasReadStreams = true;
#else
inline constexpr bool kHasReadStreams = false;
#endif

// On ERROR: the resource owner releases the pins, and the context that was current when it began has the stream.
class BlockStream {
public:
    enum class For { search, maintenance };
    using Next = BlockNumber (*)(void* from);  // InvalidBlockNumber: there is none (now)

    // `strategy` may be nullptr.
    BlockStream(Relation index, For use, BufferAccessStrategy strategy, Next next, void* from)
        : next_(next), from_(from), index_(index), strategy_(strategy) {
#if PG_VERSION_NUM >= 170000
        int flags = READ_STREAM_FULL | (use == For::maintenance ? READ_STREAM_MAINTENANCE : 0);
        stream_ = read_stream_begin_relation(flags, strategy, index, MAIN_FORKNUM, next_block, this, 0);
#else
        (void)use;
#endif
    }
    BlockStream(const BlockStream&) = delete;
    BlockStream& operator=(const BlockStream&) = delete;

    // Pinned, and the caller's to release; InvalidBuffer: there was none.
    Buffer next() {
#if PG_VERSION_NUM >= 170000
        return read_stream_next_buffer(stream_, nullptr);
#else
        BlockNumber block = next_(from_);
        if (block == InvalidBlockNumber) return InvalidBuffer;
        return ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
#endif
    }

    // After the end, when there are more.
    void go_on() {
#if PG_VERSION_NUM >= 170000
        read_stream_reset(stream_);
#endif
    }

    // Not needed after an ERROR.
    void end() {
#if PG_VERSION_NUM >= 170000
        read_stream_end(stream_);
#endif
    }

private:
#if PG_VERSION_NUM >= 170000
    static BlockNumber next_block(ReadStream*, void* self, void*) {
        auto* stream = static_cast<BlockStream*>(self);
        return stream->next_(stream->from_);
    }
    ReadStream* stream_;
#endif
    Next next_;
    void* from_;
    [[maybe_unused]] Relation index_;
    [[maybe_unused]] BufferAccessStrategy strategy_;
};

// All blocks in file order, or those before `end`. The file may grow meanwhile: what is new comes too. (Before 17 the
// system's own read-ahead has to do, which explicit advice would disturb.)
class BlockPass {
public:
    BlockPass(Relation index, BlockNumber first, BufferAccessStrategy strategy, BlockNumber end = InvalidBlockNumber)
        : index_(index), next_(first), end_(end), count_(count()),
          stream_(index, BlockStream::For::maintenance, strategy, next_block, this) {}
    BlockPass(const BlockPass&) = delete;
    BlockPass& operator=(const BlockPass&) = delete;

    // Pinned, and the caller's to release; InvalidBuffer at the end.
    Buffer next() {
        Buffer buffer = stream_.next();
        if (buffer != InvalidBuffer) return buffer;
        count_ = count();
        if (next_ >= count_) return InvalidBuffer;
        stream_.go_on();
        return stream_.next();
    }

    // Not needed after an ERROR.
    void end() { stream_.end(); }

private:
    static BlockNumber next_block(void* self) {
        auto* pass = static_cast<BlockPass*>(self);
        return pass->next_ < pass->count_ ? pass->next_++ : InvalidBlockNumber;
    }

    BlockNumber count() const { return end_ != InvalidBlockNumber ? end_ : RelationGetNumberOfBlocks(index_); }

    Relation index_;
    BlockNumber next_, end_, count_;
    BlockStream stream_;
};

}  // namespace vext::pg
