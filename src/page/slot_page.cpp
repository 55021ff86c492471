#include "page/slot_page.h"

#include "page/run_page.h"

namespace vext::page {

void init_page(Page page, const SlotShape& shape, uint32 slots) {
    PageInit(page, BLCKSZ, sizeof(PageTail));
    auto* header = reinterpret_cast<PageHeader>(page);
    header->pd_lower = static_cast<LocationIndex>(shape.begin() + slots * shape.slot_bytes);
    PageTail* tail = tail_of(page);
    tail->next_free = InvalidBlockNumber;
    tail->kind = static_cast<uint16>(shape.kind);
    tail->listed = 0;
    tail->page_id = format::kPageId;
    if (shape.runs) run_map(page)->starts[0] = uint64{1} << kFirstRun;
}

bool has_kind(Page page, PageKind kind) {
    return !PageIsNew(page) && PageGetSpecialSize(page) == MAXALIGN(sizeof(PageTail)) &&
           tail_of(page)->page_id == format::kPageId && tail_of(page)->kind == static_cast<uint16>(kind);
}

const char* what_is_wrong(Page page, const SlotShape& shape) {
    if (PageIsNew(page)) return "an empty page";
    if (PageGetSpecialSize(page) != MAXALIGN(sizeof(PageTail)) || PageGetPageSize(page) != BLCKSZ) {
        return "a page of another layout";
    }
    return has_kind(page, shape.kind) ? nullptr : "a page of another kind";
}

void check_page(Relation index, BlockNumber block, Page page, const SlotShape& shape) {
    const char* wrong = what_is_wrong(page, shape);
    if (wrong != nullptr) report_corrupted(index, block, wrong);
}

void check_exists(Relation index, BlockNumber block) {
    if (block >= RelationGetNumberOfBlocks(index)) report_corrupted(index, block, "a reference past the end");
}

void ChainGuard::look(Relation index, BlockNumber block, const SlotShape& shape) const {
    uint64 slots = static_cast<uint64>(RelationGetNumberOfBlocks(index)) * shape.per_page;
    if (steps_ > slots) report_corrupted(index, block, "a chain that returns to itself");
}

void report_corrupted(Relation index, BlockNumber block, const char* what) {
    ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("index \"%s\" is corrupted: %s at block %u", RelationGetRelationName(index), what, block),
            errhint("REINDEX the index."));
    pg_unreachable();
}

}  // namespace vext::page
