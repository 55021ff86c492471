// CREATE INDEX: a sample of the rows is clustered, every row is coded and assigned to the nearest centroid, and what
// tuplesort gives back by list is written in file order.
#include <cmath>
#include <cstring>
#include <new>

#include "index/opclass.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_kmeans.h"
#include "ivf/ivf_row.h"
#include "page/page_writer.h"
#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::ivf {

using page::blocks_for;
using page::nth_slot;

namespace {

constexpr double kSampleRows = 10000;
constexpr double kSampleRowsPerList = 50;
constexpr BlockNumber kMeanBlocks = 128;
constexpr uint32 kSeed = 0x69766601;
constexpr int64 kPercent = 100;

struct Build {
    Build(const IvfIndex& described, MemoryContext memory)
        : index(described), context(memory), samples(memory), centroids(memory), nearest(memory, index.space),
          counts(memory), lengths(memory), mean(memory), scratch(memory), code(memory), place(memory) {}

    IvfIndex index;
    ForkNumber fork = MAIN_FORKNUM;
    MemoryContext context;
    MemoryContext row_context = nullptr;  // reset after each row
    Relation heap = nullptr;
    IndexInfo* info = nullptr;

    // the mean, then the sample
    ArenaVec<uint8> samples;  // codes in the space of centroids
    size_t lists = 0;         // asked for
    size_t sample_target = 0, expected = 0, sampled = 0;
    double seen = 0;

    ArenaVec<uint8> centroids;  // codes
    Nearest<ArenaVec> nearest;
    ArenaVec<uint64> counts;   // rows of each list
    ArenaVec<double> lengths;  // under inner product: the sum of their lengths along the centroid

    Tuplesortstate* sort = nullptr;
    TupleTableSlot* slot = nullptr;
    bytea* sorted_code = nullptr;
    double indexed = 0;

    ArenaVec<double> mean;
    ArenaVec<float> scratch;
    ArenaVec<uint8> code, place;
};

void set_phase(BuildPhase phase, int64 total) { index::set_build_phase(static_cast<int>(phase), total); }

size_t memory_limit() { return static_cast<size_t>(maintenance_work_mem) * 1024; }

void check_memory(size_t bytes) {
    if (bytes <= memory_limit()) return;
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("memory required is %zu MB, maintenance_work_mem is %d MB", bytes / (1024 * 1024) + 1,
                   maintenance_work_mem / 1024));
}

struct KMeansStep {
    void operator()(double share) const {
        CHECK_FOR_INTERRUPTS();
        index::set_build_progress(static_cast<int64>(share * kPercent));
    }
};

using Clusters = KMeans<ArenaVec, ContextMemory, KMeansStep>;

// ---- the sample --------------------------------------------------------------------------------------

// Calls add(build, elements) for the rows of some blocks, drawn at random, in file order.
template <typename Add>
void scan_blocks(Build& b, BlockNumber wanted, Add add) {
    struct State {
        Build& b;
        Add& add;
    } state{b, add};
    auto callback = [](Relation, ItemPointer, Datum* values, bool* is_null, bool, void* arg) {
        auto& s = *static_cast<State*>(arg);
        if (is_null[0]) return;
        MemoryContext outer = MemoryContextSwitchTo(s.b.row_context);
        s.add(index::value_to_index(s.b.index.codec->element, values[0], s.b.index.dim()).elements);
        MemoryContextSwitchTo(outer);
        MemoryContextReset(s.b.row_context);
    };
    BlockSamplerData sampler;
    BlockNumber blocks = RelationGetNumberOfBlocks(b.heap);
    BlockSampler_Init(&sampler, blocks, static_cast<int>(std::min<BlockNumber>(wanted, INT_MAX)), kSeed);
    while (BlockSampler_HasMore(&sampler)) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BlockSampler_Next(&sampler);
        table_index_build_range_scan(b.heap, b.index.rel, b.info, false, true, false, block, 1, callback, &state,
                                     nullptr);
    }
}

// An offset that keeps codes fine where vectors lie far from the origin; how exact it is does not matter.
void find_mean(Build& b) {
    if (!b.index.space.dense()) return;
    b.mean.resize(b.index.dim(), 0);
    double rows = 0;
    scan_blocks(b, kMeanBlocks, [&](const void* elements) {
        if (!(b.index.space.frame(elements, b.scratch.data()) > 0)) return;
        for (uint32 i = 0; i < b.index.dim(); i++) b.mean[i] += std::clamp(b.scratch[i], -kBorder, kBorder);
        rows++;
    });
    auto* mean = static_cast<float*>(palloc(b.index.dim() * sizeof(float)));
    for (uint32 i = 0; i < b.index.dim(); i++) mean[i] = rows > 0 ? static_cast<float>(b.mean[i] / rows) : 0;
    b.index.space.mean = mean;
}

// What a sample of so many rows and clustering it take.
size_t sample_memory(const Build& b, size_t rows) {
    return rows * (b.index.space.stride() + sizeof(uint8*)) +
           Clusters::memory(b.index.space, rows, std::min(b.lists, rows));
}

// Vitter's algorithm R over the rows of the blocks.
void add_sample(Build& b, const void* elements) {
    size_t stride = b.index.space.stride();
    size_t at = b.sampled;
    if (at == b.sample_target) {
        at = static_cast<size_t>(unit_interval(mix64(static_cast<uint64>(b.seen) ^ kSeed)) * (b.seen + 1));
    }
    b.seen++;
    if (at >= b.sample_target) return;
    if (at == b.sampled) {
        b.sampled++;
        if (b.sampled * stride > memory_limit()) check_memory(sample_memory(b, b.expected));
        b.samples.resize_uninitialized(b.sampled * stride);
    }
    b.index.space.place(elements, b.scratch.data(), &b.samples[at * stride]);
}

double estimate_rows(Build& b) {
    BlockNumber pages;
    double rows, visible;
    estimate_rel_size(b.heap, nullptr, &pages, &rows, &visible);
    return rows;
}

void take_sample(Build& b, size_t lists, double rows) {
    b.lists = lists;
    b.sample_target = static_cast<size_t>(std::max(kSampleRowsPerList * static_cast<double>(lists), kSampleRows));
    b.expected = std::min(b.sample_target, static_cast<size_t>(std::max(rows, 1.0)));
    BlockNumber blocks = RelationGetNumberOfBlocks(b.heap);
    double per_block = std::max(rows / std::max<double>(blocks, 1), 1.0);
    double wanted = std::ceil(2 * static_cast<double>(b.sample_target) / per_block) + 100;
    scan_blocks(b, static_cast<BlockNumber>(std::min<double>(wanted, blocks)),
                [&](const void* elements) { add_sample(b, elements); });
}

// ---- clusters ----------------------------------------------------------------------------------------

size_t choose_lists(double rows, int option) {
    if (option > 0) return static_cast<size_t>(option);
    return static_cast<size_t>(std::clamp(std::round(std::sqrt(rows)), 1.0, static_cast<double>(kMaxLists)));
}

// Nothing to learn from: all rows are scanned, exactly, until a REINDEX.
void make_one_list(Build& b) {
    b.index.meta.lists = 1;
    std::fill(b.scratch.begin(), b.scratch.end(), 0.0f);
    b.centroids.resize(b.index.space.stride(), 0);
    b.index.space.encode(b.scratch.data(), b.centroids.data());
}

void find_centroids(Build& b, int option) {
    set_phase(BuildPhase::clustering, kPercent);
    find_mean(b);
    double rows = estimate_rows(b);
    size_t lists = choose_lists(rows, option);
    take_sample(b, lists, rows);
    size_t stride = b.index.space.stride();
    if (b.sampled < lists) {
        ereport(NOTICE, errmsg("ivfflat index created with little data"), errdetail("This will cause low recall."),
                errhint("Drop the index until the table has more data."));
    }
    if (b.sampled == 0) {
        make_one_list(b);
    } else {
        check_memory(sample_memory(b, b.sampled));
        ArenaVec<const uint8*> points{b.context};
        points.reserve(b.sampled);
        for (size_t i = 0; i < b.sampled; i++) points.push_back(&b.samples[i * stride]);
        Clusters clusters{ContextMemory{CurrentMemoryContext}, b.index.space, {}, {}};
        size_t found = std::min<size_t>(clusters.run(points.data(), b.sampled, lists), kMaxLists);
        b.centroids.resize_uninitialized(found * stride);
        memcpy(b.centroids.data(), clusters.code(0), found * stride);
        b.index.meta.lists = static_cast<uint32>(found);
    }
    b.samples = ArenaVec<uint8>{b.context};
}

// ---- assignment --------------------------------------------------------------------------------------

// Rows are sorted by list and, within it, by their place in the table, in one 64-bit number.
int64 sort_key(uint32 list, ItemPointer tid) {
    uint64 place =
        static_cast<uint64>(ItemPointerGetBlockNumberNoCheck(tid)) << 16 | ItemPointerGetOffsetNumberNoCheck(tid);
    return (static_cast<int64>(list) - kMaxLists) * (int64{1} << 48) + static_cast<int64>(place);
}
uint32 list_of(int64 key) { return static_cast<uint32>((key >> 48) + kMaxLists); }
ItemPointerData tid_of(int64 key) {
    ItemPointerData tid;
    ItemPointerSet(&tid, static_cast<BlockNumber>(key >> 16), static_cast<OffsetNumber>(key));
    return tid;
}

void begin_sort(Build& b, TupleTableSlot** read) {
    TupleDesc shape = CreateTemplateTupleDesc(2);
    TupleDescInitEntry(shape, 1, "key", INT8OID, -1, 0);
    TupleDescInitEntry(shape, 2, "code", BYTEAOID, -1, 0);
    AttrNumber columns[] = {1};
    Oid operators[] = {Int8LessOperator};
    Oid collations[] = {InvalidOid};
    bool nulls_first[] = {false};
    size_t kept = b.centroids.bytes() / 1024;
    int memory = std::max(maintenance_work_mem - static_cast<int>(kept), 64);
    b.sort =
        tuplesort_begin_heap(shape, 1, columns, operators, collations, nulls_first, memory, nullptr, TUPLESORT_NONE);
    b.slot = MakeSingleTupleTableSlot(shape, &TTSOpsVirtual);
    *read = MakeSingleTupleTableSlot(shape, &TTSOpsMinimalTuple);
    b.sorted_code = static_cast<bytea*>(palloc0(VARHDRSZ + b.index.codec->bytes(b.index.dim())));
    SET_VARSIZE(b.sorted_code, VARHDRSZ + b.index.codec->bytes(b.index.dim()));
}

void assign_row(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state) {
    auto& b = *static_cast<Build*>(state);
    if (is_null[0]) return;
    MemoryContext outer = MemoryContextSwitchTo(b.row_context);
    index::VectorValue value = index::value_to_index(b.index.codec->element, values[0], b.index.dim());
    auto* code = reinterpret_cast<uint8*>(VARDATA(b.sorted_code));
    if (b.index.codec->encode(value.elements, b.index.dim(), b.scratch.data(), code)) {
        double length = b.index.space.place(value.elements, b.scratch.data(), b.place.data());
        double cost;
        uint32 list = b.nearest.find(b.place.data(), &cost);
        b.counts[list]++;
        // |x - c|^2 = 2 - 2 <x, c> of vectors of length one
        b.lengths[list] += length * (1 - cost / 2);
        b.indexed++;
        ExecClearTuple(b.slot);
        b.slot->tts_values[0] = Int64GetDatum(sort_key(list, tid));
        b.slot->tts_values[1] = PointerGetDatum(b.sorted_code);
        b.slot->tts_isnull[0] = b.slot->tts_isnull[1] = false;
        ExecStoreVirtualTuple(b.slot);
        tuplesort_puttupleslot(b.sort, b.slot);
    }
    MemoryContextSwitchTo(outer);
    MemoryContextReset(b.row_context);
    if (static_cast<int64>(b.indexed) % 256 == 0) index::set_build_progress(static_cast<int64>(b.indexed));
}

// ---- pages -------------------------------------------------------------------------------------------

BlockNumber block_count(const Build& b) { return RelationGetNumberOfBlocksInFork(b.index.rel, b.fork); }

void write_mean(Build& b) {
    if (b.index.space.mean == nullptr) return;
    const SlotShape& shape = b.index.layout.mean;
    uint32 per_page = shape.slot_bytes / sizeof(float);
    b.index.meta.first_mean = block_count(b);
    page::PageWriter writer{b.index.rel, shape, b.fork};
    for (uint32 at = 0; at < b.index.dim(); at += per_page) {
        auto* out = writer.next(b.index.meta.first_mean + at / per_page);
        memcpy(out, b.index.space.mean + at, std::min(per_page, b.index.dim() - at) * sizeof(float));
    }
    writer.finish();
}

void write_centroids(Build& b) {
    const SlotShape& shape = b.index.layout.centroids;
    BlockNumber first = b.index.meta.first_centroid = block_count(b);
    page::PageWriter writer{b.index.rel, shape, b.fork};
    size_t stride = b.index.space.stride();
    for (uint32 i = 0; i < b.index.meta.lists; i++) {
        memcpy(writer.next(nth_slot(shape, first, i)), &b.centroids[i * stride], stride);
    }
    writer.finish();
}

float scale_of(const Build& b, uint32 list) {
    if (!b.index.inner_product() || b.counts[list] == 0) return 1;
    return static_cast<float>(b.lengths[list] / static_cast<double>(b.counts[list]));
}

// The slots of the lists, and their entries pages, all empty.
void write_lists(Build& b) {
    const SlotShape& shape = b.index.layout.lists;
    uint32 per_page = b.index.layout.entries_per_page();
    BlockNumber first = b.index.meta.first_list = block_count(b);
    BlockNumber next = first + blocks_for(shape, b.index.meta.lists);
    {
        page::PageWriter writer{b.index.rel, shape, b.fork};
        for (uint32 i = 0; i < b.index.meta.lists; i++) {
            auto* list = reinterpret_cast<IvfList*>(writer.next(nth_slot(shape, first, i)));
            auto pages = static_cast<BlockNumber>((b.counts[i] + per_page - 1) / per_page);
            b.index.space.position(&b.centroids[i * b.index.space.stride()], b.scratch.data());
            auto norm_sq = static_cast<float>(simd::active->norm_sq_f32(b.scratch.data(), b.index.dim()));
            bool none = pages == 0;
            *list = {none ? InvalidBlockNumber : next,
                     none ? InvalidBlockNumber : next + pages - 1,
                     InvalidBlockNumber,
                     pages,
                     norm_sq,
                     scale_of(b, i)};
            next += pages;
        }
        writer.finish();
    }
    page::PageWriter writer{b.index.rel, b.index.layout.entries};
    BlockNumber block = first + blocks_for(shape, b.index.meta.lists);
    for (uint32 i = 0; i < b.index.meta.lists; i++) {
        for (uint64 left = b.counts[i]; left > 0; left -= std::min<uint64>(left, per_page), block++) {
            auto* entries = reinterpret_cast<IvfEntries*>(writer.next(block));
            entries->list = i;
            entries->next = left > per_page ? block + 1 : InvalidBlockNumber;
        }
    }
    writer.finish();
}

// An entries page while it is filled: in memory, so that no lock is held meanwhile.
class EntriesFiller {
public:
    explicit EntriesFiller(const IvfIndex& index) : index_(index), page_(static_cast<Page>(palloc0(BLCKSZ))) {}

    Page open(BlockNumber block) {
        close();
        block_ = block;
        page::init_page(page_, index_.layout.entries);
        return page_;
    }
    // Writes the blocks; the header is on its page already.
    void close() {
        if (block_ == InvalidBlockNumber) return;
        pg::Pin pin{ReadBuffer(index_.rel, block_)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
        memcpy(block_at(index_, pin.page(), 0), block_at(index_, page_, 0),
               static_cast<size_t>(index_.layout.blocks_per_page) * index_.layout.block_bytes);
        MarkBufferDirty(pin.buffer());
        block_ = InvalidBlockNumber;
    }

private:
    const IvfIndex& index_;
    Page page_;
    BlockNumber block_ = InvalidBlockNumber;
};

// The last vectors page has room for inserts: the last list gets it.
void give_room(Build& b, BlockNumber roomy) {
    if (roomy == InvalidBlockNumber) return;
    Buffer buffer = ReadBuffer(b.index.rel, b.index.block_of_list(b.index.meta.lists - 1));
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    list_at(b.index, BufferGetPage(buffer), b.index.meta.lists - 1)->roomy = roomy;
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
}

// Rows come list by list: vectors pages are added as they fill, entries pages are there already.
void write_rows(Build& b, TupleTableSlot* read) {
    set_phase(BuildPhase::loading, static_cast<int64>(b.indexed));
    tuplesort_performsort(b.sort);
    const SlotShape& shape = b.index.layout.vectors;
    uint32 per_page = b.index.layout.entries_per_page();
    BlockNumber first = block_count(b);
    BlockNumber entries_block = b.index.meta.first_list + blocks_for(b.index.layout.lists, b.index.meta.lists) - 1;
    page::PageWriter writer{b.index.rel, shape};
    EntriesFiller filler{b.index};
    RowCoder coder{b.index};
    uint32 list = UINT32_MAX, at = 0;
    Page page = nullptr;
    for (size_t done = 0; tuplesort_gettupleslot(b.sort, true, false, read, nullptr); done++) {
        bool is_null;
        int64 key = DatumGetInt64(slot_getattr(read, 1, &is_null));
        // A short header may have been given to it, so it stands unaligned.
        const char* code = VARDATA_ANY(DatumGetPointer(slot_getattr(read, 2, &is_null)));
        if (list_of(key) != list) {
            list = list_of(key);
            coder.set_centroid(&b.centroids[list * b.index.space.stride()], scale_of(b, list));
            at = per_page;
        }
        SlotNumber number = nth_slot(shape, first, done);
        auto* vector = reinterpret_cast<IvfVector*>(writer.next(number));
        vector->tid = tid_of(key);
        vector->flags = 1;
        memcpy(b.code.data(), code, b.code.size());
        memcpy(code_of(vector), code, b.index.meta.code_bytes);
        if (at == per_page) {
            page = filler.open(++entries_block);
            at = 0;
        }
        coder.code_bits(b.code.data());
        coder.put(block_at(b.index, page, at / kBlockRows), at % kBlockRows, number);
        at++;
        if (done % 256 == 0) index::set_build_progress(static_cast<int64>(done));
    }
    filler.close();
    give_room(b, writer.finish());
    tuplesort_end(b.sort);
}

void write_meta(Build& b) {
    b.index.meta.rows = b.indexed;
    Buffer buffer = ReadBufferExtended(b.index.rel, b.fork, format::kIvfMetaBlock, RBM_NORMAL, nullptr);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    *meta_of(BufferGetPage(buffer)) = b.index.meta;
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
}

double assign_rows(Build& b, TupleTableSlot** read) {
    set_phase(BuildPhase::assigning, static_cast<int64>(std::max(estimate_rows(b), 0.0)));
    b.nearest.set(b.centroids.data(), b.index.meta.lists);
    b.counts.resize(b.index.meta.lists, 0);
    b.lengths.resize(b.index.meta.lists, 0);
    b.code.resize(b.index.codec->bytes(b.index.dim()));
    b.place.resize(b.index.space.stride());
    begin_sort(b, read);
    return table_index_build_scan(b.heap, b.index.rel, b.info, false, true, assign_row, &b, nullptr);
}

Build* new_build(Relation rel, const IvfOptions& options, MemoryContext context) {
    auto* b = new (palloc(sizeof(Build))) Build(describe_new_index(rel, options), context);
    b->row_context = AllocSetContextCreate(context, "ivfflat build row", ALLOCSET_DEFAULT_SIZES);
    b->scratch.resize(b->index.dim(), 0);
    return b;
}

void write_first_page(Build& b) {
    page::create_first_page(b.index.rel, b.fork, [&](Page page) { page::init_meta_page(page, b.index.meta); });
}

}  // namespace

IndexBuildResult* build(Relation heap, Relation rel, IndexInfo* info) {
    set_phase(BuildPhase::initializing, 0);
    if (RelationGetNumberOfBlocks(rel) != 0) {
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
    }
    auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
    pg::ScratchContext scratch{"ivfflat build"};
    IvfOptions options = read_options(rel);
    Build* b = new_build(rel, options, scratch.context());
    b->heap = heap;
    b->info = info;
    write_first_page(*b);
    find_centroids(*b, options.lists);
    TupleTableSlot* read;
    result->heap_tuples = assign_rows(*b, &read);
    write_mean(*b);
    write_centroids(*b);
    write_lists(*b);
    write_rows(*b, read);
    write_meta(*b);
    if (RelationNeedsWAL(rel)) log_newpage_range(rel, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(rel), true);
    result->index_tuples = b->indexed;
    return result;
}

void build_empty(Relation rel) {
    pg::ScratchContext scratch{"ivfflat build"};
    Build* b = new_build(rel, read_options(rel), scratch.context());
    b->fork = INIT_FORKNUM;
    write_first_page(*b);
    make_one_list(*b);
    b->counts.resize(1, 0);
    b->lengths.resize(1, 0);
    write_centroids(*b);
    write_lists(*b);
    write_meta(*b);
    log_newpage_range(rel, INIT_FORKNUM, 0, block_count(*b), true);
}

}  // namespace vext::ivf
