#include <cstring>

#include "hnsw/hnsw_linker.h"
#include "page/page_change.h"

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
            if (live) memcpy(copy, code, index.code_size(code));
        });
        if (live) neighbors_.push_back({0, nodes[i], copy});
    }
    for (Neighbor& x : neighbors_.span()) index.codec->score(base, &x.code, 1, &x.key);
    std::sort(neighbors_.begin(), neighbors_.end(), nearer);
    size_t kept = select_neighbors(*index.codec, index.dim(), neighbors_.span(), max, max, neighbors_.data());
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
    page::PageChange record{store_.index().rel, store_.index().logged};
    view = store_.view_row(record.add(pin.buffer()), row);
    memcpy(view.links, links, count * sizeof(SlotNumber));
    *view.count = static_cast<uint16>(count);
    record.finish();
    return Replaced::done;
}

// Whether a neighbour of a node, other than `except`, has the node in its own row of level 0.
bool HnswLinker::is_linked_back(SlotNumber node, SlotNumber except) {
    SlotNumber own[kMaxLinks], row[kMaxLinks];
    size_t n = store_.links(node, 0, own);
    for (size_t i = 0; i < n; i++) {
        if (own[i] == except) continue;
        size_t count = store_.links(own[i], 0, row);
        if (std::find(row, row + count, node) != row + count) return true;
    }
    return false;
}

// Whether the edge from -> node of level 0 may be the last one by which a live node is found.
bool HnswLinker::is_needed(SlotNumber node, SlotNumber from) {
    bool live = false;
    store_.read_code(node, [&](const format::HnswNode* header, const uint8*) { live = is_live(header); });
    return live && !is_linked_back(node, from);
}

// Puts back what the heuristic dropped from a row `seen` of level 0 although nobody near it would lead to it any more.
size_t HnswLinker::keep_reachable(SlotNumber from, SlotNumber to, const SlotNumber* seen, size_t n, SlotNumber* links,
                                  size_t count) {
    size_t max = store_.index().max_links(0);
    for (size_t i = 0; i < n; i++) {
        if (std::find(links, links + count, seen[i]) != links + count || !is_needed(seen[i], from)) continue;
        if (count < max) {
            links[count++] = seen[i];
            continue;
        }
        // In place of the farthest that is found without this edge.
        for (size_t j = count; j-- > 0;) {
            if (links[j] == to || is_needed(links[j], from)) continue;
            links[j] = seen[i];
            break;
        }
    }
    return count;
}

// Puts `to` into a full row of n, in place of the farthest that is found without it, or of the last.
void HnswLinker::force(SlotNumber from, SlotNumber to, SlotNumber* links, size_t n) {
    size_t victim = n - 1;
    for (size_t j = n; j-- > 0;) {
        if (is_needed(links[j], from)) continue;
        victim = j;
        break;
    }
    links[victim] = to;
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
            if (live) memcpy(base_code, code, index.code_size(code));
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
                force(from, to, links, n);
                count = n;
            } else if (level == 0) {
                count = keep_reachable(from, to, seen, n, links, count);
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
