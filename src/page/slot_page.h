// Pages of fixed-size slots, addressed by arithmetic: number = block * per_page + slot. One place for how such a
// page is laid out, initialised and validated.
#pragma once

#include "pg/postgres.h"

#include "format/page_format.h"

namespace vext::page {

using format::PageKind;
using format::PageTail;
using format::SlotNumber;

// The slots of one kind of page.
struct SlotShape {
    PageKind kind;
    uint32 slot_bytes;
    uint32 per_page;
    bool runs = false;  // what is stored takes several slots in a row: run_page.h
    uint32 front = 0;   // bytes in front of the first slot, for what a page says of all its slots

    BlockNumber block(SlotNumber n) const { return n / per_page; }
    uint32 slot(SlotNumber n) const { return n % per_page; }
    SlotNumber number(BlockNumber block, uint32 slot) const { return block * per_page + slot; }
    uint32 begin() const;  // of the first slot, on the page
    // Blocks at and above this one have no slot numbers left.
    BlockNumber block_limit() const { return (format::kNoSlot - per_page) / per_page; }
};

inline constexpr uint32 kSlotAlignment = 8;
inline constexpr uint32 kSlotAreaStart = MAXALIGN(SizeOfPageHeaderData);
inline constexpr uint32 kSlotArea = BLCKSZ - kSlotAreaStart - MAXALIGN(sizeof(PageTail));

inline uint32 SlotShape::begin() const { return kSlotAreaStart + front; }

// A shape with as many slots as fit; per_page is 0 when not even one does.
inline SlotShape make_shape(PageKind kind, size_t bytes) {
    size_t aligned = (bytes + kSlotAlignment - 1) / kSlotAlignment * kSlotAlignment;
    return {kind, static_cast<uint32>(aligned), static_cast<uint32>(kSlotArea / aligned)};
}

inline PageTail* tail_of(Page page) { return reinterpret_cast<PageTail*>(PageGetSpecialPointer(page)); }

inline char* slot_at(Page page, const SlotShape& shape, uint32 slot) {
    return static_cast<char*>(page) + shape.begin() + slot * shape.slot_bytes;
}

// An empty page of a shape, with this many slots in front of pd_lower. Generic WAL zeroes what is between it and
// pd_upper, and full images leave that out: slots there are free and all zero.
void init_page(Page page, const SlotShape& shape, uint32 slots);
inline void init_page(Page page, const SlotShape& shape) { init_page(page, shape, shape.per_page); }

// Moves pd_lower past a slot that is about to be used.
inline void cover_slot(Page page, const SlotShape& shape, uint32 slot) {
    auto* header = reinterpret_cast<PageHeader>(page);
    uint32 end = shape.begin() + (slot + 1) * shape.slot_bytes;
    if (header->pd_lower < end) header->pd_lower = static_cast<LocationIndex>(end);
}

// False for new pages and for what is no page of ours.
bool has_kind(Page page, PageKind kind);

// Why the page is none of this shape; nullptr: it is one.
const char* what_is_wrong(Page page, const SlotShape& shape);
// ERROR (index corrupted, HINT REINDEX) unless the page is one of this shape.
void check_page(Relation index, BlockNumber block, Page page, const SlotShape& shape);

// The same unless there is such a block: what ReadBuffer says of others does not tell what to do.
void check_exists(Relation index, BlockNumber block);

[[noreturn]] void report_corrupted(Relation index, BlockNumber block, const char* what);

// Counts the steps of a walk along a chain of slots: in a damaged index a chain may return to itself, and the walk would
// not end. ERROR (index corrupted) when there were more steps than the index has slots.
class ChainGuard {
public:
    void step(Relation index, BlockNumber block, const SlotShape& shape) {
        if (++steps_ % kLookEvery == 0) look(index, block, shape);
    }

private:
    static constexpr uint64 kLookEvery = 256;
    void look(Relation index, BlockNumber block, const SlotShape& shape) const;
    uint64 steps_ = 0;
};

}  // namespace vext::page
