// The entry point, and which nodes it leads to.
#include "check/check_hnsw.h"

namespace vext::check {

using format::HnswLinks;
using format::HnswMeta;
using format::HnswNode;
using format::kNoSlot;

void HnswCheck::check_entry() {
    HnswMeta meta = index_.meta;
    pages_.look(format::kHnswMetaBlock, page::kMetaShape<HnswMeta>, [&](Page page) { meta = *hnsw::meta_of(page); });
    auto error = [&](const char* what) { findings_.add(Severity::error, format::kHnswMetaBlock, -1, "%s", what); };
    uint8 state;
    if (meta.entry == kNoSlot) {
        if (meta.entry_level != 0) error("the level of no entry point is not 0");
    } else if (!state_now(meta.entry, &state) || (state != dead && !is_live(state))) {
        error("the entry point is no node");
    } else if (state == dead) {
        warning(PageKind::nodes, meta.entry, "the entry point is a dead node");
    } else if (static_cast<uint32>(state - live) != meta.entry_level) {
        error("the entry point is of another level than the metapage says");
    }
    if (live_ > 0 && (meta.entry == kNoSlot || static_cast<int>(meta.entry_level) < top_)) {
        suspects_.push_back({Suspect::low_entry, PageKind::nodes, highest_, kNoSlot});
    }
}

// The links of a node on level 0.
uint32 HnswCheck::links_of(SlotNumber number, SlotNumber* out) {
    uint32 count = 0;
    SlotNumber base = kNoSlot;
    auto take = [&](uint32 n, const SlotNumber* links) {
        count = std::min(n, index_.max_links(0));
        memcpy(out, links, count * sizeof(SlotNumber));
    };
    pages_.look(nodes().block(number), nodes(), [&](Page page) {
        uint32 slot = nodes().slot(number);
        if (!hnsw::has_node(index_, page, slot)) return;
        HnswNode* node = hnsw::node_at(index_, page, slot);
        if (index_.layout.links_inline) take(node->link_count, hnsw::inline_links(index_, node));
        else base = *hnsw::inline_links(index_, node);
    });
    if (base == kNoSlot) return count;
    const SlotShape& shape = index_.layout.base_links;
    pages_.look(shape.block(base), shape, [&](Page page) {
        const auto* links = reinterpret_cast<const HnswLinks*>(page::slot_at(page, shape, shape.slot(base)));
        if (links->flags != 0 && links->node == number) take(links->count, reinterpret_cast<const SlotNumber*>(links + 1));
    });
    return count;
}

// A node has been reached: so are those that it leads to, whether they are live or dead.
void HnswCheck::follow(SlotNumber node) {
    SlotNumber links[hnsw::kMaxLinks];
    queue_.push_back(node);
    while (!queue_.empty()) {
        SlotNumber at = queue_.back();
        queue_.pop_back();
        uint32 n = links_of(at, links);
        for (uint32 i = 0; i < n; i++) {
            uint8 state = state_of(links[i]);
            if (state == none && !state_now(links[i], &state)) continue;
            if (reached_.insert(links[i])) queue_.push_back(links[i]);
        }
    }
}

// Inserts may have moved an edge from a node that was not looked at yet to one that was, or to a new one: so all nodes
// that were reached are looked at again, in file order.
void HnswCheck::sweep() {
    uint64 end = static_cast<uint64>(RelationGetNumberOfBlocks(pages_.index())) * nodes().per_page;
    for (uint64 node = 0; node < end; node++) {
        if (reached_.contains(node)) follow(static_cast<SlotNumber>(node));
    }
}

void HnswCheck::check_reach() {
    elog(DEBUG1, "checking which nodes of index \"%s\" can be reached", RelationGetRelationName(pages_.index()));
    if (live_ == 0) return;
    auto find = [&](bool again) {
        SlotNumber entry = kNoSlot;
        pages_.look(format::kHnswMetaBlock, page::kMetaShape<HnswMeta>,
                    [&](Page page) { entry = hnsw::meta_of(page)->entry; });
        if (entry != kNoSlot && reached_.insert(entry)) follow(entry);
        if (again) sweep();
        unreached_ = 0;
        for (SlotNumber node = 0; node < states_.size(); node++) {
            unreached_ += is_live(states_[node]) && !reached_.contains(node);
        }
    };
    find(false);
    searched_ = true;
    // Two inserts at the same time may cut a node off for a moment, until they look again.
    look_again([&] {
        if (unreached_ > 0) find(true);
        return unreached_ > 0;
    });
    for (SlotNumber node = 0; unreached_ > 0 && node < states_.size(); node++) {
        if (!is_live(states_[node]) || reached_.contains(node)) continue;
        warning(PageKind::nodes, node, "the entry point does not lead to this node");
    }
    findings_.add(Severity::info, InvalidBlockNumber, -1, "the entry point leads to " UINT64_FORMAT " of " UINT64_FORMAT
                  " nodes (%.4f %%)", live_ - unreached_, live_,
                  100.0 * static_cast<double>(live_ - unreached_) / static_cast<double>(live_));
}

}  // namespace vext::check
