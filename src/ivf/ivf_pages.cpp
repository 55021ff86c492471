#include "ivf/ivf_pages.h"

namespace vext::ivf {

using page::tail_of;

namespace {

BlockNumber* free_head(Page meta_page, PageKind kind) {
    IvfMeta* meta = meta_of(meta_page);
    return kind == PageKind::entries ? &meta->free_entries : &meta->free_vectors;
}

void unlist(Page page) {
    tail_of(page)->next_free = InvalidBlockNumber;
    tail_of(page)->listed = 0;
}

void set_freed(IvfEntries* e, FullTransactionId xid) {
    uint64 value = U64FromFullTransactionId(xid);
    e->freed_low = static_cast<uint32>(value);
    e->freed_high = static_cast<uint32>(value >> 32);
}

bool all_free(const IvfIndex& index, Page page) {
    for (uint32 i = 0; i < index.layout.vectors.per_page; i++) {
        if (vector_at(index, page, i)->flags != 0) return false;
    }
    return true;
}

// Scans walk from one entries page to the next without a lock in between, so one that was freed waits until nobody can
// be on the way to it. A vectors page may have got a row from an insert that had looked up the page before it was given
// back.
bool may_be_reused(const IvfIndex& index, PageKind kind, Page page) {
    if (kind != PageKind::entries) return all_free(index, page);
    const IvfEntries* e = entries_of(index, page);
    FullTransactionId xid = FullTransactionIdFromU64(static_cast<uint64>(e->freed_high) << 32 | e->freed_low);
    return GlobalVisCheckRemovableFullXid(nullptr, xid);
}

// A page has one kind for good. It is looked at before the page is locked: in a damaged index the number may be that of
// another page which we have locked, and to wait for oneself is for ever.
Buffer lock_page(const IvfIndex& index, BlockNumber block, const SlotShape& shape) {
    page::check_exists(index.rel, block);
    Buffer buffer = ReadBuffer(index.rel, block);
    page::check_page(index.rel, block, BufferGetPage(buffer), shape);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    return buffer;
}

// Of two pages of one kind, for the same reason.
void check_distinct(const IvfIndex& index, BlockNumber a, BlockNumber b) {
    if (a == b) page::report_corrupted(index.rel, a, "a page that leads to itself");
}

// Takes a page off a list of free ones; InvalidBuffer when there is none that may be used.
Buffer take_free_page(const IvfIndex& index, const SlotShape& shape) {
    LockedPage meta{index, format::kIvfMetaBlock, kMetaShape};
    BlockNumber head = *free_head(meta.page(), shape.kind);
    if (head == InvalidBlockNumber) return InvalidBuffer;
    Buffer buffer = lock_page(index, head, shape);
    bool usable = may_be_reused(index, shape.kind, BufferGetPage(buffer));
    if (usable || shape.kind == PageKind::vectors) {
        GenericXLogState* record = GenericXLogStart(index.rel);
        Page page = GenericXLogRegisterBuffer(record, buffer, GENERIC_XLOG_FULL_IMAGE);
        *free_head(meta.copy(record), shape.kind) = tail_of(page)->next_free;
        if (usable) {
            page::init_page(page, shape);
        } else {
            unlist(page);
        }
        GenericXLogFinish(record);
    }
    if (usable) return buffer;
    UnlockReleaseBuffer(buffer);
    return InvalidBuffer;
}

// An empty page, exclusively locked; no other lock is held, and nobody else knows the page.
Buffer new_page(const IvfIndex& index, const SlotShape& shape) {
    Buffer buffer = take_free_page(index, shape);
    if (buffer != InvalidBuffer) return buffer;
    // Checked before the file grows; others who add pages now stay far below the margin.
    constexpr BlockNumber kMargin = 1024;
    if (RelationGetNumberOfBlocks(index.rel) + kMargin >= index.layout.vectors.block_limit()) {
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("index \"%s\" cannot have more rows", RelationGetRelationName(index.rel)));
    }
    buffer = pg::extend_relation(index.rel);
    GenericXLogState* record = GenericXLogStart(index.rel);
    page::init_page(GenericXLogRegisterBuffer(record, buffer, GENERIC_XLOG_FULL_IMAGE), shape);
    GenericXLogFinish(record);
    return buffer;
}

void free_page(const IvfIndex& index, const SlotShape& shape, BlockNumber block) {
    LockedPage meta{index, format::kIvfMetaBlock, kMetaShape};
    LockedPage freed{index, block, shape};
    if (tail_of(freed.page())->listed) return;
    GenericXLogState* record = GenericXLogStart(index.rel);
    BlockNumber* head = free_head(meta.copy(record), shape.kind);
    page::PageTail* tail = tail_of(freed.copy(record));
    tail->next_free = *head;
    tail->listed = 1;
    *head = block;
    GenericXLogFinish(record);
}

// Takes a page without rows out of the stack. Gives the page below it in *next; false where the page stays, and *next
// is InvalidBlockNumber where the stack has changed.
bool take_out(const IvfIndex& index, uint32 list, BlockNumber above, BlockNumber block, BlockNumber* next) {
    check_distinct(index, above, block);
    LockedPage slot{index, index.block_of_list(list), index.layout.lists};
    Buffer before = InvalidBuffer;
    BlockNumber leads_to = list_at(index, slot.page(), list)->roomy;
    if (above != InvalidBlockNumber) {
        before = lock_page(index, above, index.layout.vectors);
        leads_to = tail_of(BufferGetPage(before))->next_free;
    }
    bool taken = false;
    *next = InvalidBlockNumber;
    if (leads_to == block) {
        LockedPage vectors{index, block, index.layout.vectors};
        *next = tail_of(vectors.page())->next_free;
        taken = all_free(index, vectors.page());
        if (taken) {
            GenericXLogState* record = GenericXLogStart(index.rel);
            if (before == InvalidBuffer) {
                list_at(index, slot.copy(record), list)->roomy = *next;
            } else {
                tail_of(GenericXLogRegisterBuffer(record, before, 0))->next_free = *next;
            }
            unlist(vectors.copy(record));
            GenericXLogFinish(record);
        }
    }
    if (before != InvalidBuffer) UnlockReleaseBuffer(before);
    return taken;
}

}  // namespace

LockedPage::LockedPage(const IvfIndex& index, BlockNumber block, const SlotShape& shape)
    : buffer_(lock_page(index, block, shape)) {}

void add_entries_page(const IvfIndex& index, uint32 list, BlockNumber tail) {
    Buffer buffer = new_page(index, index.layout.entries);
    BlockNumber added = BufferGetBlockNumber(buffer);
    bool used;
    {
        LockedPage slot{index, index.block_of_list(list), index.layout.lists};
        auto link = [&](const LockedPage* before) {
            GenericXLogState* record = GenericXLogStart(index.rel);
            IvfList* l = list_at(index, slot.copy(record), list);
            if (l->head == InvalidBlockNumber) l->head = added;
            l->insert = added;
            if (before != nullptr) entries_of(index, before->copy(record))->next = added;
            IvfEntries* e = entries_of(index, GenericXLogRegisterBuffer(record, buffer, 0));
            e->list = list;
            e->next = InvalidBlockNumber;
            GenericXLogFinish(record);
        };
        if (tail == InvalidBlockNumber) {
            used = list_at(index, slot.page(), list)->head == InvalidBlockNumber;
            if (used) link(nullptr);
        } else {
            LockedPage last{index, tail, index.layout.entries};
            const IvfEntries* e = entries_of(index, last.page());
            used = e->list == list && e->next == InvalidBlockNumber && !is_freed(e);
            if (used) link(&last);
        }
    }
    if (!used) {
        GenericXLogState* record = GenericXLogStart(index.rel);
        IvfEntries* e = entries_of(index, GenericXLogRegisterBuffer(record, buffer, 0));
        e->next = InvalidBlockNumber;
        set_freed(e, FullTransactionIdFromU64(FirstNormalTransactionId));
        GenericXLogFinish(record);
    }
    UnlockReleaseBuffer(buffer);
    if (!used) free_page(index, index.layout.entries, added);
}

bool drop_entries_page(const IvfIndex& index, uint32 list, BlockNumber previous, BlockNumber block) {
    check_distinct(index, previous, block);
    bool dropped_it = false;
    {
        LockedPage slot{index, index.block_of_list(list), index.layout.lists};
        Buffer before = InvalidBuffer;
        BlockNumber leads_to = list_at(index, slot.page(), list)->head;
        if (previous != InvalidBlockNumber) {
            before = lock_page(index, previous, index.layout.entries);
            leads_to = entries_of(index, BufferGetPage(before))->next;
        }
        {
            LockedPage dropped{index, block, index.layout.entries};
            if (leads_to == block && live_entries(index, dropped.page()) == 0) {
                GenericXLogState* record = GenericXLogStart(index.rel);
                IvfList* l = list_at(index, slot.copy(record), list);
                IvfEntries* e = entries_of(index, dropped.copy(record));
                if (before == InvalidBuffer) {
                    l->head = e->next;
                } else {
                    entries_of(index, GenericXLogRegisterBuffer(record, before, 0))->next = e->next;
                }
                if (l->insert == block) l->insert = e->next != InvalidBlockNumber ? e->next : previous;
                set_freed(e, ReadNextFullTransactionId());
                GenericXLogFinish(record);
                dropped_it = true;
            }
        }
        if (before != InvalidBuffer) UnlockReleaseBuffer(before);
    }
    if (dropped_it) free_page(index, index.layout.entries, block);
    return dropped_it;
}

void set_insert_page(const IvfIndex& index, uint32 list, BlockNumber seen, BlockNumber block) {
    LockedPage slot{index, index.block_of_list(list), index.layout.lists};
    if (list_at(index, slot.page(), list)->insert != seen) return;
    GenericXLogState* record = GenericXLogStart(index.rel);
    list_at(index, slot.copy(record), list)->insert = block;
    GenericXLogFinish(record);
}

void add_vectors_page(const IvfIndex& index, uint32 list) {
    Buffer buffer = new_page(index, index.layout.vectors);
    {
        LockedPage slot{index, index.block_of_list(list), index.layout.lists};
        GenericXLogState* record = GenericXLogStart(index.rel);
        IvfList* l = list_at(index, slot.copy(record), list);
        page::PageTail* tail = tail_of(GenericXLogRegisterBuffer(record, buffer, 0));
        tail->next_free = l->roomy;
        tail->listed = 1;
        l->roomy = BufferGetBlockNumber(buffer);
        GenericXLogFinish(record);
    }
    UnlockReleaseBuffer(buffer);
}

void push_vectors_page(const IvfIndex& index, uint32 list, BlockNumber block) {
    LockedPage slot{index, index.block_of_list(list), index.layout.lists};
    LockedPage vectors{index, block, index.layout.vectors};
    if (tail_of(vectors.page())->listed) return;
    GenericXLogState* record = GenericXLogStart(index.rel);
    IvfList* l = list_at(index, slot.copy(record), list);
    page::PageTail* tail = tail_of(vectors.copy(record));
    tail->next_free = l->roomy;
    tail->listed = 1;
    l->roomy = block;
    GenericXLogFinish(record);
}

void pop_vectors_page(const IvfIndex& index, uint32 list, BlockNumber block) {
    LockedPage slot{index, index.block_of_list(list), index.layout.lists};
    if (list_at(index, slot.page(), list)->roomy != block) return;
    LockedPage vectors{index, block, index.layout.vectors};
    if (free_slot(index, vectors.page()) < index.layout.vectors.per_page) return;
    GenericXLogState* record = GenericXLogStart(index.rel);
    Page page = vectors.copy(record);
    list_at(index, slot.copy(record), list)->roomy = tail_of(page)->next_free;
    unlist(page);
    GenericXLogFinish(record);
}

uint32 give_back_vectors_pages(const IvfIndex& index, uint32 list) {
    uint32 given = 0;
    BlockNumber above = InvalidBlockNumber;
    BlockNumber block = read_list(index, list).roomy;
    page::ChainGuard chain;
    while (block != InvalidBlockNumber) {
        pg::vacuum_delay();
        chain.step(index.rel, block, index.layout.vectors);
        BlockNumber next;
        if (take_out(index, list, above, block, &next)) {
            free_page(index, index.layout.vectors, block);
            given++;
        } else {
            above = block;
        }
        block = next;
    }
    return given;
}

uint32 free_slot(const IvfIndex& index, Page page) {
    uint32 i = 0;
    while (i < index.layout.vectors.per_page && vector_at(index, page, i)->flags != 0) i++;
    return i;
}

}  // namespace vext::ivf
