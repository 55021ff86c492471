// Pages of an index under check. Nothing here raises an error over what a page holds: a page is copied under a share
// lock, and the copy looked at with no lock held. Vacuum is locked out while a check runs, inserts are not.
#pragma once

#include "pg/postgres.h"

#include "check/check_findings.h"
#include "page/run_page.h"
#include "page/slot_page.h"
#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::check {

using format::PageKind;
using format::SlotNumber;
using page::SlotShape;

// A set of small numbers.
class BitSet {
public:
    explicit BitSet(MemoryContext context) : words_(context) {}
    bool contains(uint64 i) const { return i / 64 < words_.size() && words_[i / 64] >> i % 64 & 1; }
    // False: it was there.
    bool insert(uint64 i) {
        if (i / 64 >= words_.size()) words_.resize(i / 64 + 1 + words_.size() / 4, 0);
        bool fresh = !contains(i);
        words_[i / 64] |= uint64{1} << i % 64;
        return fresh;
    }
    void clear() { words_.clear(); }

private:
    ArenaVec<uint64> words_;
};

class Pages {
public:
    Pages(Relation index, Findings& findings, MemoryContext context)
        : index_(index), findings_(findings), strategy_(GetAccessStrategy(BAS_BULKREAD)), listed_(context),
          trail_(context), on_trail_(context), in_lists_(context) {}

    // use(page) under a share lock, or nothing where there is no such page of that kind. It must not raise an error and
    // not take long.
    template <typename Use>
    bool look(BlockNumber block, const SlotShape& shape, Use use) {
        if (!exists(block)) return false;
        CHECK_FOR_INTERRUPTS();
        pg::Pin pin{ReadBuffer(index_, block)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (!is_readable(pin.page(), shape.kind)) return false;
        use(pin.page());
        return true;
    }
    // A copy of such a page, valid until the next call with the same `to`, or nullptr.
    Page copy(BlockNumber block, const SlotShape& shape, PGAlignedBlock* to) {
        bool found = look(block, shape, [&](Page page) { memcpy(to->data, page, BLCKSZ); });
        return found ? to->data : nullptr;
    }
    bool exists(BlockNumber block) {
        if (block >= blocks_) blocks_ = RelationGetNumberOfBlocks(index_);
        return block < blocks_;
    }

    // All blocks but the first, in file order, those that are added meanwhile too: use(block, copy of the page). New
    // pages and those of no known layout are reported where `first` is set, and left out.
    template <typename ShapeOf, typename Use>
    void each(bool first, ShapeOf shape_of, Use use) {
        PGAlignedBlock page;
        for (BlockNumber block = 1; exists(block); block++) {
            CHECK_FOR_INTERRUPTS();
            read(block, &page);
            if (PageIsNew(page.data)) {
                empty_ += first;
                continue;
            }
            const SlotShape* shape = shape_of(kind_of(page.data));
            if (first ? !check_frame(block, page.data, shape) : !is_sound(page.data, shape)) continue;
            use(block, page.data, *shape);
        }
    }
    // Of one kind, in a pass that is not the first.
    template <typename Use>
    void each_of(const SlotShape& shape, Use use) {
        auto shape_of = [&](uint16 kind) { return kind == static_cast<uint16>(shape.kind) ? &shape : nullptr; };
        each(false, shape_of, [&](BlockNumber block, Page page, const SlotShape&) { use(block, page); });
    }

    // A list of pages by PageTail::next_free: a chain, and perhaps a ring of which one page is known; pages move between
    // the two. heads(page) tells these, on a page of another kind. It changes meanwhile: where something looks wrong, or
    // pages have moved, it is walked again with that page locked, which keeps it as it is.
    struct Heads {
        BlockNumber chain, ring = InvalidBlockNumber;
    };
    template <typename Head>
    void check_list(BlockNumber begins_on, const SlotShape& home, const SlotShape& shape, const char* name, Head heads) {
        Heads from{begins_on}, now{begins_on};
        BlockNumber where = begins_on;
        look(begins_on, home, [&](Page page) { from = now = heads(page); });
        const char* problem = walk(shape, from, &where);
        look(begins_on, home, [&](Page page) { now = heads(page); });
        if (problem != nullptr || now.ring != from.ring) {
            look(begins_on, home, [&](Page page) { problem = walk(shape, heads(page), &where); });
        }
        note_list(problem, where, name);
    }
    // Pages that say that they are in a list, and are in none. check_lists() calls check_list() for every list. Between
    // two of its calls a page may have gone from a list that is still to be walked to one that was: where pages are
    // missed, all lists are walked again.
    template <typename CheckLists>
    void check_lists(CheckLists check_lists) {
        check_lists();
        walks_again_ = true;
        for (int walks = 0; walks < kWalksAgain && any_missed(); walks++) check_lists();
        walks_again_ = false;
        report_missed();
    }

    // The page header of the metapage; its kind is known.
    void check_meta(const SlotShape& shape);

    uint64 empty() const { return empty_; }
    Relation index() const { return index_; }
    Findings& findings() { return findings_; }

private:
    void read(BlockNumber block, PGAlignedBlock* to);
    // As it says; an impossible one where the page has another layout.
    uint16 kind_of(Page page) const;
    bool is_readable(Page page, PageKind kind) const;
    bool is_sound(Page page, const SlotShape* shape) const;
    bool check_frame(BlockNumber block, Page page, const SlotShape* shape);
    // Walks into trail_. What is wrong, as a sentence, or nullptr; else *where is the page.
    const char* walk(const SlotShape& shape, Heads heads, BlockNumber* where);
    void note_list(const char* problem, BlockNumber where, const char* name);
    // Whether the page says that it is in a list, and none was seen to have it.
    bool is_missed(BlockNumber block);
    bool any_missed();
    void report_missed();

    // More than one, for a page may be on its way again.
    static constexpr int kWalksAgain = 3;

    Relation index_;
    Findings& findings_;
    BufferAccessStrategy strategy_;
    BlockNumber blocks_ = 0;
    uint64 empty_ = 0;
    ArenaVec<BlockNumber> listed_;  // pages that say so
    ArenaVec<BlockNumber> trail_;
    BitSet on_trail_, in_lists_;
    bool walks_again_ = false;  // what is wrong with lists is known
};

}  // namespace vext::check
