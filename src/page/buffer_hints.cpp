#include "page/buffer_hints.h"

#include <algorithm>

namespace vext::page {

uint64 hint_epoch = 1;

namespace {

// Hints of files that are gone stay until this many have gathered; then all are dropped.
constexpr long kMaxFiles = 512;

MemoryContext hint_context = nullptr;
HTAB* hint_table = nullptr;

}  // namespace

BufferHints::BufferHints(Relation rel) : rel_(rel) { find(); }

void BufferHints::drop_all() {
    hint_table = nullptr;
    hint_epoch++;
    if (hint_context == nullptr) {
        hint_context = AllocSetContextCreate(TopMemoryContext, "vectorext buffer hints", ALLOCSET_DEFAULT_SIZES);
    } else {
        MemoryContextReset(hint_context);
    }
    HASHCTL info{};
    info.keysize = sizeof(pg::FileLocator);
    info.entrysize = sizeof(File);
    info.hcxt = hint_context;
    hint_table = hash_create("vectorext buffer hints", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void BufferHints::find() {
    if (hint_table == nullptr || hash_get_num_entries(hint_table) >= kMaxFiles) drop_all();
    pg::FileLocator locator = pg::file_locator(rel_);
    bool found;
    file_ = static_cast<File*>(hash_search(hint_table, &locator, HASH_ENTER, &found));
    if (!found) {
        file_->hints = nullptr;
        file_->count = file_->uses = file_->moved_at = 0;
        file_->moved = false;
    }
    epoch_ = hint_epoch;
}

BufferHints::Hint& BufferHints::to_note(BlockNumber block) {
    File& f = file();
    if (block >= f.count) {
        uint64 wanted = std::max<uint64>(uint64{block} + block / 8 + 16, 2 * uint64{f.count});
        wanted = std::min<uint64>(wanted, uint64{MaxBlockNumber} + 1);
        size_t bytes = wanted * sizeof(Hint);
        f.hints = static_cast<Hint*>(f.hints == nullptr ? MemoryContextAllocHuge(hint_context, bytes)
                                                        : repalloc_huge(f.hints, bytes));
        std::fill(f.hints + f.count, f.hints + wanted, Hint{InvalidBuffer, 0});
        f.count = static_cast<BlockNumber>(wanted);
    }
    return f.hints[block];
}

}  // namespace vext::page
