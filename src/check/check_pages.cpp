#include "check/check_pages.h"

#include "page/meta_page.h"

namespace vext::check {

using page::tail_of;

namespace {

// Whether the special space may be looked at.
bool has_tail(Page page) {
    return !PageIsNew(page) && PageGetPageSize(page) == BLCKSZ &&
           PageGetSpecialSize(page) == MAXALIGN(sizeof(format::PageTail));
}

}  // namespace

uint16 Pages::kind_of(Page page) const { return has_tail(page) ? tail_of(page)->kind : UINT16_MAX; }

bool Pages::is_readable(Page page, PageKind kind) const { return has_tail(page) && page::has_kind(page, kind); }

bool Pages::is_sound(Page page, const SlotShape* shape) const {
    return shape != nullptr && is_readable(page, shape->kind);
}

void Pages::read(BlockNumber block, PGAlignedBlock* to) {
    pg::Pin pin{ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    memcpy(to->data, pin.page(), BLCKSZ);
}

// False: what is on the page cannot be looked at.
bool Pages::check_frame(BlockNumber block, Page page, const SlotShape* shape) {
    auto error = [&](const char* what) { findings_.add(Severity::error, block, -1, "%s", what); };
    const auto* header = reinterpret_cast<PageHeader>(page);
    if (!has_tail(page)) return error("the page has another layout"), false;
    const format::PageTail* tail = tail_of(page);
    if (tail->page_id != format::kPageId) return error("the page is none of this access method"), false;
    if (shape == nullptr) return error("the page is of an unknown kind"), false;
    if (block >= shape->block_limit()) error("the page lies behind the last slot number");
    uint32 lower = header->pd_lower, slots = lower - shape->begin();
    if (header->pd_upper != header->pd_special) error("pd_upper is not where the slots end");
    if (lower < shape->begin() || lower > header->pd_upper || slots % shape->slot_bytes != 0 ||
        slots / shape->slot_bytes > shape->per_page) {
        error("pd_lower is not at the end of a slot");
    } else {
        const char* hole = static_cast<char*>(page) + lower;
        const char* end = static_cast<char*>(page) + header->pd_special;
        if (std::any_of(hole, end, [](char c) { return c != 0; })) error("the page is not empty behind its last slot");
    }
    if (header->pd_prune_xid != 0) error("the page has a transaction id to prune at");
    if (tail->listed > 1) error("the page may or may not be in a list of pages with free slots");
    if (tail->listed == 0 && tail->next_free != InvalidBlockNumber) {
        error("the page is in no list of pages with free slots, but leads to another page");
    }
    if (tail->listed == 1) listed_.push_back(block);
    return true;
}

void Pages::check_meta(const SlotShape& shape) {
    PGAlignedBlock page;
    if (copy(page::kMetaBlock, shape, &page) != nullptr) check_frame(page::kMetaBlock, page.data, &shape);
}

const char* Pages::walk(const SlotShape& shape, Heads heads, BlockNumber* where) {
    trail_.clear();
    on_trail_.clear();
    for (BlockNumber head : {heads.chain, heads.ring}) {
        if (head == InvalidBlockNumber) continue;
        const BlockNumber end = head == heads.ring ? head : InvalidBlockNumber;
        BlockNumber next = *where = head;
        do {
            if (!on_trail_.insert(*where)) return "returns to a page";
            trail_.push_back(*where);
            bool listed = false;
            auto read = [&](Page page) {
                listed = tail_of(page)->listed == 1;
                next = tail_of(page)->next_free;
            };
            if (!look(*where, shape, read)) return "leads to no page of its kind";
            if (!listed) return "leads to a page that is not marked as listed";
            *where = next;
        } while (next != end);
    }
    return nullptr;
}

void Pages::note_list(const char* problem, BlockNumber where, const char* name) {
    if (problem != nullptr && !walks_again_) findings_.add(Severity::error, where, -1, "%s %s", name, problem);
    for (BlockNumber block : trail_.span()) {
        if (in_lists_.insert(block) || walks_again_) continue;
        findings_.add(Severity::error, block, -1, "%s leads to a page of another list", name);
        break;
    }
}

bool Pages::is_missed(BlockNumber block) {
    if (in_lists_.contains(block)) return false;
    PGAlignedBlock page;
    read(block, &page);
    return has_tail(page.data) && tail_of(page.data)->listed == 1;
}

bool Pages::any_missed() {
    return std::ranges::any_of(listed_.span(), [&](BlockNumber block) { return is_missed(block); });
}

void Pages::report_missed() {
    for (BlockNumber block : listed_.span()) {
        if (is_missed(block)) findings_.add(Severity::error, block, -1, "the page is marked as listed, but no list has it");
    }
}

}  // namespace vext::check
