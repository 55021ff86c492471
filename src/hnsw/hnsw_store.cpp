#include "hnsw/hnsw_store.h"

#include <cstring>

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::kNoSlot;

void HnswStore::prefetch_links(SlotNumber number, int level) {
    const SlotShape& nodes = index_.layout.nodes;
    if (level != 0 || !index_.layout.links_inline) return;
    reader_.prefetch_pin(nodes.block(number));
    const char* page = reader_.guess(nodes.block(number));
    if (page == nullptr) return;
    const char* slot = page + page::kSlotAreaStart + nodes.slot(number) * nodes.slot_bytes;
    uint32 from = index_.layout.links_offset, to = nodes.runs ? index_.layout.code_offset : nodes.slot_bytes;
    for (uint32 at = from; at < to; at += kCacheLine) __builtin_prefetch(slot + at);
}

bool HnswStore::glimpse_bound(const Candidate& c, float* bound) {
    const uint8* code = glimpse(guess_node(c.node), c.node);
    if (code == nullptr) return false;
    *bound = index_.codec->lower_bound(query_, c.key, index_.codec->slack(query_, code));
    return true;
}

bool HnswStore::read_result(SlotNumber number, Found* found) {
    const SlotShape& nodes = index_.layout.nodes;
    uint32 slot = nodes.slot(number);
    pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    HnswNode* node = node_at(index_, pin.page(), slot);
    const uint8* code = code_at(index_, node);
    if (!has_node(index_, pin.page(), slot) || !is_live(node) || !fits_page(code, number)) return false;
    found->tid = node->tid;
    if (!passes(node)) ItemPointerSetInvalid(&found->tid);
    if (!ItemPointerIsValid(&found->tid) && node->posting == kNoSlot) return false;
    codec::Key key = key_of(code);
    found->bound = index_.codec->lower_bound(query_, key, index_.codec->slack(query_, code));
    found->generation = node->generation;
    found->posting = node->posting;
    return true;
}

bool HnswStore::may_pass(SlotNumber number) {
    const HnswNode* guessed = guess_node(number);
    if (!lock_codes_ && glimpse(guessed, number) != nullptr) return node_passes(guessed, number);
    const SlotShape& nodes = index_.layout.nodes;
    pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
    return has_node(index_, pin.page(), nodes.slot(number)) && is_live(node) && node_passes(node, number);
}

bool HnswStore::chain_passes(SlotNumber chunk, SlotNumber number) {
    constexpr int kMostChunks = 16;
    const SlotShape& shape = index_.layout.postings;
    BlockNumber blocks = RelationGetNumberOfBlocks(index_.rel);
    for (int i = 0; i < kMostChunks; i++) {
        // What was seen without a pin may be no number of a chunk.
        if (chunk == kNoSlot || shape.block(chunk) >= blocks) return false;
        pg::Pin pin{ReadBuffer(index_.rel, shape.block(chunk))};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (!page::has_kind(pin.page(), format::PageKind::postings)) return false;
        auto* posting = reinterpret_cast<format::HnswPosting*>(
            page::slot_at(pin.page(), shape, shape.slot(chunk)));
        if (posting->node != number) return false;
        size_t count = posting->flags == 0 ? 0 : std::min<size_t>(posting->count, index_.layout.posting_capacity);
        for (size_t j = 0; j < count; j++) {
            if (passes(entry_at(index_, posting, j))) return true;
        }
        chunk = posting->next;
    }
    return true;
}

bool HnswStore::find_row(SlotNumber node, int level, LinkRow* row) {
    const SlotShape& nodes = index_.layout.nodes;
    row->node = node;
    row->level = level;
    if (level == 0 && index_.layout.links_inline) {
        row->shape = &nodes;
        row->block = nodes.block(node);
        row->slot = nodes.slot(node);
        return true;
    }
    SlotNumber at = kNoSlot;
    read_code(node, [&](const HnswNode* n, const uint8*) {
        at = level == 0 ? *inline_links(index_, const_cast<HnswNode*>(n)) : n->upper;
    });
    row->shape = level == 0 ? &index_.layout.base_links : &index_.layout.upper_links;
    // The slots of a node's upper levels are chained from level 1 upwards.
    for (int l = 1; l < level && at != kNoSlot; l++) {
        pg::Pin pin{reader_.pin(row->shape->block(at), *row->shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        auto* links = reinterpret_cast<HnswLinks*>(page::slot_at(pin.page(), *row->shape, row->shape->slot(at)));
        bool ours = links->flags != 0 && links->node == node && links->level == l;
        at = ours ? links->above : kNoSlot;
    }
    if (at == kNoSlot) return false;
    row->block = row->shape->block(at);
    row->slot = row->shape->slot(at);
    return true;
}

LinkView HnswStore::view_row(Page page, const LinkRow& row) {
    LinkView view{};
    if (row.shape->kind == format::PageKind::nodes) {
        HnswNode* node = node_at(index_, page, row.slot);
        if (!has_node(index_, page, row.slot)) return {};
        view = {&node->link_count, inline_links(index_, node)};
    } else {
        auto* links = reinterpret_cast<HnswLinks*>(page::slot_at(page, *row.shape, row.slot));
        if (links->flags == 0 || links->node != row.node || links->level != row.level) return {};
        view = {&links->count, reinterpret_cast<SlotNumber*>(links + 1)};
    }
    if (*view.count > index_.max_links(row.level)) {
        page::report_corrupted(index_.rel, row.block, "a node with too many links");
    }
    return view;
}

size_t HnswStore::links(SlotNumber node, int level, uint32* out) {
    followed_++;
    LinkRow row;
    if (!find_row(node, level, &row)) return 0;
    pg::Pin pin{reader_.pin(row.block, *row.shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    LinkView view = view_row(pin.page(), row);
    if (view.count == nullptr) return 0;
    memcpy(out, view.links, *view.count * sizeof(SlotNumber));
    return *view.count;
}

}  // namespace vext::hnsw
