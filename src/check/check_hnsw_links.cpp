// What refers to what: links to nodes, nodes to rows of links and of table rows.
#include "check/check_hnsw.h"

namespace vext::check {

using format::HnswLinks;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;

// The state of a slot as it is now. False: there is no page of nodes.
bool HnswCheck::state_now(SlotNumber number, uint8* state) {
    *state = none;
    return pages_.look(nodes().block(number), nodes(), [&](Page page) {
        uint32 slot = nodes().slot(number);
        const HnswNode* node = hnsw::node_at(index_, page, slot);
        if (!hnsw::has_node(index_, page, slot)) return;
        if (node->flags == 0) *state = node->generation == 0 ? none : was_freed;
        else if (!hnsw::is_live(node)) *state = dead;
        else if (node->level <= hnsw::kMaxLevel) *state = static_cast<uint8>(live + node->level);
    });
}

// Copies a node in use, and the number of its base_links slot where links are not inline.
bool HnswCheck::read_node(SlotNumber number, HnswNode* node, SlotNumber* base) {
    bool used = false;
    pages_.look(nodes().block(number), nodes(), [&](Page page) {
        uint32 slot = nodes().slot(number);
        if (!hnsw::has_node(index_, page, slot)) return;
        HnswNode* there = hnsw::node_at(index_, page, slot);
        *node = *there;
        used = there->flags & format::kSlotUsed;
        if (base != nullptr) *base = index_.layout.links_inline ? kNoSlot : *hnsw::inline_links(index_, there);
    });
    return used;
}

void HnswCheck::check_references() {
    elog(DEBUG1, "checking links of index \"%s\"", RelationGetRelationName(pages_.index()));
    pages_.each_of(nodes(), [&](BlockNumber block, Page page) {
        for (uint32 i = page::first_entry(nodes()); i < nodes().per_page; i = page::next_entry(page, nodes(), i)) {
            HnswNode* node = hnsw::node_at(index_, page, i);
            SlotNumber number = nodes().number(block, i);
            if (!is_live(state_of(number)) || !hnsw::is_live(node)) continue;  // of later nodes the next check
            SlotNumber* links = hnsw::inline_links(index_, node);
            bool inline_links = index_.layout.links_inline;
            check_chains(number, *node, inline_links ? kNoSlot : *links);
            if (inline_links) check_row({number, 0, node->link_count, links, block, i});
        }
    });
    for (PageKind kind : {PageKind::base_links, PageKind::upper_links, PageKind::postings}) {
        if (kind == PageKind::base_links && index_.layout.links_inline) continue;
        const SlotShape& shape = index_.shape(kind);
        pages_.each_of(shape, [&](BlockNumber block, Page page) {
            for (uint32 i = 0; i < shape.per_page; i++) {
                const char* slot = page::slot_at(page, shape, i);
                SlotNumber number = shape.number(block, i);
                const auto* links = reinterpret_cast<const HnswLinks*>(slot);
                const auto* posting = reinterpret_cast<const HnswPosting*>(slot);
                bool is_posting = kind == PageKind::postings;
                if ((is_posting ? posting->flags : links->flags) == 0) continue;
                SlotNumber owner = is_posting ? posting->node : links->node;
                if (!referred(kind).contains(number)) suspects_.push_back({Suspect::unowned, kind, number, owner});
                else if (!is_posting && is_live(state_of(owner)))
                    check_row({owner, links->level, links->count, reinterpret_cast<const SlotNumber*>(links + 1), block, i});
            }
        });
    }
}

// The rows of links and the chunks of rows of one live node. A base_links slot is its node's in all its lives.
void HnswCheck::check_chains(SlotNumber number, const HnswNode& node, SlotNumber base) {
    rows_ += ItemPointerIsValid(&node.tid);
    if (!index_.layout.links_inline) {
        const SlotShape& shape = index_.layout.base_links;
        bool ours = false;
        if (base == kNoSlot) {
            suspects_.push_back({Suspect::no_base_row, PageKind::nodes, number, kNoSlot});
        } else {
            pages_.look(shape.block(base), shape, [&](Page page) {
                auto* links = reinterpret_cast<HnswLinks*>(page::slot_at(page, shape, shape.slot(base)));
                ours = links->flags != 0 && links->node == number;
            });
            if (!ours) error(PageKind::nodes, number, "a node leads to links of level 0 that are not its own");
            else referred(PageKind::base_links).insert(base);
        }
    }
    if (node.level > 0) check_upper_chain(number, node);
    if (node.posting != kNoSlot) check_postings(number, node.posting);
}

void HnswCheck::check_upper_chain(SlotNumber number, const HnswNode& node) {
    if (node.upper == kNoSlot) {
        suspects_.push_back({Suspect::no_upper_rows, PageKind::nodes, number, kNoSlot});
        return;
    }
    const SlotShape& shape = index_.layout.upper_links;
    SlotNumber at = node.upper;
    for (int level = 1; level <= node.level; level++) {
        HnswLinks links{};
        bool found = at != kNoSlot && pages_.look(shape.block(at), shape, [&](Page page) {
            links = *reinterpret_cast<HnswLinks*>(page::slot_at(page, shape, shape.slot(at)));
        });
        if (!found || links.flags == 0 || links.node != number || links.level != level) {
            return error(PageKind::nodes, number, "the chain of a node's upper links is broken");
        }
        referred(PageKind::upper_links).insert(at);
        at = links.above;
    }
    if (at != kNoSlot) error(PageKind::nodes, number, "the chain of a node's upper links is longer than its level");
}

// Follows a chain of chunks: use(number, chunk); false ends it. False: it is broken at *at.
template <typename Use>
bool HnswCheck::each_chunk(SlotNumber node, SlotNumber head, const char** problem, SlotNumber* at, Use use) {
    const SlotShape& shape = index_.layout.postings;
    alignas(8) char chunk[format::posting_slot_bytes(format::kMaxAttributes)];
    auto* posting = reinterpret_cast<HnswPosting*>(chunk);
    // No chain has more chunks than there are; one that returns to itself has.
    uint64 left = static_cast<uint64>(RelationGetNumberOfBlocks(pages_.index())) * shape.per_page;
    for (*at = head; *at != kNoSlot; *at = posting->next) {
        bool found = pages_.look(shape.block(*at), shape, [&](Page page) {
            memcpy(chunk, page::slot_at(page, shape, shape.slot(*at)), shape.slot_bytes);
        });
        *problem = "a node leads to a chunk of rows that does not exist";
        if (!found) return false;
        *problem = "a node leads to a chunk of rows that is not its own";
        if (posting->flags == 0 || posting->node != node) return false;
        *problem = "the chunks of rows of a node form a ring";
        if (left-- == 0) return false;
        posting->count = static_cast<uint8>(std::min<uint32>(posting->count, index_.layout.posting_capacity));
        if (!use(*at, posting)) break;
    }
    return true;
}

void HnswCheck::check_postings(SlotNumber number, SlotNumber head) {
    const char* problem;
    SlotNumber at;
    bool was_uniform = false;
    uint32 print = 0;
    bool first = true;
    bool whole = each_chunk(number, head, &problem, &at, [&](SlotNumber chunk, HnswPosting* posting) {
        if (!referred(PageKind::postings).insert(chunk)) {
            error(PageKind::postings, chunk, "a chunk of rows is in two places");
            return false;
        }
        uint32 fingerprint = *hnsw::fingerprint_of(index_, posting);
        if (posting->count == 0) warning(PageKind::postings, chunk, "an empty chunk of rows");
        if ((posting->uniform && fingerprint == 0) ||
            (!first && was_uniform && (!posting->uniform || fingerprint != print))) {
            error(PageKind::postings, chunk, "chunks of rows of different vectors are said to be of one");
        }
        was_uniform = posting->uniform;
        print = fingerprint;
        first = false;
        rows_ += posting->count;
        return true;
    });
    if (!whole) error(PageKind::nodes, number, problem);
}

void HnswCheck::each_row(RowCheck& to) {
    pages_.each_of(nodes(), [&](BlockNumber block, Page page) {
        for (uint32 i = page::first_entry(nodes()); i < nodes().per_page; i = page::next_entry(page, nodes(), i)) {
            const HnswNode* node = hnsw::node_at(index_, page, i);
            SlotNumber number = nodes().number(block, i);
            if (!hnsw::is_live(node)) continue;
            if (ItemPointerIsValid(&node->tid)) to.add_row({node->tid, 0, number, 0});
            const char* problem;
            SlotNumber at;
            each_chunk(number, node->posting, &problem, &at, [&](SlotNumber chunk, HnswPosting* posting) {
                for (uint32 j = 0; j < posting->count; j++) {
                    ItemPointerData tid = hnsw::entry_at(index_, posting, j)->tid;
                    if (ItemPointerIsValid(&tid)) to.add_row({tid, static_cast<uint16>(j + 1), number, chunk});
                }
                return true;
            });
        }
    });
}

// ---- links

void HnswCheck::check_row(const Row& row) {
    auto error = [&](const char* what) { findings_.add(Severity::error, row.block, row.slot, "%s", what); };
    uint32 count = std::min(row.count, index_.max_links(row.level));
    for (uint32 i = 0; i < count; i++) {
        if (row.links[i] == row.owner) error("a node links to itself");
        for (uint32 j = 0; j < i; j++) {
            if (row.links[j] != row.links[i]) continue;
            error("a node links to another twice");
            break;
        }
        check_target(row, row.links[i]);
    }
}

void HnswCheck::check_target(const Row& row, SlotNumber target) {
    uint8 state = state_of(target);
    if (state >= live + row.level) return;
    auto add = [&](Severity severity, const char* what) {
        findings_.add(severity, row.block, row.slot, "a link of level %d leads to %s: block %u, slot %u", row.level, what,
                      nodes().block(target), nodes().slot(target));
    };
    if (target == kNoSlot || !state_now(target, &state)) return add(Severity::error, "what is no page of nodes");
    if (state >= live + row.level) return;
    // A vacuum or an insert that was broken off leaves links to nodes that are gone.
    if (is_live(state)) return add(Severity::warning, "a node of lower levels");
    if (state == dead) return add(Severity::warning, "a dead node");
    if (state == was_freed) return add(Severity::warning, "a freed node");
    add(nodes().runs ? Severity::warning : Severity::error, "a slot that was never a node");
}

// Whether a node leads to a slot now.
bool HnswCheck::refers(PageKind kind, SlotNumber owner, SlotNumber number) {
    HnswNode node;
    SlotNumber base;
    if (owner == kNoSlot || !read_node(owner, &node, &base)) return false;
    if (kind == PageKind::base_links) return base == number;
    const char* problem;
    SlotNumber at = kNoSlot;
    bool found = false;
    if (kind == PageKind::postings) {
        each_chunk(owner, node.posting, &problem, &at, [&](SlotNumber chunk, HnswPosting*) {
            found = chunk == number;
            return !found;
        });
        return found;
    }
    const SlotShape& shape = index_.layout.upper_links;
    at = node.upper;
    for (int level = 1; level <= node.level && at != kNoSlot && at != number; level++) {
        SlotNumber next = kNoSlot;
        pages_.look(shape.block(at), shape, [&](Page page) {
            next = reinterpret_cast<HnswLinks*>(page::slot_at(page, shape, shape.slot(at)))->above;
        });
        at = next;
    }
    return at == number;
}

}  // namespace vext::check
