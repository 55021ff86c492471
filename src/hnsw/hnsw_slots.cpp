#include "hnsw/hnsw_slots.h"

#include <cstring>

namespace vext::hnsw {

using format::HnswNode;
using format::HnswPosting;
using format::PageKind;
using format::PageTail;

namespace {

// Pages whose free slots cannot be used yet stand in the list too; so many are tried before the file grows.
constexpr int kMaxTries = 16;

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

BlockNumber* head_of(Page meta_page, PageKind kind, bool large) {
    format::HnswMeta* meta = meta_of(meta_page);
    return large ? &meta->free_large : &meta->free_head[static_cast<int>(kind) - 1];
}

BlockNumber read_head(const HnswIndex& index, PageKind kind, bool large) {
    Buffer meta = ReadBuffer(index.rel, format::kHnswMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_SHARE);
    BlockNumber head = *head_of(BufferGetPage(meta), kind, large);
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

// Looks for usable slots on one page. Found: the page stays locked. Else gives the next page of the list, and
// whether the page is full for good.
bool try_page(const HnswIndex& index, PageKind kind, BlockNumber block, uint32 need, SlotClaim* claim,
              BlockNumber* next, bool* full) {
    const SlotShape& shape = index.shape(kind);
    page::check_exists(index.rel, block);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    Page page = BufferGetPage(buffer);
    page::check_page(index.rel, block, page, shape);
    uint32 widest;
    uint32 found = find_slots(kind, page, shape, need, &widest);
    *full = widest < full_below(shape, need);
    if (found < shape.per_page) {
        claim->record = {index.rel, index.logged};
        Page copy = claim->record.add(buffer);
        if (!shape.runs) page::cover_slot(copy, shape, found);
        claim->buffer = buffer;
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
    Buffer meta = ReadBuffer(index.rel, format::kHnswMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_EXCLUSIVE);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    Page page = BufferGetPage(buffer);
    uint32 widest;
    bool large = is_large(shape, need);
    bool full = *head_of(BufferGetPage(meta), kind, large) == block &&
                find_slots(kind, page, shape, need, &widest) == shape.per_page && widest < full_below(shape, need);
    if (full) {
        page::PageChange record{index.rel, index.logged};
        Page meta_copy = record.add(meta);
        PageTail* tail = page::tail_of(record.add(buffer));
        *head_of(meta_copy, kind, large) = tail->next_free;
        tail->next_free = InvalidBlockNumber;
        tail->listed = 0;
        record.finish();
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
    list_page(index, kind, block, need);
}

}  // namespace

void SlotClaim::publish() {
    record.finish();
    UnlockReleaseBuffer(buffer);
}

SlotClaim claim_slot(const HnswIndex& index, PageKind kind, uint32 need) {
    SlotClaim claim{};
    page::ChainGuard heads;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber head = read_head(index, kind, is_large(index.shape(kind), need));
        heads.step(index.rel, head, index.shape(kind));
        BlockNumber block = head;
        bool popped = false;
        for (int i = 0; i < kMaxTries && block != InvalidBlockNumber && !popped; i++) {
            BlockNumber next;
            bool full;
            if (try_page(index, kind, block, need, &claim, &next, &full)) return claim;
            if (full && block == head) {
                pop_page(index, kind, block, need);
                popped = true;
            }
            block = next;
        }
        if (!popped) add_page(index, kind, need);
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
    const SlotShape& shape = index.shape(kind);
    Buffer meta = ReadBuffer(index.rel, format::kHnswMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_EXCLUSIVE);
    Buffer buffer = ReadBuffer(index.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    if (!page::tail_of(BufferGetPage(buffer))->listed) {
        bool large = is_large(shape, need) || holds_large(BufferGetPage(buffer), shape);
        page::PageChange record{index.rel, index.logged};
        Page meta_copy = record.add(meta);
        PageTail* tail = page::tail_of(record.add(buffer));
        BlockNumber* head = head_of(meta_copy, kind, large);
        tail->next_free = *head;
        tail->listed = 1;
        *head = block;
        record.finish();
    }
    UnlockReleaseBuffer(buffer);
    UnlockReleaseBuffer(meta);
}

}  // namespace vext::hnsw
