#include <cstring>

#include "hnsw/hnsw_linker.h"

namespace vext::hnsw {

size_t HnswLinker::choose(const uint8* base_code, SlotNumber* nodes, size_t n, size_t max) {
    const HnswIndex& index = store_.index();
    codec::Query base;
    index.codec->prepare(base_code, index.dim(), &base);
    size_t stride = index.layout.code_bytes;
    codes_.resize_uninitialized(n * stride);
    neighbors_.clear();
    for (size_t i = 0; i < n; i++) {
        uint8* copy = codes_.data() + i * stride;
        bool live = false;
        store_.read_code(nodes[i], [&](const format::HnswNode* node, const uint8* code) {
            live = is_live(node);
            if (live) memcpy(copy, code, stride);
        });
        if (live) neighbors_.push_back({0, nodes[i], copy});
    }
    for (Neighbor& x : neighbors_.span()) index.codec->score(base, &x.code, 1, &x.key);
    std::sort(neighbors_.begin(), neighbors_.end(), nearer);
    size_t kept = select_neighbors(*index.codec, index.dim(), neighbors_.span(), max, neighbors_.data());
    for (size_t i = 0; i < kept; i++) nodes[i] = neighbors_[i].node;
    return kept;
}

HnswLinker::Replaced HnswLinker::replace_row(const LinkRow& row, const SlotNumber* seen, size_t seen_count,
                                             const SlotNumber* links, size_t count) {
    pg::Pin pin{store_.reader().pin(row.block, *row.shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    LinkView view = store_.view_row(pin.page(), row);
    if (view.count == nullptr) return Replaced::gone;
    if (*view.count != seen_count || memcmp(view.links, seen, seen_count * sizeof(SlotNumber)) != 0) {
        return Replaced::changed;
    }
    GenericXLogState* record = GenericXLogStart(store_.index().rel);
    view = store_.view_row(GenericXLogRegisterBuffer(record, pin.buffer(), 0), row);
    memcpy(view.links, links, count * sizeof(SlotNumber));
    *view.count = static_cast<uint16>(count);
    GenericXLogFinish(record);
    return Replaced::done;
}

HnswLinker::Outcome HnswLinker::add_edge(SlotNumber from, int level, SlotNumber to, Mode mode) {
    const HnswIndex& index = store_.index();
    size_t max = index.max_links(level);
    auto* base_code = static_cast<uint8*>(palloc(index.layout.code_bytes));
    Outcome outcome;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        bool live = false;
        store_.read_code(from, [&](const format::HnswNode* node, const uint8* code) {
            live = (node->flags & format::kSlotUsed) && node->level >= level;
            if (mode != Mode::even_if_dead) live &= is_live(node);
            if (live) memcpy(base_code, code, index.layout.code_bytes);
        });
        LinkRow row;
        outcome = Outcome::gone;
        if (!live || !store_.find_row(from, level, &row)) break;

        SlotNumber seen[kMaxLinks], links[kMaxLinks + 1];
        size_t n = store_.links(from, level, seen);
        outcome = Outcome::added;
        if (std::find(seen, seen + n, to) != seen + n) break;
        memcpy(links, seen, n * sizeof(SlotNumber));
        links[n] = to;
        size_t count = n + 1;
        if (count > max) {
            count = choose(base_code, links, count, max);
            if (std::find(links, links + count, to) == links + count) {
                outcome = Outcome::refused;
                if (mode == Mode::if_chosen) break;
                memcpy(links, seen, n * sizeof(SlotNumber));
                links[n - 1] = to;
                count = n;
            }
        }
        Replaced replaced = replace_row(row, seen, n, links, count);
        outcome = replaced == Replaced::gone ? Outcome::gone : Outcome::added;
        if (replaced != Replaced::changed) break;
    }
    pfree(base_code);
    return outcome;
}

}  // namespace vext::hnsw
