#include "hnsw/hnsw_store.h"

#include <cstring>

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::kNoSlot;

void HnswStore::prefetch_links(SlotNumber number, int level) {
    const SlotShape& nodes = index_.layout.nodes;
    if (level != 0 || !index_.layout.links_inline) return;
    may_glimpse_links() ? reader_.prefetch_look(nodes.block(number)) : reader_.prefetch_pin(nodes.block(number));
    const char* page = reader_.guess(nodes.block(number));
    if (page == nullptr) return;
    const char* slot = page + nodes.begin() + nodes.slot(number) * nodes.slot_bytes;
    uint32 from = index_.layout.links_offset, to = nodes.runs ? index_.layout.code_offset : nodes.slot_bytes;
    prefetch(slot + from, to - from);
}

void HnswStore::bring_missing(const SlotNumber* nodes, size_t n, const size_t* known, size_t count) {
    BlockNumber far[kTogether];
    size_t missing = 0;
    for (size_t i = 0, next = 0; i < n; i++) {
        if (next < count && known[next] == i) {
            next++;
        } else {
            far[missing++] = index_.layout.nodes.block(nodes[i]);
        }
    }
    reader_.bring(far, missing, index_.layout.nodes);
}

bool HnswStore::score_one(const uint8* code, SlotNumber number, codec::Key* key) const {
    alignas(uint32) uint8 copy[codec::kMaxSparseCode];
    if (index_.layout.nodes.runs) {
        constexpr size_t kHead = codec::kMinSparseCode;
        memcpy(copy, code, kHead);
        if (!fits_page(copy, number)) return false;
        memcpy(copy + kHead, code + kHead, index_.code_size(copy) - kHead);
        code = copy;
    }
    index_.codec->score(query_, &code, 1, key);
    return true;
}

bool HnswStore::glimpse_bound(const Candidate& c, float* bound, bool* certain) {
    const HnswNode* node = guess_node(c.node);
    if (node == nullptr) return false;
    BlockNumber block = index_.layout.nodes.block(c.node);
    bool held = !lock_codes_ && reader_.holds(block);
    pg_read_barrier();
    const uint8* code = glimpse(node, c.node);
    if (code == nullptr) return false;
    *bound = bound_of(code, [&] {
        held = false;  // maybe not when the key was computed
        return c.key;
    });
    pg_read_barrier();
    *certain = held && reader_.holds(block);
    return true;
}

bool HnswStore::read_result(SlotNumber number, bool bounded, Found* found) {
    const SlotShape& nodes = index_.layout.nodes;
    uint32 slot = nodes.slot(number);
    pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    HnswNode* node = node_at(index_, pin.page(), slot);
    if (!has_whole_node(index_, pin.page(), slot) || !is_live(node)) return false;
    const uint8* code = code_at(index_, node);
    found->tid = node->tid;
    if (!passes(node)) ItemPointerSetInvalid(&found->tid);
    if (!ItemPointerIsValid(&found->tid) && node->posting == kNoSlot) return false;
    if (bounded) found->bound = bound_of(code, [&] { return key_of(code); });
    found->generation = node->generation;
    found->posting = node->posting;
    return true;
}

// Where pages leave their buffers: whether the page was there as a whole while the node was tested.
bool HnswStore::surely_fails(const HnswNode* guessed, SlotNumber number) {
    BlockNumber block = index_.layout.nodes.block(number);
    if (!reader_.holds(block) || glimpse(guessed, number) == nullptr) return false;
    pg_read_barrier();
    bool passes = node_passes(guessed, number);
    pg_read_barrier();
    return !passes && reader_.holds(block);
}

bool HnswStore::may_pass_locked(SlotNumber number) {
    const SlotShape& nodes = index_.layout.nodes;
    pg::Pin pin{reader_.pin(nodes.block(number), nodes)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    HnswNode* node = node_at(index_, pin.page(), nodes.slot(number));
    return has_node(index_, pin.page(), nodes.slot(number)) && is_live(node) && node_passes(node, number);
}

bool HnswStore::chain_passes(SlotNumber chunk, SlotNumber number) {
    constexpr int kMostChunks = 16;
    const SlotShape& shape = index_.layout.postings;
    for (int i = 0; i < kMostChunks; i++) {
        if (chunk == kNoSlot) return false;
        // What was seen without a pin may be no number of a chunk.
        Buffer buffer = reader_.pin_if(shape.block(chunk), shape);
        if (buffer == InvalidBuffer) return false;
        pg::Pin pin{buffer};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
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

void HnswStore::prefetch_tests(BlockNumber block) {
    reader_.prefetch_pin(block);
    const char* page = reader_.guess(block);
    if (page == nullptr) return;
    prefetch(page, index_.layout.nodes.begin() + sizeof(HnswNode));
}

size_t HnswStore::test_page(const char* page, BlockNumber block, ArenaVec<uint32>* passing) {
    const SlotShape& nodes = index_.layout.nodes;
    auto* at = const_cast<char*>(page);
    size_t live = 0;
    for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(at, nodes, i)) {
        const HnswNode* node = node_at(index_, at, i);
        if (!is_live(node) || !has_node(index_, at, i)) continue;
        live++;
        SlotNumber number = nodes.number(block, i);
        if (node_passes(node, number)) passing->push_back(number);
        page::unpinned_again(page, BLCKSZ);
    }
    return live;
}

// What the sketches let through, and asks for it.
void HnswStore::test_sketches(const char* page, BlockNumber block, const char* sketches, ArenaVec<uint32>* passing) {
    const SlotShape& nodes = index_.layout.nodes;
    constexpr uint32 kWord = sizeof(uint64);
    uint8 hits[page::kSlotArea / sizeof(HnswNode) + 16];
    filter_->sketched(sketches, index_.layout.sketch_bytes, nodes.per_page, hits);
    for (uint32 i = 0; i < nodes.per_page; i += kWord) {
        uint64 any;
        memcpy(&any, hits + i, kWord);
        for (uint32 slot = i; any != 0 && slot < std::min(i + kWord, nodes.per_page); slot++) {
            if (hits[slot] == 0) continue;
            const char* node = page + nodes.begin() + slot * nodes.slot_bytes;
            prefetch(node);
            prefetch(node + index_.layout.code_offset - 1);
            passing->push_back(nodes.number(block, slot));
        }
    }
}

// Copies the sketches that the filter needs off a page that is not locked. False: it may have been changing. Who changes it
// holds its lock from before the first byte till after the last: if nobody does, before and after, and the heads are what
// they were before, nobody did.
bool HnswStore::copy_sketches(const char* page, BlockNumber block, char* copy) {
    const size_t stride = index_.layout.sketch_bytes;
    constexpr size_t kHead = sizeof(format::AttributeSketch);
    const char* sketches = page + page::kSlotAreaStart;
    auto each = [&](auto use) {
        for (uint32 left = filter_->tested(); left != 0; left &= left - 1) {
            size_t at = static_cast<size_t>(__builtin_ctz(left)) * stride;
            use(copy + at, sketches + at);
        }
    };
    each([](char* to, const char* from) { memcpy(to, from, kHead); });
    pg_read_barrier();
    if (!reader_.is_still(block)) return false;
    pg_read_barrier();
    each([&](char* to, const char* from) { memcpy(to + kHead, from + kHead, stride - kHead); });
    pg_read_barrier();
    bool same = reader_.is_still(block);
    pg_read_barrier();
    each([&](char* to, const char* from) { same = same && memcmp(to, from, kHead) == 0; });
    return same;
}

// The mark of a page's first node tells whether the page is where a hint says.
bool HnswStore::has_mark(const char* page, BlockNumber block) {
    const SlotShape& nodes = index_.layout.nodes;
    uint32 first = page::first_entry(nodes);
    const volatile uint32* mark = &node_at(index_, const_cast<char*>(page), first)->mark;
    return *mark == mark_of(index_, nodes.number(block, first));
}

// Without a pin where a hint says that the page is in memory.
size_t HnswStore::test_block(BlockNumber block, ArenaVec<uint32>* passing) {
    const SlotShape& nodes = index_.layout.nodes;
    const char* page = lock_codes_ ? nullptr : reader_.guess(block);
    bool sketches = index_.layout.sketch_bytes != 0;
    if (page != nullptr && has_mark(page, block) && reader_.holds(block)) {
        pg_read_barrier();
        char copy[page::kSlotArea];
        size_t before = passing->size(), tested = nodes.per_page;
        bool sound = !sketches || copy_sketches(page, block, copy);
        if (!sketches) tested = test_page(page, block, passing);
        pg_read_barrier();
        if (sound && has_mark(page, block) && reader_.holds(block)) {
            if (sketches) test_sketches(page, block, copy, passing);
            return tested;
        }
        passing->resize_uninitialized(before);
    }
    Buffer buffer = reader_.pin_if(block, nodes);
    if (buffer == InvalidBuffer) return 0;
    pg::Pin pin{buffer};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    page = static_cast<const char*>(pin.page());
    if (!sketches) return test_page(page, block, passing);
    test_sketches(page, block, page + page::kSlotAreaStart, passing);
    return nodes.per_page;
}

void HnswStore::keep_passing(ArenaVec<uint32>* nodes) {
    if (index_.layout.sketch_bytes == 0) return;
    size_t kept = 0;
    for (SlotNumber node : *nodes) {
        (*nodes)[kept] = node;
        kept += may_pass(node);
    }
    nodes->resize_uninitialized(kept);
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

// To pin and lock a page costs more than to copy a row of links, and pages that all searches come by would pass from processor to
// processor for it. Where pages leave memory, pins tell the server which are in use.
bool HnswStore::may_glimpse_links() { return !lock_codes_ && !index_.layout.nodes.runs && !reader_.moves(); }

bool HnswStore::glimpse_links(SlotNumber number, int level, uint32* out, size_t* n) {
    if (!may_glimpse_links()) return false;
    const HnswLayout& layout = index_.layout;
    size_t most = index_.max_links(level);
    auto copy = [&](const uint16& count, const SlotNumber* links) {
        *n = *const_cast<const volatile uint16*>(&count);
        if (*n <= most) memcpy(out, links, *n * sizeof(SlotNumber));
        return *n <= most;
    };
    bool here = level == 0 && layout.links_inline, copied = false;
    SlotNumber at = kNoSlot;
    bool sound = reader_.look(layout.nodes.block(number), layout.nodes, [&](const char* page) {
        auto* node = node_at(index_, const_cast<char*>(page), layout.nodes.slot(number));
        if (here) {
            copied = copy(node->link_count, inline_links(index_, node));
        } else {
            at = level == 0 ? *inline_links(index_, node) : node->upper;
        }
    });
    const SlotShape& shape = level == 0 ? layout.base_links : layout.upper_links;
    for (int l = std::min(level, 1); sound && !here && at != kNoSlot && l <= level; l++) {
        sound = reader_.look(shape.block(at), shape, [&](const char* page) {
            auto* row = reinterpret_cast<const HnswLinks*>(page::slot_at(const_cast<char*>(page), shape, shape.slot(at)));
            bool ours = row->flags != 0 && row->node == number && row->level == l;
            at = ours ? row->above : kNoSlot;
            copied = ours && l == level && copy(row->count, reinterpret_cast<const SlotNumber*>(row + 1));
        });
    }
    return sound && copied;
}

size_t HnswStore::read_links(SlotNumber node, int level, uint32* out) {
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
