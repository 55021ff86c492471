// CREATE INDEX: rows are coded as they are read, the graph is built in memory over the codes, then the pages are
// written in one go. Rows that no longer fit into maintenance_work_mem are inserted into the pages one by one.
#include <cstring>
#include <new>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_insert.h"
#include "hnsw/hnsw_memory.h"
#include "hnsw/hnsw_order.h"
#include "index/opclass.h"
#include "pg/guards.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswMeta;
using format::HnswNode;
using format::HnswPosting;
using format::HnswPostingEntry;
using format::kNoSlot;
using format::kPostingCapacity;
using format::PageKind;

namespace {

struct Duplicate {
    uint32 node;
    uint32 fingerprint;
    ItemPointerData tid;
};

// Finds nodes by their code while rows are loaded: open addressing over node numbers.
class CodeTable {
public:
    explicit CodeTable(MemoryContext context) : slots_(context), other_(context) { slots_.resize(1024, kNoNode); }

    // The node whose code equals that of `node`, or `node` itself, which is then in the table.
    uint32 find_or_add(const MemoryGraph<ArenaVec>& graph, uint32 node) {
        if ((used_ + 1) * 2 > slots_.size()) grow(graph);
        uint32* slot = find(graph, node);
        if (*slot != kNoNode) return *slot;
        *slot = node;
        used_++;
        return node;
    }
    size_t bytes() const { return slots_.bytes() + other_.bytes(); }

private:
    uint32* find(const MemoryGraph<ArenaVec>& graph, uint32 node) {
        const uint8* code = graph.code(node);
        size_t mask = slots_.size() - 1, bytes = graph.code_bytes(node);
        size_t i = hash_bytes64(code, bytes) & mask;
        auto differs = [&](uint32 other) {
            return graph.code_bytes(other) != bytes || memcmp(graph.code(other), code, bytes) != 0;
        };
        while (slots_[i] != kNoNode && differs(slots_[i])) i = (i + 1) & mask;
        return &slots_[i];
    }
    void grow(const MemoryGraph<ArenaVec>& graph) {
        size_t wanted = slots_.size() * 2;
        std::swap(slots_, other_);
        slots_.clear();
        slots_.resize(wanted, kNoNode);
        for (uint32 node : other_) {
            if (node != kNoNode) *find(graph, node) = node;
        }
    }

    ArenaVec<uint32> slots_, other_;
    size_t used_ = 0;
};

struct Build {
    Build(const HnswIndex& described, MemoryContext memory, const GraphParameters& parameters)
        : index(described),
          context(memory),
          graph(memory, parameters),
          codes(memory),
          tids(memory),
          duplicates(memory),
          scratch(memory) {}

    HnswIndex index;
    MemoryContext context;
    MemoryContext row_context = nullptr;  // reset after each row
    MemoryGraph<ArenaVec> graph;
    CodeTable codes;
    ArenaVec<ItemPointerData> tids;  // of the first row of each node
    ArenaVec<Duplicate> duplicates;  // all further rows
    ArenaVec<float> scratch;
    HnswInserter* inserter = nullptr;  // once the graph is on pages
    uint8* row_code = nullptr;
    double indexed = 0;
};

void set_phase(BuildPhase phase, int64 total) {
    const int what[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {static_cast<int64>(phase), total, 0};
    pgstat_progress_update_multi_param(3, what, values);
}

// ---- pages -----------------------------------------------------------------------------------------

// Fills the pages of one kind, slot after slot, at the end of the relation.
class PageWriter {
public:
    PageWriter(const HnswIndex& index, const SlotShape& shape) : index_(index), shape_(shape) {}

    // The next slot, or run of so many; its page is locked until the next call or finish().
    char* next(SlotNumber expected, uint32 slots = 1) {
        if (buffer_ == InvalidBuffer || used_ + slots > shape_.per_page) {
            finish();
            CHECK_FOR_INTERRUPTS();
            buffer_ = pg::extend_relation(index_.rel);
            used_ = page::first_entry(shape_);
            page::init_page(BufferGetPage(buffer_), shape_);
        }
        BlockNumber block = BufferGetBlockNumber(buffer_);
        if (shape_.number(block, used_) != expected) elog(ERROR, "hnsw build: slot at an unexpected place");
        if (shape_.runs) page::place_run(BufferGetPage(buffer_), shape_, used_, slots);
        char* slot = page::slot_at(BufferGetPage(buffer_), shape_, used_);
        used_ += slots;
        return slot;
    }

    // Gives the last page when it has room left, else InvalidBlockNumber.
    BlockNumber finish() {
        if (buffer_ == InvalidBuffer) return InvalidBlockNumber;
        BlockNumber roomy = used_ < shape_.per_page ? BufferGetBlockNumber(buffer_) : InvalidBlockNumber;
        if (roomy != InvalidBlockNumber) page::tail_of(BufferGetPage(buffer_))->listed = 1;
        MarkBufferDirty(buffer_);
        UnlockReleaseBuffer(buffer_);
        buffer_ = InvalidBuffer;
        return roomy;
    }

private:
    const HnswIndex& index_;
    const SlotShape& shape_;
    Buffer buffer_ = InvalidBuffer;
    uint32 used_ = 0;
};

// Numbers of the slots that a graph takes, in the order in which they are written: nodes, rows of level 0 where
// they are not inline, rows of upper levels, postings.
struct Placement {
    explicit Placement(MemoryContext context)
        : order(context), queue(context), placed(context), numbers(context), upper(context), posting(context) {}

    ArenaVec<uint32> order, queue;
    ArenaVec<uint8> placed;
    ArenaVec<SlotNumber> numbers;  // by node
    ArenaVec<SlotNumber> upper;    // by node: its row of level 1
    ArenaVec<SlotNumber> posting;  // by node: its first chunk
    BlockNumber first[format::kSlotKinds];
};

SlotNumber nth_slot(const SlotShape& shape, BlockNumber first, size_t n) {
    size_t block = first + n / shape.per_page;
    if (block >= shape.block_limit()) {
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one hnsw index"));
    }
    return shape.number(static_cast<BlockNumber>(block), static_cast<uint32>(n % shape.per_page));
}

// Numbers the nodes in their order; gives the block behind them.
BlockNumber place_nodes(const Build& b, Placement& p, BlockNumber first) {
    const SlotShape& shape = b.index.layout.nodes;
    size_t at = page::first_entry(shape);
    for (uint32 node : p.order) {
        uint32 need = b.index.node_slots(b.graph.code(node));
        if (at % shape.per_page + need > shape.per_page) at += shape.per_page - at % shape.per_page + page::kFirstRun;
        p.numbers[node] = nth_slot(shape, first, at);
        at += need;
        // No run begins in the first slot of a page.
        if (shape.runs && at % shape.per_page == 0) at += page::kFirstRun;
    }
    return first + static_cast<BlockNumber>((at + shape.per_page - 1 - page::first_entry(shape)) / shape.per_page);
}

// How many nodes share a page, as far as their order goes.
size_t nodes_per_page(const Build& b) {
    const SlotShape& shape = b.index.layout.nodes;
    if (!shape.runs) return shape.per_page;
    return shape.per_page / page::run_slots(b.index.layout.code_offset + b.graph.mean_code_bytes());
}

BlockNumber blocks_for(const SlotShape& shape, size_t slots) {
    return static_cast<BlockNumber>((slots + shape.per_page - 1) / shape.per_page);
}

bool share_chunks(const Duplicate& x, const Duplicate& y) {
    return x.node == y.node && x.fingerprint == y.fingerprint;
}

void place(Build& b, Placement& p) {
    const HnswLayout& layout = b.index.layout;
    size_t n = b.graph.size();
    page_order(b.graph, nodes_per_page(b), p.order, p.queue, p.placed);
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
    std::sort(b.duplicates.begin(), b.duplicates.end(), [](const Duplicate& x, const Duplicate& y) {
        if (x.node != y.node) return x.node < y.node;
        if (x.fingerprint != y.fingerprint) return x.fingerprint < y.fingerprint;
        return ItemPointerCompare(const_cast<ItemPointer>(&x.tid), const_cast<ItemPointer>(&y.tid)) < 0;
    });
    // Chunks of a node follow each other; the last one, with room, is the first of its chain.
    size_t chunks = 0;
    for (size_t i = 0; i < b.duplicates.size();) {
        size_t end = i;
        while (end < b.duplicates.size() && share_chunks(b.duplicates[end], b.duplicates[i])) end++;
        chunks += (end - i + kPostingCapacity - 1) / kPostingCapacity;
        p.posting[b.duplicates[i].node] = nth_slot(layout.postings, block, chunks - 1);
        i = end;
    }
}

void copy_row(const Placement& p, const uint32* row, SlotNumber* out) {
    for (uint32 i = 0; i < row[0]; i++) out[i] = p.numbers[row[1 + i]];
}

BlockNumber write_nodes(Build& b, const Placement& p) {
    const HnswLayout& layout = b.index.layout;
    PageWriter writer{b.index, layout.nodes};
    for (size_t i = 0; i < p.order.size(); i++) {
        uint32 id = p.order[i];
        auto* node = reinterpret_cast<HnswNode*>(writer.next(p.numbers[id], b.index.node_slots(b.graph.code(id))));
        node->tid = b.tids[id];
        node->flags = format::kSlotUsed;
        node->level = b.graph.levels[id];
        node->mark = mark_of(b.index, p.numbers[id]);
        node->generation = 1;
        node->upper = p.upper[id];
        node->posting = p.posting[id];
        memcpy(code_at(b.index, node), b.graph.code(id), b.graph.code_bytes(id));
        if (layout.links_inline) {
            const uint32* row = b.graph.row(id, 0);
            node->link_count = static_cast<uint16>(row[0]);
            copy_row(p, row, inline_links(b.index, node));
        } else {
            *inline_links(b.index, node) = nth_slot(layout.base_links, p.first[1], i);
        }
        if ((i & 0xFFF) == 0) pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(i));
    }
    return writer.finish();
}

BlockNumber write_rows(Build& b, const Placement& p, const SlotShape& shape, BlockNumber first, bool upper) {
    PageWriter writer{b.index, shape};
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
            links->count = static_cast<uint16>(row[0]);
            copy_row(p, row, reinterpret_cast<SlotNumber*>(links + 1));
        }
    }
    return writer.finish();
}

BlockNumber write_postings(Build& b, const Placement& p) {
    const SlotShape& shape = b.index.layout.postings;
    PageWriter writer{b.index, shape};
    size_t chunk = 0;
    HnswPosting* posting = nullptr;
    bool uniform = false;
    for (size_t i = 0; i < b.duplicates.size(); i++) {
        const Duplicate& d = b.duplicates[i];
        bool same_node = i > 0 && b.duplicates[i - 1].node == d.node;
        bool same_vector = same_node && share_chunks(b.duplicates[i - 1], d);
        if (!same_vector || posting->count == kPostingCapacity) {
            SlotNumber previous = same_node ? nth_slot(shape, p.first[3], chunk - 1) : kNoSlot;
            uniform = same_node ? uniform && same_vector : d.fingerprint != 0;
            posting = reinterpret_cast<HnswPosting*>(writer.next(nth_slot(shape, p.first[3], chunk++)));
            *posting = {p.numbers[d.node], previous, format::kSlotUsed, 0, uniform, 0};
            *fingerprint_of(posting) = d.fingerprint;
        }
        reinterpret_cast<HnswPostingEntry*>(posting + 1)[posting->count++] = {d.tid, 0};
    }
    return writer.finish();
}

void write_meta(Build& b) {
    Buffer buffer = ReadBuffer(b.index.rel, format::kHnswMetaBlock);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    *meta_of(BufferGetPage(buffer)) = b.index.meta;
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
}

void write_pages(Build& b) {
    set_phase(BuildPhase::writing, static_cast<int64>(b.graph.size()));
    Placement p{b.context};
    place(b, p);
    HnswMeta& meta = b.index.meta;
    meta.free_head[0] = write_nodes(b, p);
    if (!b.index.layout.links_inline) {
        meta.free_head[1] = write_rows(b, p, b.index.layout.base_links, p.first[1], false);
    }
    meta.free_head[2] = write_rows(b, p, b.index.layout.upper_links, p.first[2], true);
    meta.free_head[3] = write_postings(b, p);
    if (b.graph.entry != kNoNode) {
        meta.entry = p.numbers[b.graph.entry];
        meta.entry_level = b.graph.levels[b.graph.entry];
    }
    write_meta(b);
    if (RelationNeedsWAL(b.index.rel)) {
        log_newpage_range(b.index.rel, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(b.index.rel), true);
    }
}

void create_meta_page(Relation rel, ForkNumber fork, const HnswMeta& meta) {
    Buffer buffer = pg::extend_fork(rel, fork);
    {
        pg::CriticalSection critical;
        init_meta_page(BufferGetPage(buffer), meta);
        MarkBufferDirty(buffer);
        // The init fork of an unlogged index must survive a crash.
        if (fork == INIT_FORKNUM) log_newpage_buffer(buffer, true);
    }
    UnlockReleaseBuffer(buffer);
}

// ---- rows ------------------------------------------------------------------------------------------

struct Step {
    void operator()(size_t done) const {
        CHECK_FOR_INTERRUPTS();
        if ((done & 0xFF) == 0) pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(done));
    }
};

void finish_graph(Build& b) {
    set_phase(BuildPhase::building, static_cast<int64>(b.graph.size()));
    GraphBuilder<ArenaVec, ContextMemory, Step> builder{ContextMemory{b.context}, b.graph, Step{}};
    builder.build();
    write_pages(b);
}

// What the build holds now, and the links that the nodes will need.
bool memory_is_full(const Build& b) {
    size_t per_node = b.graph.node_bytes() + sizeof(ItemPointerData) + 8 * sizeof(uint32);
    size_t bytes = b.graph.size() * per_node + b.codes.bytes() + b.duplicates.bytes();
    return bytes > static_cast<size_t>(maintenance_work_mem) * 1024;
}

void load_row(Build& b, const index::VectorValue& value, ItemPointer tid) {
    uint8* code = b.graph.add_node();
    if (!b.index.codec->encode(value.elements, b.index.dim(), b.scratch.data(), code)) {
        b.graph.drop_last();
        return;
    }
    b.graph.trim_last();
    b.indexed++;
    auto added = static_cast<uint32>(b.graph.size() - 1);
    uint32 node = b.codes.find_or_add(b.graph, added);
    if (node == added) {
        b.tids.push_back(*tid);
    } else {
        b.graph.drop_last();
        b.duplicates.push_back({node, index::fingerprint(b.index.codec->element, value), *tid});
    }
    if (!memory_is_full(b)) return;
    ereport(NOTICE, errmsg("hnsw graph no longer fits into maintenance_work_mem after %.0f tuples", b.indexed),
            errdetail("Building will take significantly more time."),
            errhint("Increase maintenance_work_mem to speed up builds."));
    MemoryContext outer = MemoryContextSwitchTo(b.context);
    finish_graph(b);
    MemoryContextSwitchTo(outer);
    set_phase(BuildPhase::loading, 0);
    void* place = MemoryContextAlloc(b.context, sizeof(HnswInserter));
    b.inserter = new (place) HnswInserter(b.index, b.context);
}

void add_row(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state) {
    auto& b = *static_cast<Build*>(state);
    if (is_null[0]) return;
    MemoryContext outer = MemoryContextSwitchTo(b.row_context);
    index::VectorValue value = index::value_to_index(b.index.codec->element, values[0], b.index.dim());
    if (b.inserter == nullptr) {
        load_row(b, value, tid);
    } else if (b.index.codec->encode(value.elements, b.index.dim(), b.scratch.data(), b.row_code)) {
        b.inserter->insert(b.row_code, index::fingerprint(b.index.codec->element, value), tid);
        b.indexed++;
    }
    MemoryContextSwitchTo(outer);
    MemoryContextReset(b.row_context);
}

}  // namespace

IndexBuildResult* build(Relation heap, Relation rel, IndexInfo* info) {
    set_phase(BuildPhase::initializing, 0);
    HnswIndex index = describe_new_index(rel, read_options(rel));
    if (RelationGetNumberOfBlocks(rel) != 0) {
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
    }
    create_meta_page(rel, MAIN_FORKNUM, index.meta);

    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw build", ALLOCSET_DEFAULT_SIZES);
    MemoryContext outer = MemoryContextSwitchTo(context);
    GraphParameters parameters{index.dim(), index.m(), index.meta.ef_construction, index.codec};
    auto* b = new (palloc(sizeof(Build))) Build(index, context, parameters);
    b->row_context = AllocSetContextCreate(context, "hnsw build row", ALLOCSET_DEFAULT_SIZES);
    b->scratch.resize_uninitialized(codec::scratch_floats(*index.codec, index.dim()));
    b->row_code = static_cast<uint8*>(palloc(index.layout.code_bytes));

    set_phase(BuildPhase::loading, static_cast<int64>(heap->rd_rel->reltuples < 0 ? 0 : heap->rd_rel->reltuples));
    double heap_rows = table_index_build_scan(heap, rel, info, false, true, add_row, b, nullptr);
    if (b->inserter == nullptr) finish_graph(*b);

    auto* result = static_cast<IndexBuildResult*>(MemoryContextAlloc(outer, sizeof(IndexBuildResult)));
    result->heap_tuples = heap_rows;
    result->index_tuples = b->indexed;
    MemoryContextSwitchTo(outer);
    MemoryContextDelete(context);
    return result;
}

void build_empty(Relation rel) {
    create_meta_page(rel, INIT_FORKNUM, describe_new_index(rel, read_options(rel)).meta);
}

}  // namespace vext::hnsw
