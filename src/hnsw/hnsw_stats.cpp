// vectorext_index_stats(regclass) of hnsw: what an index holds, and a fingerprint of its graph.
#include <cmath>
#include <new>

#include "base/hash.h"
#include "hnsw/hnsw_am.h"
#include "index/calibration.h"
#include "index/name_values.h"
#include "page/slot_page.h"
#include "pg/arena.h"
#include "pg/block_stream.h"
#include "pg/guards.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;
using format::PageKind;

namespace {

// Counts of one index, by a pass over its pages in file order. Pages are looked at one by one, under a share lock each:
// while the index changes, the sums may be of different moments.
struct IndexStats {
    uint64 pages[format::kSlotKinds] = {}, empty_pages = 0;
    uint64 live = 0, dead = 0, free_nodes = 0, rows = 0, posting_rows = 0;
    uint64 links = 0, upper_links = 0;
    uint64 by_level[kMaxLevel + 1] = {};
    // Bytes of used slots by what they are for; the rest of the file is free or overhead.
    uint64 code_bytes = 0, base_link_bytes = 0, upper_bytes = 0, posting_bytes = 0;
    uint64 fingerprint = 0;
    uint64 lives = 0;
};

// Reads all slots of the pages of one kind. use(page, slot, number).
template <typename Use>
uint64 each_slot(const HnswIndex& index, PageKind kind, BufferAccessStrategy strategy, uint64* empty, Use use) {
    const SlotShape& shape = index.shape(kind);
    uint64 pages = 0;
    pg::BlockPass pass{index.rel, format::kHnswMetaBlock + 1, strategy};
    for (Buffer buffer; (buffer = pass.next()) != InvalidBuffer;) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BufferGetBlockNumber(buffer);
        pg::Pin pin{buffer};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (PageIsNew(pin.page())) {
            (*empty)++;
            continue;
        }
        if (!page::has_kind(pin.page(), kind)) continue;
        page::check_page(index.rel, block, pin.page(), shape);
        pages++;
        for (uint32 i = page::first_entry(shape); i < shape.per_page; i = page::next_entry(pin.page(), shape, i)) {
            use(pin.page(), i, shape.number(block, i));
        }
    }
    pass.end();
    return pages;
}

class Inspector {
public:
    Inspector(const HnswIndex& index, MemoryContext context) : index_(index), ids_(context) {}

    IndexStats run() {
        BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
        uint64 empty = 0;
        ids_.resize(static_cast<size_t>(RelationGetNumberOfBlocks(index_.rel)) * index_.layout.nodes.per_page, 0);
        // What a node is called in the fingerprint: a hash of its code, wherever it lies.
        each_slot(index_, PageKind::nodes, strategy, &empty, [&](Page page, uint32 slot, SlotNumber number) {
            HnswNode* node = node_at(index_, page, slot);
            if (is_live(node) && number < ids_.size()) {
                const uint8* code = code_at(index_, node);
                if (!has_whole_node(index_, page, slot)) {
                    page::report_corrupted(index_.rel, index_.layout.nodes.block(number), "a node that does not fit its page");
                }
                ids_[number] = hash_bytes64(code, index_.code_size(code));
            }
        });
        s_.pages[0] = each_slot(index_, PageKind::nodes, strategy, &s_.empty_pages,
                                [&](Page page, uint32 slot, SlotNumber number) { count_node(page, slot, number); });
        for (PageKind kind : {PageKind::base_links, PageKind::upper_links}) {
            auto count = [&](Page page, uint32 slot, SlotNumber) { count_row(page, slot, kind); };
            s_.pages[static_cast<int>(kind) - 1] = each_slot(index_, kind, strategy, &empty, count);
        }
        const SlotShape& postings = index_.layout.postings;
        s_.pages[3] = each_slot(index_, PageKind::postings, strategy, &empty, [&](Page page, uint32 slot, SlotNumber) {
            auto* posting = reinterpret_cast<HnswPosting*>(page::slot_at(page, postings, slot));
            if (!(posting->flags & format::kSlotUsed)) return;
            s_.posting_rows += posting->count;
            s_.posting_bytes += postings.slot_bytes;
        });
        s_.rows += s_.posting_rows;
        EntryPoint entry = read_entry(index_.rel);
        if (entry.node != kNoSlot) s_.fingerprint += mix64(id(entry.node) ^ 0x656E747279u);
        return s_;
    }

private:
    uint64 id(SlotNumber node) const { return node < ids_.size() ? ids_[node] : 0; }

    void count_node(Page page, uint32 slot, SlotNumber number) {
        HnswNode* node = node_at(index_, page, slot);
        if (!index_.layout.nodes.runs) s_.lives += node->generation;
        if (!is_live(node)) {
            (node->flags & format::kSlotUsed ? s_.dead : s_.free_nodes)++;
            return;
        }
        s_.live++;
        s_.rows += ItemPointerIsValid(&node->tid);
        s_.by_level[std::min<int>(node->level, kMaxLevel)]++;
        const SlotShape& nodes = index_.layout.nodes;
        uint64 bytes = static_cast<uint64>(nodes.slot_bytes) * index_.node_slots(code_at(index_, node));
        uint64 link_bytes = index_.layout.links_inline ? bytes - index_.layout.links_offset : 0;
        s_.code_bytes += bytes - link_bytes;
        s_.base_link_bytes += link_bytes;
        s_.fingerprint += mix64(id(number) + node->level);
        if (index_.layout.links_inline) {
            s_.links += node->link_count;
            add_row(number, 0, inline_links(index_, node), node->link_count);
        }
    }

    void count_row(Page page, uint32 slot, PageKind kind) {
        const SlotShape& shape = index_.shape(kind);
        auto* links = reinterpret_cast<HnswLinks*>(page::slot_at(page, shape, slot));
        if (links->flags == 0 || id(links->node) == 0) return;
        (kind == PageKind::base_links ? s_.links : s_.upper_links) += links->count;
        (kind == PageKind::base_links ? s_.base_link_bytes : s_.upper_bytes) += shape.slot_bytes;
        size_t n = std::min<size_t>(links->count, index_.max_links(kind == PageKind::base_links ? 0 : 1));
        add_row(links->node, links->level, reinterpret_cast<SlotNumber*>(links + 1), n);
    }

    // Sums do not depend on where rows lie; within a row the order counts.
    void add_row(SlotNumber owner, int level, const SlotNumber* links, size_t n) {
        uint64 h = mix64(id(owner) ^ static_cast<uint64>(level + 1));
        for (size_t i = 0; i < std::min<size_t>(n, index_.max_links(level)); i++) h = mix64(h ^ id(links[i]));
        s_.fingerprint += h;
    }

    const HnswIndex& index_;
    ArenaVec<uint64> ids_;  // by node number, 0 where none lives
    IndexStats s_;
};

void report(const HnswIndex& index, const IndexStats& s, index::NameValueRows& out) {
    uint64 pages = RelationGetNumberOfBlocks(index.rel);
    uint64 parts = s.code_bytes + s.base_link_bytes + s.upper_bytes + s.posting_bytes;
    out.add("format version", index.meta.version);
    out.add("dimensions", index.dim());
    out.add("metric", codec::metric_name(index.codec->metric));
    out.add("quantization", codec::codec_name(index.codec->id));
    out.add("m", index.m());
    out.add("ef_construction", index.meta.ef_construction);
    out.add("attributes", index.meta.attributes);
    out.add("rows", s.rows);
    out.add("rows of equal codes", s.rows > s.live ? s.rows - s.live : 0);
    out.add("nodes", s.live);
    out.add("dead nodes", s.dead);
    out.add("free node slots", s.free_nodes);
    int top = 0;
    for (int level = 0; level <= kMaxLevel; level++) top = s.by_level[level] > 0 ? level : top;
    for (int level = 0; level <= top; level++) out.add(psprintf("nodes of level %d", level), s.by_level[level]);
    out.add("links per node", s.links, s.live);
    out.add("pages", pages);
    out.add("pages of nodes", s.pages[0]);
    out.add("pages of links", s.pages[1]);
    out.add("pages of upper levels", s.pages[2]);
    out.add("pages of postings", s.pages[3]);
    out.add("empty pages", s.empty_pages);
    out.add("bytes per row", pages * BLCKSZ, s.rows);
    uint64 attributes = s.live * index.layout.attribute_bytes, sketches = s.pages[0] * index.layout.nodes.front;
    parts += sketches;
    out.add("bytes per row: codes", s.code_bytes - std::min(s.code_bytes, attributes), s.rows);
    out.add("bytes per row: attributes", attributes + sketches, s.rows);
    out.add("bytes per row: links", s.base_link_bytes, s.rows);
    out.add("bytes per row: upper levels", s.upper_bytes, s.rows);
    out.add("bytes per row: postings", s.posting_bytes, s.rows);
    out.add("bytes per row: free", pages * BLCKSZ > parts ? pages * BLCKSZ - parts : 0, s.rows);
    const format::Calibration& c = index.meta.calibration;
    uint64 changed = s.lives > 0 ? s.lives - c.lives : static_cast<uint64>(std::fabs(static_cast<double>(s.live) - c.rows));
    index::report_calibration(out, c, "nodes", changed);
    out.add("growth of distances", psprintf("%.4f", static_cast<double>(index.meta.growth)));
    out.add("fingerprint", psprintf("%08x%08x", uint32(s.fingerprint >> 32), uint32(s.fingerprint)));
}

}  // namespace

void index_stats(Relation rel, index::NameValueRows& out) {
    HnswIndex index = open_index(rel);
    pg::ScratchContext scratch{"hnsw index stats"};
    auto* inspector = new (palloc(sizeof(Inspector))) Inspector(index, scratch.context());
    report(index, inspector->run(), out);
}

}  // namespace vext::hnsw
