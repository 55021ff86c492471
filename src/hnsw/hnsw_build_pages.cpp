// Writing a finished graph to pages, in one go.
#include <cstring>

#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_order.h"
#include "page/page_writer.h"
#include "pg/guards.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswMeta;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;
using page::blocks_for;
using page::nth_slot;

namespace {

// What is written where.
struct Writing {
    HnswIndex& index;
    const MemoryGraph& graph;
    BuildRows& rows;

    // Of the codec of the index, by which the graph need not have been linked.
    const uint8* code(uint32 node) const { return rows.fine != nullptr ? rows.code(node) : graph.code(node); }
    size_t code_size(uint32 node) const { return rows.fine != nullptr ? rows.code_size(node) : graph.code_size(node); }
};

// Numbers of the slots that a graph takes, in the order in which they are written: nodes, rows of level 0 where
// they are not inline, rows of upper levels, postings.
struct Placement {
    explicit Placement(MemoryContext context)
        : order(context), scores(context), candidates(context), numbers(context), upper(context), posting(context) {}

    ArenaVec<uint32> order;
    ArenaVec<uint32> scores, candidates;  // to find it
    ArenaVec<SlotNumber> numbers;  // by node
    ArenaVec<SlotNumber> upper;    // by node: its row of level 1
    ArenaVec<SlotNumber> posting;  // by node: its first chunk
    BlockNumber first[format::kSlotKinds], end;
};

// Numbers the nodes in their order; gives the block behind them.
BlockNumber place_nodes(const Writing& b, Placement& p, BlockNumber first) {
    const SlotShape& shape = b.index.layout.nodes;
    size_t at = page::first_entry(shape);
    for (uint32 node : p.order) {
        uint32 need = b.index.node_slots(b.code(node));
        if (at % shape.per_page + need > shape.per_page) at += shape.per_page - at % shape.per_page + page::kFirstRun;
        p.numbers[node] = nth_slot(shape, first, at);
        at += need;
        // No run begins in the first slot of a page.
        if (shape.runs && at % shape.per_page == 0) at += page::kFirstRun;
    }
    return first + static_cast<BlockNumber>((at + shape.per_page - 1 - page::first_entry(shape)) / shape.per_page);
}

// How many nodes share a page, as far as their order goes.
size_t nodes_per_page(const Writing& b) {
    const SlotShape& shape = b.index.layout.nodes;
    if (!shape.runs) return shape.per_page;
    return shape.per_page / page::run_slots(b.index.layout.code_offset + b.graph.stride);
}

bool share_chunks(const Duplicate& x, const Duplicate& y) {
    return x.node == y.node && x.fingerprint == y.fingerprint;
}

void place(const Writing& b, Placement& p) {
    const HnswLayout& layout = b.index.layout;
    size_t n = b.graph.n;
    page_order(b.graph, nodes_per_page(b), p.order, p.scores, p.candidates, [] { CHECK_FOR_INTERRUPTS(); });
    p.numbers.resize(n, kNoSlot);
    p.upper.resize(n, kNoSlot);
    p.posting.resize(n, kNoSlot);
    BlockNumber block = format::kHnswMetaBlock + 1;
    p.first[0] = block;
    block = place_nodes(b, p, block);
    p.first[1] = block;
    if (!layout.links_inline) block += blocks_for(layout.base_links, n);
    p.first[2] = block;
    size_t rows = 0;
    for (uint32 node : p.order) {
        if (b.graph.levels[node] > 0) p.upper[node] = nth_slot(layout.upper_links, block, rows);
        rows += b.graph.levels[node];
    }
    block += blocks_for(layout.upper_links, rows);
    p.first[3] = block;
    std::sort(b.rows.duplicates.begin(), b.rows.duplicates.end(), [](const Duplicate& x, const Duplicate& y) {
        if (x.node != y.node) return x.node < y.node;
        if (x.fingerprint != y.fingerprint) return x.fingerprint < y.fingerprint;
        return ItemPointerCompare(const_cast<ItemPointer>(&x.tid), const_cast<ItemPointer>(&y.tid)) < 0;
    });
    size_t capacity = layout.posting_capacity;
    // Chunks of a node follow each other; the last one, with room, is the first of its chain.
    size_t chunks = 0;
    for (size_t i = 0; i < b.rows.duplicates.size();) {
        size_t end = i;
        while (end < b.rows.duplicates.size() && share_chunks(b.rows.duplicates[end], b.rows.duplicates[i])) end++;
        chunks += (end - i + capacity - 1) / capacity;
        p.posting[b.rows.duplicates[i].node] = nth_slot(layout.postings, block, chunks - 1);
        i = end;
    }
    p.end = block + blocks_for(layout.postings, chunks);
}

void copy_row(const Placement& p, const uint32* row, SlotNumber* out) {
    for (uint32 i = 0; i < MemoryGraph::count(row); i++) out[i] = p.numbers[row[1 + i]];
}

BlockNumber write_nodes(const Writing& b, const Placement& p) {
    const HnswLayout& layout = b.index.layout;
    page::PageWriter writer{b.index.rel, layout.nodes};
    BlockNumber block = InvalidBlockNumber;
    for (size_t i = 0; i < p.order.size(); i++) {
        uint32 id = p.order[i];
        if (block != layout.nodes.block(p.numbers[id])) {
            if (i > 0) sketch_nodes(b.index, writer.page());
            block = layout.nodes.block(p.numbers[id]);
        }
        auto* node = reinterpret_cast<HnswNode*>(writer.next(p.numbers[id], b.index.node_slots(b.code(id))));
        set_row(b.index, node, b.rows.new_row(b.rows.node_attributes, id, b.rows.tids[id]));
        node->flags = format::kSlotUsed;
        node->level = b.graph.levels[id];
        node->mark = mark_of(b.index, p.numbers[id]);
        node->generation = 1;
        node->upper = p.upper[id];
        node->posting = p.posting[id];
        memcpy(code_at(b.index, node), b.code(id), b.code_size(id));
        if (layout.links_inline) {
            const uint32* row = b.graph.row(id, 0);
            node->link_count = static_cast<uint16>(MemoryGraph::count(row));
            copy_row(p, row, inline_links(b.index, node));
        } else {
            *inline_links(b.index, node) = nth_slot(layout.base_links, p.first[1], i);
        }
        if ((i & 0xFFF) == 0) pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(i));
    }
    if (block != InvalidBlockNumber) sketch_nodes(b.index, writer.page());
    return writer.finish();
}

BlockNumber write_rows(const Writing& b, const Placement& p, const SlotShape& shape, BlockNumber first, bool upper) {
    page::PageWriter writer{b.index.rel, shape};
    size_t at = 0;
    for (uint32 id : p.order) {
        int top = upper ? b.graph.levels[id] : 0;
        for (int level = upper ? 1 : 0; level <= top; level++, at++) {
            auto* links = reinterpret_cast<HnswLinks*>(writer.next(nth_slot(shape, first, at)));
            const uint32* row = b.graph.row(id, level);
            links->node = p.numbers[id];
            links->above = level < top ? nth_slot(shape, first, at + 1) : kNoSlot;
            links->flags = format::kSlotUsed;
            links->level = static_cast<uint8>(level);
            links->count = static_cast<uint16>(MemoryGraph::count(row));
            copy_row(p, row, reinterpret_cast<SlotNumber*>(links + 1));
        }
    }
    return writer.finish();
}

BlockNumber write_postings(const Writing& b, const Placement& p) {
    const SlotShape& shape = b.index.layout.postings;
    page::PageWriter writer{b.index.rel, shape};
    size_t chunk = 0;
    HnswPosting* posting = nullptr;
    bool uniform = false;
    for (size_t i = 0; i < b.rows.duplicates.size(); i++) {
        const Duplicate& d = b.rows.duplicates[i];
        bool same_node = i > 0 && b.rows.duplicates[i - 1].node == d.node;
        bool same_vector = same_node && share_chunks(b.rows.duplicates[i - 1], d);
        if (!same_vector || posting->count == b.index.layout.posting_capacity) {
            SlotNumber previous = same_node ? nth_slot(shape, p.first[3], chunk - 1) : kNoSlot;
            uniform = same_node ? uniform && same_vector : d.fingerprint != 0;
            posting = reinterpret_cast<HnswPosting*>(writer.next(nth_slot(shape, p.first[3], chunk++)));
            *posting = {p.numbers[d.node], previous, format::kSlotUsed, 0, uniform, 0};
            *fingerprint_of(b.index, posting) = d.fingerprint;
        }
        set_row(b.index, entry_at(b.index, posting, posting->count++),
                b.rows.new_row(b.rows.duplicate_attributes, d.row, d.tid));
    }
    return writer.finish();
}

void write_meta(const Writing& b) {
    Buffer buffer = ReadBuffer(b.index.rel, format::kHnswMetaBlock);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    *meta_of(BufferGetPage(buffer)) = b.index.meta;
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
}

}  // namespace

void write_graph(HnswIndex& index, const MemoryGraph& graph, BuildRows& rows, MemoryContext context) {
    set_build_phase(BuildPhase::writing, static_cast<int64>(graph.n));
    Writing b{index, graph, rows};
    Placement p{context};
    place(b, p);
    pg::extend_fork_to(index.rel, MAIN_FORKNUM, p.end);
    HnswMeta& meta = index.meta;
    meta.free_head[0] = write_nodes(b, p);
    if (!index.layout.links_inline) meta.free_head[1] = write_rows(b, p, index.layout.base_links, p.first[1], false);
    meta.free_head[2] = write_rows(b, p, index.layout.upper_links, p.first[2], true);
    meta.free_head[3] = write_postings(b, p);
    if (graph.entry() != kNoNode) {
        meta.entry = p.numbers[graph.entry()];
        meta.entry_level = graph.levels[graph.entry()];
    }
    write_meta(b);
}

}  // namespace vext::hnsw
