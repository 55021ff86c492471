#include "hnsw/hnsw_insert.h"

#include <cstring>

#include "hnsw/hnsw_slots.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;
using format::PageKind;

namespace {

// Whether there is a live node with that code.
bool is_this_node(const HnswIndex& index, Page page, uint32 slot, const uint8* code) {
    HnswNode* node = node_at(index, page, slot);
    return has_whole_node(index, page, slot) && is_live(node) && index.same_code(code_at(index, node), code);
}

// A level that does not depend on who inserts when, only on the row.
int level_of(const uint8* code, size_t bytes, const ItemPointerData& tid, uint32 m) {
    uint64 where = static_cast<uint64>(ItemPointerGetBlockNumber(&tid)) << 16 | ItemPointerGetOffsetNumber(&tid);
    return random_level(mix64(hash_bytes64(code, bytes) ^ mix64(where)), m);
}

}  // namespace

void WatchfulPool::watch(const uint8* code) {
    code_ = code;
    found_ = kNoSlot;
    if (code != nullptr) key_ = store_.key_of(code);
}

// A node whose key is that of an equal code.
void WatchfulPool::look(SlotNumber number) {
    if (code_ == nullptr || found_ != kNoSlot) return;
    store_.read_code(number, [&](const HnswNode* node, const uint8* there) {
        if (is_live(node) && store_.index().same_code(there, code_)) found_ = number;
    });
}

HnswInserter::HnswInserter(const HnswIndex& index, MemoryContext context)
    : index_(index),
      store_(index, context),
      linker_(store_, context),
      pool_(store_, context),
      seen_(context),
      codes_(context),
      neighbors_(context),
      levels_(context) {}

void HnswInserter::insert(const uint8* code, const NewRow& row, bool likely_equal) {
    int level = level_of(code, index_.code_size(code), row.tid, index_.m());
    levels_.resize(static_cast<size_t>(level) + 1);
    for (LevelLinks& links : levels_.span()) links.count = 0;

    SlotNumber node = kNoSlot;
    EntryPoint entry = read_entry(index_.rel);
    if (entry.node == kNoSlot) {
        node = write_node(code, row, level);
        if (become_entry(node, level, true)) {
            write_upper_rows(node, level);
            return;
        }
        entry = read_entry(index_.rel);
        if (entry.node == kNoSlot) return;  // vacuum has just emptied the index; it finds this node
    }
    store_.set_query(code, *index_.codec);
    for (;;) {
        SlotNumber equal = likely_equal ? find_equal(entry, code) : kNoSlot;
        if (equal == kNoSlot) equal = search(entry, code, level, node);
        if (equal == kNoSlot) break;
        if (add_row(equal, code, row)) return;
        likely_equal = false;
    }
    if (node == kNoSlot) {
        node = write_node(code, row, level);
    } else {
        write_base_row(node);
    }
    write_upper_rows(node, level);
    link_back(node, level);
    become_entry(node, level, false);
}

// The short way of a row whose vector was there before: down to level 0 as a search goes, and no further than to a
// node of the same code.
SlotNumber HnswInserter::find_equal(EntryPoint entry, const uint8* code) {
    // Narrow; where it misses the node, a full search follows.
    constexpr size_t kEf = 8;
    pool_.watch(code);
    descend(store_, entry.node, {entry.level, 0, 1, kEf, 0}, pool_, seen_);
    search_layer(store_, 0, pool_, seen_);
    return pool_.found();
}

// Finds a new node's neighbours on all its levels. A live node with the same code ends the search and is returned,
// unless the new node `self` was written already.
SlotNumber HnswInserter::search(EntryPoint entry, const uint8* code, int level, SlotNumber self) {
    size_t candidates = beam_of(index_, index_.meta.ef_construction), ef = link_expands(candidates, index_.m());
    pool_.watch(self == kNoSlot ? code : nullptr);
    for (int from = entry.level, l = std::min(level, entry.level); l >= 0; from = --l) {
        descend(store_, entry.node, {from, l, link_beam(ef), ef, candidates - ef}, pool_, seen_);
        search_layer(store_, l, pool_, seen_);
        if (pool_.found() != kNoSlot || pool_.size() == 0) break;
        entry.node = pool_[0].node;
        choose_links(self, l);
    }
    return pool_.found();
}

// Of what the search of a level found, the neighbours of the new node.
void HnswInserter::choose_links(SlotNumber self, int level) {
    size_t stride = index_.layout.code_bytes;
    codes_.resize_uninitialized(pool_.size() * stride);
    neighbors_.clear();
    for (size_t i = 0; i < pool_.size(); i++) {
        if (pool_[i].node == self) continue;
        uint8* copy = codes_.data() + i * stride;
        bool live = false;
        store_.read_code(pool_[i].node, [&](const HnswNode* node, const uint8* there) {
            live = is_live(node) && node->level >= level;
            if (live) memcpy(copy, there, index_.code_size(there));
        });
        if (live) neighbors_.push_back({pool_[i].key, pool_[i].node, copy});
    }
    LevelLinks& links = levels_[static_cast<size_t>(level)];
    size_t most = most_chosen(index_.m(), beam_of(index_, index_.meta.ef_construction), level);
    links.count = select_neighbors(*index_.codec, index_.dim(), neighbors_.span(), most, index_.max_links(level),
                                   neighbors_.data());
    for (size_t i = 0; i < links.count; i++) links.nodes[i] = neighbors_[i].node;
}

// Adds a row to a node of the same code; false when the node has died meanwhile.
bool HnswInserter::add_row(SlotNumber number, const uint8* code, const NewRow& row) {
    const SlotShape& nodes = index_.layout.nodes;
    SlotNumber head = kNoSlot;
    {
        pg::Pin pin{store_.reader().pin(nodes.block(number), nodes)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
        if (!is_this_node(index_, pin.page(), nodes.slot(number), code)) return false;
        if (!ItemPointerIsValid(&node->tid)) {
            page::PageChange record{index_.rel, index_.logged};
            Page page = record.add(pin.buffer());
            set_row(index_, node_at(index_, page, nodes.slot(number)), row);
            sketch_node(index_, page, nodes.slot(number));
            record.finish();
            return true;
        }
        head = node->posting;
        if (head != kNoSlot) {
            // Lock order: a node's page, then its postings.
            const SlotShape& shape = index_.layout.postings;
            pg::Pin posting_pin{store_.reader().pin(shape.block(head), shape)};
            pg::ContentLock posting_lock{posting_pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
            auto* posting = reinterpret_cast<HnswPosting*>(page::slot_at(posting_pin.page(), shape, shape.slot(head)));
            if (posting->node == number && posting->count < index_.layout.posting_capacity &&
                *fingerprint_of(index_, posting) == row.fingerprint) {
                page::PageChange record{index_.rel, index_.logged};
                Page page = record.add(posting_pin.buffer());
                posting = reinterpret_cast<HnswPosting*>(page::slot_at(page, shape, shape.slot(head)));
                set_row(index_, entry_at(index_, posting, posting->count++), row);
                record.finish();
                return true;
            }
        }
    }
    return add_posting(number, code, row, head);
}

// Puts a new chunk in front of the chain. Where they cannot be written together, the chunk is first, then the node that
// points to it: after a crash in between nobody points to it, and vacuum takes it back once its node is gone.
bool HnswInserter::add_posting(SlotNumber number, const uint8* code, const NewRow& row, SlotNumber head) {
    const SlotShape& nodes = index_.layout.nodes;
    const SlotShape& shape = index_.layout.postings;
    uint8 uniform = row.fingerprint != 0;
    if (head != kNoSlot && uniform) {
        pg::Pin pin{store_.reader().pin(shape.block(head), shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        auto* next = reinterpret_cast<HnswPosting*>(page::slot_at(pin.page(), shape, shape.slot(head)));
        uniform = next->uniform && *fingerprint_of(index_, next) == row.fingerprint;
    }
    pg::Pin pin{store_.reader().pin(nodes.block(number), nodes)};
    SlotClaim claim = claim_slot(index_, PageKind::postings);
    auto* posting = reinterpret_cast<HnswPosting*>(claim.slot);
    *posting = {number, head, format::kSlotUsed, 1, uniform, 0};
    set_row(index_, entry_at(index_, posting, 0), row);
    *fingerprint_of(index_, posting) = row.fingerprint;
    // Against the lock order, so the node's page is not waited for: if it is free, one record does both.
    if (ConditionalLockBuffer(pin.buffer())) {
        HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
        bool first = is_this_node(index_, pin.page(), nodes.slot(number), code) && node->posting == head;
        if (first) set_posting(index_, claim.record.add(pin.buffer()), nodes.slot(number), claim.number);
        if (first) claim.publish();
        LockBuffer(pin.buffer(), BUFFER_LOCK_UNLOCK);
        if (first) return true;
    }
    claim.publish();

    bool done = false, ours;
    {
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
        ours = still_owns(number, PageKind::postings, claim.number);
        if (ours && is_this_node(index_, pin.page(), nodes.slot(number), code) && node->posting == head) {
            page::PageChange record{index_.rel, index_.logged};
            set_posting(index_, record.add(pin.buffer()), nodes.slot(number), claim.number);
            record.finish();
            done = true;
        }
    }
    if (done) return true;
    // Somebody was faster: give the chunk back and start over.
    if (ours) {
        pg::Pin chunk{store_.reader().pin(shape.block(claim.number), shape)};
        pg::ContentLock lock{chunk.buffer(), BUFFER_LOCK_EXCLUSIVE};
        page::PageChange record{index_.rel, index_.logged};
        Page page = record.add(chunk.buffer());
        free_posting(reinterpret_cast<HnswPosting*>(page::slot_at(page, shape, shape.slot(claim.number))));
        record.finish();
    }
    if (ours) list_page(index_, PageKind::postings, shape.block(claim.number));
    return add_row(number, code, row);
}

// Whether a slot that was claimed for a node is still its own. A vacuum that comes by between the claim and the moment
// when the node refers to the slot cannot know that we are at it, and frees the slot. The node's page is exclusively
// locked, which keeps vacuum off until the node refers to the slot. A freed slot of links may have been claimed again for
// another level of the same node.
bool HnswInserter::still_owns(SlotNumber node, PageKind kind, SlotNumber number, int level) {
    const SlotShape& shape = index_.shape(kind);
    pg::Pin pin{store_.reader().pin(shape.block(number), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    char* slot = page::slot_at(pin.page(), shape, shape.slot(number));
    SlotNumber owner;
    if (!slot_owner(kind, slot, &owner) || owner != node) return false;
    return kind == PageKind::postings || reinterpret_cast<HnswLinks*>(slot)->level == level;
}

// The node with its code, its row and the links of level 0; nobody refers to it yet.
SlotNumber HnswInserter::write_node(const uint8* code, const NewRow& row, int level) {
    SlotClaim claim = claim_slot(index_, PageKind::nodes, index_.node_slots(code));
    auto* node = reinterpret_cast<HnswNode*>(claim.slot);
    set_row(index_, node, row);
    node->flags = format::kSlotUsed;
    node->level = static_cast<uint8>(level);
    node->mark = mark_of(index_, claim.number);
    if (node->generation == 0) {
        node->generation = 1;
        // Its row in a page of its own stays with the slot for all its lives.
        if (!index_.layout.links_inline) *inline_links(index_, node) = kNoSlot;
    }
    node->upper = node->posting = kNoSlot;
    memcpy(code_at(index_, node), code, index_.code_size(code));
    node->link_count = 0;
    if (index_.layout.links_inline) {
        const LevelLinks& links = levels_[0];
        node->link_count = static_cast<uint16>(links.count);
        memcpy(inline_links(index_, node), links.nodes, links.count * sizeof(SlotNumber));
    }
    sketch_node(index_, claim.page, index_.layout.nodes.slot(claim.number));
    claim.publish();
    if (!index_.layout.links_inline) write_base_row(claim.number);
    return claim.number;
}

// (Re)writes the links of level 0 of a node that nobody refers to yet.
void HnswInserter::write_base_row(SlotNumber number) {
    const LevelLinks& links = levels_[0];
    LinkRow row;
    if (store_.find_row(number, 0, &row)) {
        pg::Pin pin{store_.reader().pin(row.block, *row.shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        page::PageChange record{index_.rel, index_.logged};
        LinkView view = store_.view_row(record.add(pin.buffer()), row);
        if (view.count == nullptr) page::report_corrupted(index_.rel, row.block, "a node without its links");
        *view.count = static_cast<uint16>(links.count);
        memcpy(view.links, links.nodes, links.count * sizeof(SlotNumber));
        record.finish();
        return;
    }
    const SlotShape& nodes = index_.layout.nodes;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        SlotClaim claim = claim_slot(index_, PageKind::base_links);
        auto* base = reinterpret_cast<HnswLinks*>(claim.slot);
        *base = {number, kNoSlot, format::kSlotUsed, 0, static_cast<uint16>(links.count)};
        memcpy(base + 1, links.nodes, links.count * sizeof(SlotNumber));
        claim.publish();

        pg::Pin pin{store_.reader().pin(nodes.block(number), nodes)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        if (!still_owns(number, PageKind::base_links, claim.number)) continue;
        page::PageChange record{index_.rel, index_.logged};
        Page page = record.add(pin.buffer());
        *inline_links(index_, node_at(index_, page, nodes.slot(number))) = claim.number;
        record.finish();
        return;
    }
}

// The rows of the upper levels, from the top down, and then the lowest in the node.
void HnswInserter::write_upper_rows(SlotNumber number, int level) {
    if (level == 0) return;
    const SlotShape& nodes = index_.layout.nodes;
    SlotNumber rows[kMaxLevel + 1];
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        SlotNumber above = kNoSlot;
        for (int l = level; l >= 1; l--) {
            const LevelLinks& links = levels_[static_cast<size_t>(l)];
            SlotClaim claim = claim_slot(index_, PageKind::upper_links);
            auto* upper = reinterpret_cast<HnswLinks*>(claim.slot);
            *upper = {number, above, format::kSlotUsed, static_cast<uint8>(l), static_cast<uint16>(links.count)};
            memcpy(upper + 1, links.nodes, links.count * sizeof(SlotNumber));
            claim.publish();
            above = rows[l] = claim.number;
        }
        pg::Pin pin{store_.reader().pin(nodes.block(number), nodes)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        bool ours = true;
        for (int l = 1; l <= level; l++) ours = ours && still_owns(number, PageKind::upper_links, rows[l], l);
        if (!ours) continue;
        page::PageChange record{index_.rel, index_.logged};
        Page page = record.add(pin.buffer());
        node_at(index_, page, nodes.slot(number))->upper = above;
        record.finish();
        return;
    }
}

bool HnswInserter::become_entry(SlotNumber node, int level, bool only_if_empty) {
    EntryPoint now = read_entry(index_.rel);
    auto wanted = [&](SlotNumber entry, int entry_level) {
        return entry == kNoSlot || (!only_if_empty && level > entry_level);
    };
    if (!wanted(now.node, now.level)) return false;
    // What could be found from the old one still can.
    if (now.node != kNoSlot) {
        linker_.add_edge(node, 0, now.node, HnswLinker::Mode::always);
        if (!linker_.is_live_now(now.node)) linker_.drop_links(node, 0, &now.node, 1);
    }
    pg::Pin pin{ReadBuffer(index_.rel, format::kHnswMetaBlock)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    format::HnswMeta* meta = meta_of(pin.page());
    if (!wanted(meta->entry, static_cast<int>(meta->entry_level))) return false;
    page::PageChange record{index_.rel, index_.logged};
    meta = meta_of(record.add(pin.buffer()));
    meta->entry = node;
    meta->entry_level = static_cast<uint32>(level);
    record.finish();
    return true;
}

// Edges from the chosen neighbours back to the node. A neighbour that has died since it was chosen leaves the
// node's own row too: vacuum, which marks first and repairs rows later, has then either seen this row or been seen.
void HnswInserter::link_back(SlotNumber number, int level) {
    for (int l = level; l >= 0; l--) {
        const LevelLinks& links = levels_[static_cast<size_t>(l)];
        HnswLinker::Outcome outcomes[kMaxLinks];
        linker_.add_edges(links.nodes, links.count, l, number, HnswLinker::Mode::if_chosen, outcomes);
        SlotNumber kept[kMaxLinks], gone[kMaxLinks];
        size_t n = 0, n_gone = 0;
        bool reachable = false;
        for (size_t i = 0; i < links.count; i++) {
            (outcomes[i] == HnswLinker::Outcome::gone ? gone[n_gone++] : kept[n++]) = links.nodes[i];
            reachable |= outcomes[i] == HnswLinker::Outcome::added;
        }
        if (n_gone > 0) linker_.drop_links(number, l, gone, n_gone);
        if (l > 0) continue;
        // On level 0 a node that everybody refused would never be found,
        for (size_t i = 0; i < n && !reachable; i++) {
            reachable = linker_.add_edge(kept[i], l, number, HnswLinker::Mode::always) == HnswLinker::Outcome::added;
        }
        // nor one whose surroundings are all being vacuumed: dead nodes lead to it until vacuum's last pass does.
        for (size_t i = 0; i < pool_.size() && !reachable; i++) {
            if (pool_[i].node == number) continue;
            reachable = linker_.add_edge(pool_[i].node, l, number, HnswLinker::Mode::even_if_dead) ==
                        HnswLinker::Outcome::added;
        }
    }
}

}  // namespace vext::hnsw
