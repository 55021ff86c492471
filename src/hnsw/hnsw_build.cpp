// CREATE INDEX: rows are coded as they are read, the graph is built in memory over the codes, then the pages are
// written in one go. Rows that no longer fit into maintenance_work_mem are inserted into the pages.
#include <cmath>
#include <cstring>
#include <new>

#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_build_rest.h"
#include "hnsw/hnsw_calibrate.h"
#include "index/opclass.h"
#include "page/page_writer.h"
#include "pg/guards.h"

namespace vext::hnsw {

using format::HnswMeta;

namespace {

// Finds nodes by their code while rows are loaded: open addressing over node numbers.
class CodeTable {
public:
    explicit CodeTable(MemoryContext context) : slots_(context), other_(context) { slots_.resize(1024, kNoNode); }

    // The node whose code equals that of `node`, or `node` itself, which is then in the table.
    uint32 find_or_add(const BuildRows& rows, uint32 node) {
        if ((used_ + 1) * 2 > slots_.size()) grow(rows);
        uint32* slot = find(rows, node);
        if (*slot != kNoNode) return *slot;
        *slot = node;
        used_++;
        return node;
    }
    size_t bytes() const { return slots_.bytes() + other_.bytes(); }

private:
    uint32* find(const BuildRows& rows, uint32 node) {
        const uint8* code = rows.code(node);
        size_t mask = slots_.size() - 1, bytes = rows.code_size(node);
        size_t i = hash_bytes64(code, bytes) & mask;
        auto differs = [&](uint32 other) {
            return rows.code_size(other) != bytes || memcmp(rows.code(other), code, bytes) != 0;
        };
        while (slots_[i] != kNoNode && differs(slots_[i])) i = (i + 1) & mask;
        return &slots_[i];
    }
    void grow(const BuildRows& rows) {
        size_t wanted = slots_.size() * 2;
        std::swap(slots_, other_);
        slots_.clear();
        slots_.resize(wanted, kNoNode);
        for (uint32 node : other_) {
            if (node != kNoNode) *find(rows, node) = node;
        }
    }

    ArenaVec<uint32> slots_, other_;
    size_t used_ = 0;
};

struct Build {
    Build(const HnswIndex& described, MemoryContext memory, const GraphParameters& parameters)
        : index(described),
          context(memory),
          rows(memory, parameters, described.meta.attributes),
          table_memory(AllocSetContextCreate(memory, "hnsw build table", ALLOCSET_DEFAULT_SIZES)),
          codes(table_memory),
          scratch(memory),
          encoder(described.rel) {}

    HnswIndex index;
    MemoryContext context;
    MemoryContext row_context = nullptr;  // reset after each row
    int workers = 0;
    bool concurrent = false;
    BuildRows rows;
    MemoryContext table_memory;
    CodeTable codes;  // in it, and only needed while rows are loaded
    ArenaVec<float> scratch;
    index::AttributeEncoder encoder;
    RestOfBuild* rest = nullptr;  // once the graph is on pages
    uint8* row_code = nullptr;
    double expected = 0;  // rows, by the server's estimate
    double indexed = 0;
};

void create_meta_page(Relation rel, ForkNumber fork, const HnswMeta& meta) {
    page::create_first_page(rel, fork, [&](Page page) { page::init_meta_page(page, meta); });
}

// ---- rows ------------------------------------------------------------------------------------------

void finish_graph(Build& b) {
    MemoryContextDelete(b.table_memory);
    BuiltGraph built = link_graph(b.index, b.rows, b.context, b.workers);
    write_graph(b.index, built.graph, b.rows, b.context);
    if (built.shared != nullptr) dsm_detach(built.shared);
}

GraphParameters parameters_of(const HnswIndex& index) {
    return {index.dim(), index.m(), static_cast<uint32>(beam_of(index, index.meta.ef_construction)), index.codec};
}

// What a node takes, but for the table of codes.
size_t bytes_per_node(const GraphParameters& p, size_t code_size) {
    return MemoryGraph::node_bytes(p, code_size) + sizeof(ItemPointerData) + 8 * sizeof(uint32);
}

// What the build holds now, and what the graph will need.
bool memory_is_full(const Build& b) {
    size_t per_node = bytes_per_node(b.rows.p, b.rows.mean_code_size());
    size_t bytes = b.rows.size() * per_node + b.codes.bytes() + b.rows.duplicates.bytes() +
                   b.rows.node_attributes.bytes() + b.rows.duplicate_attributes.bytes();
    return bytes > static_cast<size_t>(maintenance_work_mem) * 1024 || b.rows.size() + 1 >= kMaxMemoryNodes;
}

void add_fine_code(Build& b, const index::VectorValue& value) {
    BuildCodes& fine = *b.rows.fine;
    if (!fine.codec.encode(value.elements, b.index.dim(), b.scratch.data(), fine.add())) b.rows.drop_fine();
}

void load_row(Build& b, const index::VectorValue& value, const NewRow& row) {
    uint8* code = b.rows.add_node();
    if (!b.index.codec->encode(value.elements, b.index.dim(), b.scratch.data(), code)) {
        b.rows.drop_last();
        return;
    }
    b.rows.trim_last();
    b.indexed++;
    auto added = static_cast<uint32>(b.rows.size() - 1);
    uint32 node = b.codes.find_or_add(b.rows, added);
    if (node == added) {
        if (b.rows.fine != nullptr) add_fine_code(b, value);
        b.rows.tids.push_back(row.tid);
        b.rows.push_attributes(b.rows.node_attributes, row.attributes);
    } else {
        b.rows.drop_last();
        b.rows.duplicates.push_back({node, row.fingerprint, row.tid, static_cast<uint32>(b.rows.duplicates.size())});
        b.rows.push_attributes(b.rows.duplicate_attributes, row.attributes);
    }
    if (!memory_is_full(b)) return;
    if (b.rows.fine != nullptr) return b.rows.drop_fine();
    ereport(NOTICE, errmsg("hnsw graph no longer fits into maintenance_work_mem after %.0f tuples", b.indexed),
            errdetail("Building will take significantly more time."),
            errhint("Increase maintenance_work_mem to speed up builds."));
    MemoryContext outer = MemoryContextSwitchTo(b.context);
    finish_graph(b);
    MemoryContextSwitchTo(outer);
    set_build_phase(BuildPhase::loading, static_cast<int64>(b.expected));
    void* place = MemoryContextAlloc(b.context, sizeof(RestOfBuild));
    b.rest = new (place) RestOfBuild(b.index, b.context, b.workers, b.concurrent);
}

void add_row(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state) {
    auto& b = *static_cast<Build*>(state);
    if (is_null[0]) return;
    MemoryContext outer = MemoryContextSwitchTo(b.row_context);
    index::VectorValue value = index::value_to_index(b.index.codec->element, values[0], b.index.dim());
    NewRow row{*tid, index::fingerprint(b.index.codec->element, value), b.encoder.encode(values, is_null)};
    if (b.rest == nullptr) {
        load_row(b, value, row);
    } else if (b.index.codec->encode(value.elements, b.index.dim(), b.scratch.data(), b.row_code)) {
        b.rest->add(b.row_code, row);
        b.indexed++;
    }
    MemoryContextSwitchTo(outer);
    MemoryContextReset(b.row_context);
    auto done = static_cast<int64>(b.indexed);
    if ((done & 0xFF) == 0) pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
}

// Where there are workers they log pages, too, between other pieces of a calibration.
void calibrate_and_log(const Build& b) {
    Relation rel = b.index.rel;
    bool logs = RelationNeedsWAL(rel), logged = false;
    if (settings.calibration_samples > 0) {
        logged = calibrate(b.index, {b.workers, b.concurrent, logs && b.workers > 0});
    }
    if (logs) log_newpage_range(rel, MAIN_FORKNUM, 0, logged ? 1 : RelationGetNumberOfBlocks(rel), true);
}

// Before the work, as the notice while it is done comes late. The number of rows is an estimate: only a clear case.
void foretell(const HnswIndex& index, double rows) {
    double needed = build_memory(index, rows) / 1024;
    if (needed < 1.1 * maintenance_work_mem) return;
    ereport(NOTICE, errmsg("hnsw graph of about %.0f rows needs %.0f MB, maintenance_work_mem is %d MB", rows,
                           std::ceil(needed / 1024), maintenance_work_mem / 1024),
            errdetail("Building will take significantly more time."),
            errhint("SET maintenance_work_mem = '%.0f MB', if the machine has that much to spare.",
                    std::ceil(1.1 * needed / 1024)));
}

}  // namespace

double build_memory(const HnswIndex& index, double rows) {
    constexpr double kTableEntry = 18;  // of the table of codes, as it grows: 12 to 24
    constexpr size_t kUsualSparseCode = 200;
    size_t code = index.codec->size == nullptr ? index.layout.code_bytes : kUsualSparseCode;
    return rows * (static_cast<double>(bytes_per_node(parameters_of(index), code)) + kTableEntry);
}

void set_build_phase(BuildPhase phase, int64 total) {
    const int what[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {static_cast<int64>(phase), total, 0};
    pgstat_progress_update_multi_param(3, what, values);
}

IndexBuildResult* build(Relation heap, Relation rel, IndexInfo* info) {
    set_build_phase(BuildPhase::initializing, 0);
    HnswIndex index = describe_new_index(rel, read_options(rel));
    if (RelationGetNumberOfBlocks(rel) != 0) {
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
    }
    create_meta_page(rel, MAIN_FORKNUM, index.meta);

    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw build", ALLOCSET_DEFAULT_SIZES);
    MemoryContext outer = MemoryContextSwitchTo(context);
    auto* b = new (palloc(sizeof(Build))) Build(index, context, parameters_of(index));
    b->index.logged = false;
    b->concurrent = info->ii_Concurrent;
    b->workers = pg::planned_build_workers(heap, rel, info);
    b->row_context = AllocSetContextCreate(context, "hnsw build row", ALLOCSET_DEFAULT_SIZES);
    const codec::Codec& fine = codec::query_codec(*index.codec);
    if (&fine != index.codec && index.dim() >= kWideCodes) {
        b->rows.fine = new (palloc(sizeof(BuildCodes))) BuildCodes(context, fine, index.dim());
    }
    b->scratch.resize_uninitialized(std::max(codec::scratch_floats(*index.codec, index.dim()),
                                             codec::scratch_floats(fine, index.dim())));
    b->row_code = static_cast<uint8*>(palloc(index.layout.code_bytes));

    BlockNumber pages;
    double visible;
    table_relation_estimate_size(heap, nullptr, &pages, &b->expected, &visible);
    if (info->ii_Predicate == NIL) foretell(index, b->expected);
    set_build_phase(BuildPhase::loading, static_cast<int64>(b->expected));
    double heap_rows = table_index_build_scan(heap, rel, info, false, true, add_row, b, nullptr);
    if (b->rest == nullptr) {
        finish_graph(*b);
    } else {
        b->rest->finish();
    }
    calibrate_and_log(*b);

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
