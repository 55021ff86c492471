// The fourth pass of a vacuum: slots.
#include "hnsw/hnsw_slots.h"
#include "hnsw/hnsw_vacuum.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;
using format::PageKind;

namespace {

void free_page_nodes(Vacuum& v, BlockNumber block, Buffer buffer) {
    const SlotShape& nodes = v.index.layout.nodes;
    GenericXLogState* record = nullptr;
    {
        pg::ContentLock lock{buffer, BUFFER_LOCK_EXCLUSIVE};
        Page page = BufferGetPage(buffer);
        for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(page, nodes, i)) {
            if (!v.is_dead(nodes.number(block, i))) continue;
            if (record == nullptr) record = GenericXLogStart(v.index.rel);
            free_node(node_at(v.index, GenericXLogRegisterBuffer(record, buffer, 0), i));
        }
        if (record != nullptr) GenericXLogFinish(record);
    }
    if (record != nullptr) list_page(v.index, PageKind::nodes, block);
}

// A slot of links or postings in use, and the node that it says it belongs to.
struct OwnedSlot {
    SlotNumber number, owner;
    int level;  // of links
};

// Notes the used slots of a page. Gives whether it has free slots and is in no list.
bool used_slots(Buffer buffer, const SlotShape& shape, BlockNumber block, ArenaVec<OwnedSlot>& used) {
    pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
    Page page = BufferGetPage(buffer);
    used.clear();
    for (uint32 i = 0; i < shape.per_page; i++) {
        char* slot = page::slot_at(page, shape, i);
        OwnedSlot s{shape.number(block, i), kNoSlot, 0};
        if (!slot_owner(shape.kind, slot, &s.owner)) continue;
        if (shape.kind != PageKind::postings) s.level = reinterpret_cast<const HnswLinks*>(slot)->level;
        used.push_back(s);
    }
    return used.size() < shape.per_page && !page::tail_of(page)->listed;
}

// Whether a chunk is among those that inserts have put in front of a chain since pass 1 has been there.
bool is_chained_lately(Vacuum& v, const OwnedSlot& s, SlotNumber head) {
    const SlotShape& shape = v.index.layout.postings;
    page::ChainGuard chain;
    for (SlotNumber at = head; at != kNoSlot && !v.chained.contains(at);) {
        pg::vacuum_delay();
        chain.step(v.index.rel, shape.block(at), shape);
        if (at == s.number) return true;
        pg::Pin pin{v.store.reader().pin(shape.block(at), shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        const auto* posting = reinterpret_cast<const HnswPosting*>(page::slot_at(pin.page(), shape, shape.slot(at)));
        if (posting->node != s.owner) return false;
        at = posting->next;
    }
    return false;
}

// Whether the node that a slot belongs to is in use and refers to the slot. Reads without locks.
bool is_referred_to(Vacuum& v, const SlotShape& shape, const OwnedSlot& s) {
    bool used = false;
    SlotNumber head = kNoSlot;
    v.store.read_code(s.owner, [&](const HnswNode* node, const uint8*) {
        used = node->flags != 0;
        head = node->posting;
    });
    // A base_links slot stays with the slot of its node, used or not.
    if (!used && shape.kind != PageKind::base_links) return false;
    if (shape.kind == PageKind::postings) return v.chained.contains(s.number) || is_chained_lately(v, s, head);
    LinkRow row;
    return v.store.find_row(s.owner, s.level, &row) && shape.number(row.block, row.slot) == s.number;
}

// Frees a slot that its node does not refer to: the node has just been freed, or an insert has failed before it entered
// the slot in the node. One that is about to do so holds the node's page and sees whether the slot is still its own.
bool free_unreferred(Vacuum& v, const SlotShape& shape, const OwnedSlot& s) {
    if (is_referred_to(v, shape, s)) return false;
    const SlotShape& nodes = v.index.layout.nodes;
    // Lock order: a node's page, then what belongs to the node.
    pg::Pin node_pin{v.store.reader().pin(nodes.block(s.owner), nodes)};
    pg::ContentLock node_lock{node_pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    if (is_referred_to(v, shape, s)) return false;
    pg::Pin pin{v.store.reader().pin(shape.block(s.number), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    SlotNumber owner;
    if (!slot_owner(shape.kind, page::slot_at(pin.page(), shape, shape.slot(s.number)), &owner) || owner != s.owner) {
        return false;
    }
    GenericXLogState* record = GenericXLogStart(v.index.rel);
    Page page = GenericXLogRegisterBuffer(record, pin.buffer(), 0);
    free_slot(shape.kind, page::slot_at(page, shape, shape.slot(s.number)));
    GenericXLogFinish(record);
    return true;
}

// Also lists a page with free slots that a crash left unlisted.
void sweep_pages(Vacuum& v, PageKind kind) {
    const SlotShape& shape = v.index.shape(kind);
    ArenaVec<OwnedSlot> used{v.context};
    for_each_page(v, kind, [&](BlockNumber block, Buffer buffer) {
        bool to_list = used_slots(buffer, shape, block, used);
        for (const OwnedSlot& s : used.span()) to_list |= free_unreferred(v, shape, s);
        if (to_list) list_page(v.index, kind, block);
    });
}

}  // namespace

void free_slots(Vacuum& v) {
    for_each_page(v, PageKind::nodes, [&](BlockNumber block, Buffer buffer) { free_page_nodes(v, block, buffer); });
    if (!v.index.layout.links_inline) sweep_pages(v, PageKind::base_links);
    sweep_pages(v, PageKind::upper_links);
    sweep_pages(v, PageKind::postings);
}

}  // namespace vext::hnsw
