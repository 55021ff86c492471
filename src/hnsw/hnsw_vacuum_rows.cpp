// The first pass of a vacuum: rows.
#include <cstring>

#include "hnsw/hnsw_slots.h"
#include "hnsw/hnsw_vacuum.h"
#include "index/access_method.h"

namespace vext::hnsw {

using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;
using format::PageKind;

namespace {

HnswPosting* posting_at(const SlotShape& shape, Page page, SlotNumber number) {
    return reinterpret_cast<HnswPosting*>(page::slot_at(page, shape, shape.slot(number)));
}

// Removes dead rows from one chunk. Gives the next chunk, and whether this one is empty now.
SlotNumber clean_chunk(Vacuum& v, SlotNumber node, SlotNumber number, bool* empty) {
    const SlotShape& shape = v.index.layout.postings;
    pg::Pin pin{v.store.reader().pin(shape.block(number), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    HnswPosting* posting = posting_at(shape, pin.page(), number);
    if (posting->flags == 0 || posting->node != node) {
        page::report_corrupted(v.index.rel, shape.block(number), "a list of rows that belongs to another node");
    }
    if (posting->count > v.index.layout.posting_capacity) {
        page::report_corrupted(v.index.rel, shape.block(number), "a list of rows that is too long");
    }
    uint8 kept[format::kMaxPostingCapacity], n = 0;
    for (uint8 i = 0; i < posting->count; i++) {
        if (!index::is_gone(v.row_is_dead, &entry_at(v.index, posting, i)->tid, v.state)) kept[n++] = i;
    }
    *empty = n == 0;
    v.stats->tuples_removed += posting->count - n;
    v.stats->num_index_tuples += n;
    if (n == posting->count) return posting->next;
    GenericXLogState* record = GenericXLogStart(v.index.rel);
    posting = posting_at(shape, GenericXLogRegisterBuffer(record, pin.buffer(), 0), number);
    for (uint8 i = 0; i < n; i++) {
        memmove(static_cast<void*>(entry_at(v.index, posting, i)), entry_at(v.index, posting, kept[i]),
                v.index.layout.posting_entry_bytes);
    }
    posting->count = n;
    SlotNumber next = posting->next;
    GenericXLogFinish(record);
    return next;
}

// Takes the first chunk of a node off its chain if it is empty; false when it is not.
bool drop_first_chunk(Vacuum& v, SlotNumber node_number) {
    const SlotShape& nodes = v.index.layout.nodes;
    const SlotShape& shape = v.index.layout.postings;
    BlockNumber freed;
    {
        pg::Pin pin{v.store.reader().pin(nodes.block(node_number), nodes)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        SlotNumber head = node_at(v.index, pin.page(), nodes.slot(node_number))->posting;
        if (head == kNoSlot) return false;
        freed = shape.block(head);
        pg::Pin chunk_pin{v.store.reader().pin(freed, shape)};
        pg::ContentLock chunk_lock{chunk_pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        if (posting_at(shape, chunk_pin.page(), head)->count > 0) return false;
        GenericXLogState* record = GenericXLogStart(v.index.rel);
        Page page = GenericXLogRegisterBuffer(record, pin.buffer(), 0);
        HnswPosting* posting = posting_at(shape, GenericXLogRegisterBuffer(record, chunk_pin.buffer(), 0), head);
        set_posting(v.index, page, nodes.slot(node_number), posting->next);
        free_posting(posting);
        GenericXLogFinish(record);
    }
    list_page(v.index, PageKind::postings, freed);
    return true;
}

// Takes an empty chunk that is not the first off its chain.
void drop_later_chunk(Vacuum& v, SlotNumber previous, SlotNumber number) {
    const SlotShape& shape = v.index.layout.postings;
    {
        pg::Pin pin{v.store.reader().pin(shape.block(previous), shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        GenericXLogState* record = GenericXLogStart(v.index.rel);
        Page page = GenericXLogRegisterBuffer(record, pin.buffer(), 0);
        if (shape.block(number) == shape.block(previous)) {
            posting_at(shape, page, previous)->next = posting_at(shape, page, number)->next;
            free_posting(posting_at(shape, page, number));
            GenericXLogFinish(record);
        } else {
            // Chunks of a chain are locked in the order of the chain.
            pg::Pin chunk_pin{v.store.reader().pin(shape.block(number), shape)};
            pg::ContentLock chunk_lock{chunk_pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
            HnswPosting* chunk = posting_at(shape, GenericXLogRegisterBuffer(record, chunk_pin.buffer(), 0), number);
            posting_at(shape, page, previous)->next = chunk->next;
            free_posting(chunk);
            GenericXLogFinish(record);
        }
    }
    list_page(v.index, PageKind::postings, shape.block(number));
}

void clean_postings(Vacuum& v, SlotNumber node, SlotNumber head) {
    SlotNumber previous = kNoSlot;
    page::ChainGuard chain;
    for (SlotNumber at = head; at != kNoSlot;) {
        pg::vacuum_delay();
        chain.step(v.index.rel, v.index.layout.postings.block(at), v.index.layout.postings);
        bool empty;
        SlotNumber next = clean_chunk(v, node, at, &empty);
        if (empty && previous != kNoSlot) {
            drop_later_chunk(v, previous, at);
        } else {
            previous = at;
            if (!empty) v.chained.insert(at);
        }
        at = next;
    }
    while (drop_first_chunk(v, node)) {
    }
}

// Removes dead rows from the slots of a page and marks nodes without rows dead. Notes nodes with postings in lists.
void clean_page(Vacuum& v, BlockNumber block, Buffer buffer, bool postings_done) {
    const SlotShape& nodes = v.index.layout.nodes;
    pg::ContentLock lock{buffer, BUFFER_LOCK_EXCLUSIVE};
    GenericXLogState* record = nullptr;
    Page page = BufferGetPage(buffer);
    v.lists.clear();
    for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(page, nodes, i)) {
        HnswNode* node = node_at(v.index, page, i);
        SlotNumber number = nodes.number(block, i);
        if (!(node->flags & format::kSlotUsed)) continue;
        if (node->flags & format::kNodeDead) {
            // Left by a vacuum that did not come to its end.
            if (!v.is_dead(number)) v.set_dead(number);
            continue;
        }
        bool has_row = ItemPointerIsValid(&node->tid);
        bool drop_row = has_row && !postings_done && index::is_gone(v.row_is_dead, &node->tid, v.state);
        bool dies = (drop_row || !has_row) && node->posting == kNoSlot;
        if (!postings_done) {
            if (node->posting != kNoSlot) {
                v.lists.push_back(number);
                v.lists.push_back(node->posting);
            }
            if (drop_row) v.stats->tuples_removed++;
            if (has_row && !drop_row) v.stats->num_index_tuples++;
        }
        if (!drop_row && !dies) continue;
        if (record == nullptr) {
            record = GenericXLogStart(v.index.rel);
            page = GenericXLogRegisterBuffer(record, buffer, 0);
            node = node_at(v.index, page, i);
        }
        ItemPointerSetInvalid(&node->tid);
        if (dies) {
            node->flags |= format::kNodeDead;
            v.set_dead(number);
        }
    }
    if (record != nullptr) GenericXLogFinish(record);
}

}  // namespace

void remove_rows(Vacuum& v) {
    ArenaVec<SlotNumber> lists{v.context};
    for_each_page(v, PageKind::nodes, [&](BlockNumber block, Buffer buffer) {
        clean_page(v, block, buffer, false);
        if (v.lists.empty()) return;
        lists.clear();
        for (SlotNumber n : v.lists) lists.push_back(n);
        for (size_t i = 0; i < lists.size(); i += 2) clean_postings(v, lists[i], lists[i + 1]);
        clean_page(v, block, buffer, true);
    });
}

}  // namespace vext::hnsw
