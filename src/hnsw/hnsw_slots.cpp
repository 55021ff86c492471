#include "hnsw/hnsw_slots.h"

#include <cstring>
#include <utility>

namespace vext::hnsw {

using format::HnswNode;
using format::HnswPosting;
using format::PageKind;
using format::PageTail;

namespace {

// Pages whose free slots cannot be used yet stand in the list too; so many are tried, and passed, before the file grows.
constexpr uint32 kMaxTries = 16;

uint8* flags_of(PageKind kind, char* slot) {
    switch (kind) {
        case PageKind::nodes: return &reinterpret_cast<HnswNode*>(slot)->flags;
        case PageKind::postings: return &reinterpret_cast<HnswPosting*>(slot)->flags;
        default: return &reinterpret_cast<format::HnswLinks*>(slot)->flags;
    }
}

// The moment a node was freed is kept where its row pointer was: nobody reads that of a free slot. 48 bits in `tid`,
// the rest in null_attributes.
void set_freed_xid(HnswNode* node, FullTransactionId xid) {
    uint64 value = U64FromFullTransactionId(xid);
    BlockIdSet(&node->tid.ip_blkid, static_cast<BlockNumber>(value));
    node->tid.ip_posid = static_cast<uint16>(value >> 32);
    node->null_attributes = static_cast<uint16>(value >> 48);
}

FullTransactionId freed_xid(const HnswNode* node) {
    uint64 value = BlockIdGetBlockNumber(&node->tid.ip_blkid);
    value |= static_cast<uint64>(node->tid.ip_posid) << 32;
    value |= static_cast<uint64>(node->null_attributes) << 48;
    return FullTransactionIdFromU64(value);
}

// Zero: never used.
FullTransactionId freed_xid(const HnswPosting* posting) {
    uint64 value;
    memcpy(&value, posting + 1, sizeof value);
    return FullTransactionIdFromU64(value);
}

bool usable(PageKind kind, char* slot) {
    if (*flags_of(kind, slot) != 0) return false;
    FullTransactionId freed = InvalidFullTransactionId;
    if (kind == PageKind::nodes) {
        const auto* node = reinterpret_cast<const HnswNode*>(slot);
        if (node->generation != 0) freed = freed_xid(node);
    } else if (kind == PageKind::postings) {
        freed = freed_xid(reinterpret_cast<const HnswPosting*>(slot));
    }
    return !FullTransactionIdIsValid(freed) || GlobalVisCheckRemovableFullXid(nullptr, freed);
}

// Runs of more slots keep to pages of their own, where what they leave is room for others like them: among small nodes
// they would hardly ever find a gap again.
uint32 large_above(const SlotShape& shape) { return shape.per_page / 8; }
bool is_large(const SlotShape& shape, uint32 need) { return shape.runs && need > large_above(shape); }

// Whether a page is one of large runs.
bool holds_large(Page page, const SlotShape& shape) {
    uint32 used = 0, large = 0;
    for (uint32 i = page::first_entry(shape), next; shape.runs && i < shape.per_page; i = next) {
        next = page::next_entry(page, shape, i);
        if (*flags_of(shape.kind, page::slot_at(page, shape, i)) == 0) continue;
        used += next - i;
        if (is_large(shape, next - i)) large += next - i;
    }
    return large > used / 2;
}

// The list of a kind is walked round and round: pages ahead are tried next; those behind were tried, or joined, since the
// list was last at its end. So what was freed first is tried first, and no page that has to wait stands in the way for
// long. Ahead is a chain; behind a ring that is known by its last page, which leads to the first.
BlockNumber* ahead_of(Page meta_page, PageKind kind, bool large) {
    format::HnswMeta* meta = meta_of(meta_page);
    return large ? &meta->free_large : &meta->free_head[static_cast<int>(kind) - 1];
}

// 0: none.
BlockNumber* behind_of(Page meta_page, PageKind kind, bool large) {
    return &meta_of(meta_page)->passed_last[large ? format::kSlotKinds : static_cast<int>(kind) - 1];
}

Buffer lock_meta(const HnswIndex& index) {
    Buffer meta = ReadBuffer(index.rel, format::kHnswMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_EXCLUSIVE);
    return meta;
}

BlockNumber read_head(const HnswIndex& index, PageKind kind, bool large) {
    Buffer meta = ReadBuffer(index.rel, format::kHnswMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_SHARE);
    BlockNumber head = *ahead_of(BufferGetPage(meta), kind, large);
    UnlockReleaseBuffer(meta);
    return head;
}

// A page is full, and leaves its list, when this many free slots in a row are not to be had: hardly a small node, or
// not the large one at hand, finds a place there. A page that kept standing at the head would hide those behind it.
uint32 full_below(const SlotShape& shape, uint32 need) {
    if (!shape.runs) return 1;
    return is_large(shape, need) ? need : large_above(shape) / 2;
}

// Looks for `need` usable slots in a row on a page. Found: the first of them; else per_page, and `widest` is how many
// in a row are free, usable or not.
uint32 find_slots(PageKind kind, Page page, const SlotShape& shape, uint32 need, uint32* widest) {
    auto state_of = [&](char* slot) {
        if (*flags_of(kind, slot) != 0) return page::RunState::used;
        return usable(kind, slot) ? page::RunState::free_now : page::RunState::free_later;
    };
    if (shape.runs) return page::find_run(page, shape, need, widest, state_of);
    *widest = 0;
    for (uint32 i = 0; i < shape.per_page; i++) {
        page::RunState state = state_of(page::slot_at(page, shape, i));
        if (state == page::RunState::free_now) return i;
        if (state == page::RunState::free_later) *widest = 1;
    }
    return shape.per_page;
}

// A run begins a new life with what was there forgotten: the next transaction id tells it from those before.
void begin_run(Page page, const SlotShape& shape, uint32 slot, uint32 need) {
    page::place_run(page, shape, slot, need);
    uint64 xid = U64FromFullTransactionId(ReadNextFullTransactionId());
    auto* node = reinterpret_cast<HnswNode*>(page::slot_at(page, shape, slot));
    node->generation = std::max<uint32>(1, static_cast<uint32>(xid) & 0x7FFFFFFF);
}

// A page of the list of a kind, locked and found sound.
Buffer lock_page(const HnswIndex& index, PageKind kind, BlockNumber block) {
    page::check_exists(index.rel, block);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    page::check_page(index.rel, block, BufferGetPage(buffer), index.shape(kind));
    return buffer;
}

// Looks for usable slots on one page. Found: the page stays locked. Else gives the next page of the list, and
// whether the page is full for good.
bool try_page(const HnswIndex& index, PageKind kind, BlockNumber block, uint32 need, SlotClaim* claim,
              BlockNumber* next, bool* full) {
    const SlotShape& shape = index.shape(kind);
    Buffer buffer = lock_page(index, kind, block);
    Page page = BufferGetPage(buffer);
    uint32 widest;
    uint32 found = find_slots(kind, page, shape, need, &widest);
    *full = widest < full_below(shape, need);
    if (found < shape.per_page) {
        claim->record = {index.rel, index.logged};
        Page copy = claim->record.add(buffer);
        if (!shape.runs) page::cover_slot(copy, shape, found);
        claim->buffer = buffer;
        claim->page = copy;
        if (shape.runs) begin_run(copy, shape, found, need);
        claim->slot = page::slot_at(copy, shape, found);
        claim->number = shape.number(block, found);
        return true;
    }
    *next = page::tail_of(page)->next_free;
    UnlockReleaseBuffer(buffer);
    return false;
}

// Takes a full page off the head of its list, if it still is both.
void pop_page(const HnswIndex& index, PageKind kind, BlockNumber block, uint32 need) {
    const SlotShape& shape = index.shape(kind);
    Buffer meta = lock_meta(index);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    Page page = BufferGetPage(buffer);
    uint32 widest;
    bool large = is_large(shape, need);
    bool full = *ahead_of(BufferGetPage(meta), kind, large) == block &&
                find_slots(kind, page, shape, need, &widest) == shape.per_page && widest < full_below(shape, need);
    if (full) {
        page::PageChange record{index.rel, index.logged};
        Page meta_copy = record.add(meta);
        PageTail* tail = page::tail_of(record.add(buffer));
        *ahead_of(meta_copy, kind, large) = tail->next_free;
        tail->next_free = InvalidBlockNumber;
        tail->listed = 0;
        record.finish();
    }
    UnlockReleaseBuffer(buffer);
    UnlockReleaseBuffer(meta);
}

// A page that joins those behind is the third lock of an operation, since the last of the ring leads to it. That one is
// taken only if it is free at once, as others take pages of postings in the order of their chain. False: it is not.
bool lock_behind(const HnswIndex& index, Page meta_page, PageKind kind, bool large, Buffer* old_last) {
    *old_last = InvalidBuffer;
    BlockNumber block = *behind_of(meta_page, kind, large);
    if (block == 0) return true;
    page::check_exists(index.rel, block);
    *old_last = ReadBuffer(index.rel, block);
    if (!ConditionalLockBuffer(*old_last)) {
        ReleaseBuffer(*old_last);
        return false;
    }
    page::check_page(index.rel, block, BufferGetPage(*old_last), index.shape(kind));
    return true;
}

// Puts the pages from `first` to `last`, which lead to each other, at the end of the ring, in one record with what is
// changed of `last` already. Lets go of what lock_behind has locked.
void finish_behind(page::PageChange& record, BlockNumber* behind, BlockNumber first, BlockNumber last, PageTail* last_tail,
                   Buffer old_last) {
    last_tail->next_free = first;
    if (old_last != InvalidBuffer) {
        std::swap(last_tail->next_free, page::tail_of(record.add(old_last))->next_free);
    }
    *behind = last;
    record.finish();
    if (old_last != InvalidBuffer) UnlockReleaseBuffer(old_last);
}

// Puts the first pages ahead behind, as many as are tried at once. False: the list does not begin with `head` any more.
bool pass_pages(const HnswIndex& index, PageKind kind, bool large, BlockNumber head) {
    Buffer meta = lock_meta(index);
    bool same = *ahead_of(BufferGetPage(meta), kind, large) == head;
    if (same) {
        Buffer last = InvalidBuffer, old_last;
        BlockNumber block = head;
        for (uint32 i = 0; i < kMaxTries && block != InvalidBlockNumber; i++) {
            if (last != InvalidBuffer) UnlockReleaseBuffer(last);
            last = lock_page(index, kind, block);
            block = page::tail_of(BufferGetPage(last))->next_free;
        }
        if (lock_behind(index, BufferGetPage(meta), kind, large, &old_last)) {
            page::PageChange record{index.rel, index.logged};
            Page meta_copy = record.add(meta);
            *ahead_of(meta_copy, kind, large) = block;
            finish_behind(record, behind_of(meta_copy, kind, large), head, BufferGetBlockNumber(last),
                          page::tail_of(record.add(last)), old_last);
        }
        UnlockReleaseBuffer(last);
    }
    UnlockReleaseBuffer(meta);
    return same;
}

// At the end of the list: what lies behind is ahead again. False: nothing does.
bool turn_round(const HnswIndex& index, PageKind kind, bool large) {
    Buffer meta = lock_meta(index);
    BlockNumber block = *behind_of(BufferGetPage(meta), kind, large);
    if (block != 0 && *ahead_of(BufferGetPage(meta), kind, large) == InvalidBlockNumber) {
        Buffer last = lock_page(index, kind, block);
        page::PageChange record{index.rel, index.logged};
        Page meta_copy = record.add(meta);
        PageTail* tail = page::tail_of(record.add(last));
        *ahead_of(meta_copy, kind, large) = tail->next_free;
        *behind_of(meta_copy, kind, large) = 0;
        tail->next_free = InvalidBlockNumber;
        record.finish();
        UnlockReleaseBuffer(last);
    }
    UnlockReleaseBuffer(meta);
    return block != 0;
}

// Puts a page at the end of those behind, or, if it is new, in front of those ahead; not if it is in the list.
void join_list(const HnswIndex& index, PageKind kind, BlockNumber block, uint32 need, bool is_new) {
    const SlotShape& shape = index.shape(kind);
    Buffer meta = lock_meta(index);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    if (!page::tail_of(BufferGetPage(buffer))->listed) {
        bool large = is_large(shape, need) || holds_large(BufferGetPage(buffer), shape);
        Buffer old_last;
        bool behind = !is_new && lock_behind(index, BufferGetPage(meta), kind, large, &old_last);
        page::PageChange record{index.rel, index.logged};
        Page meta_copy = record.add(meta);
        PageTail* tail = page::tail_of(record.add(buffer));
        tail->listed = 1;
        if (behind) {
            finish_behind(record, behind_of(meta_copy, kind, large), block, block, tail, old_last);
        } else {
            BlockNumber* head = ahead_of(meta_copy, kind, large);
            tail->next_free = *head;
            *head = block;
            record.finish();
        }
    }
    UnlockReleaseBuffer(buffer);
    UnlockReleaseBuffer(meta);
}

// Adds an empty page. The relation is extended without holding any page lock, since that may wait for a heavyweight
// one; two who do so at once add a page each.
void add_page(const HnswIndex& index, PageKind kind, uint32 need) {
    const SlotShape& shape = index.shape(kind);
    // Checked before the file grows; others who add pages now stay far below the margin.
    constexpr BlockNumber kMargin = 1024;
    if (RelationGetNumberOfBlocks(index.rel) + kMargin >= shape.block_limit()) {
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("index \"%s\" cannot have more nodes", RelationGetRelationName(index.rel)));
    }
    Buffer buffer = pg::extend_relation(index.rel);
    BlockNumber block = BufferGetBlockNumber(buffer);
    page::PageChange record{index.rel, index.logged};
    page::init_page(record.add(buffer, GENERIC_XLOG_FULL_IMAGE), shape,
                    shape.runs ? shape.per_page : 0);
    record.finish();
    UnlockReleaseBuffer(buffer);
    join_list(index, kind, block, need, true);
}

}  // namespace

void SlotClaim::publish() {
    record.finish();
    UnlockReleaseBuffer(buffer);
}

SlotClaim claim_slot(const HnswIndex& index, PageKind kind, uint32 need) {
    SlotClaim claim{};
    page::ChainGuard heads;
    bool large = is_large(index.shape(kind), need), turned = false;
    for (uint32 tries = 0;;) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber head = read_head(index, kind, large);
        if (head == InvalidBlockNumber && !turned && turn_round(index, kind, large)) {
            turned = true;
            continue;
        }
        heads.step(index.rel, head, index.shape(kind));
        bool popped = false;
        for (BlockNumber block = head, next; block != InvalidBlockNumber && tries < kMaxTries && !popped; block = next) {
            bool full;
            if (try_page(index, kind, block, need, &claim, &next, &full)) return claim;
            if (full && block == head) {
                pop_page(index, kind, block, need);
                popped = true;
            } else {
                tries++;
            }
        }
        if (popped) continue;
        if (head != InvalidBlockNumber) {
            bool passed = pass_pages(index, kind, large, head);
            if (!passed) tries = 0;  // another one did, or added a page
            if (!passed || (tries < kMaxTries && !turned)) continue;
        }
        add_page(index, kind, need);
        tries = 0;
    }
}

void free_node(HnswNode* node) {
    node->flags = 0;
    node->generation = node->generation == 0x7FFFFFFF ? 1 : node->generation + 1;
    set_freed_xid(node, ReadNextFullTransactionId());
}

void free_posting(HnswPosting* posting) {
    posting->flags = 0;
    posting->count = 0;
    uint64 xid = U64FromFullTransactionId(ReadNextFullTransactionId());
    memcpy(static_cast<void*>(posting + 1), &xid, sizeof xid);
}

void free_slot(PageKind kind, char* slot) {
    if (kind == PageKind::postings) {
        free_posting(reinterpret_cast<HnswPosting*>(slot));
    } else {
        *flags_of(kind, slot) = 0;
    }
}

bool slot_owner(PageKind kind, char* slot, SlotNumber* owner) {
    if (*flags_of(kind, slot) == 0) return false;
    *owner = kind == PageKind::postings ? reinterpret_cast<HnswPosting*>(slot)->node
                                        : reinterpret_cast<format::HnswLinks*>(slot)->node;
    return true;
}

void list_page(const HnswIndex& index, PageKind kind, BlockNumber block, uint32 need) {
    join_list(index, kind, block, need, false);
}

}  // namespace vext::hnsw
