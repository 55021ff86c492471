// CREATE INDEX: the leader goes through the phases, workers do pieces of them. README.md, "Build".
#include "ivf/ivf_build.h"

#include <cmath>
#include <cstring>
#include <new>

#include "ivf/ivf_calibrate.h"
#include "pg/guards.h"

namespace vext::ivf {
namespace {

constexpr double kSampleRows = 10000;
constexpr double kSampleRowsPerList = 50;
constexpr int64 kPercent = 100;

// One process of a build and its place in the crew.
class Participant {
public:
    explicit Participant(Build& b)
        : b_(b), crew_(b.parallel() ? &b.shared->crew : nullptr, do_piece, this),
          clusters_(ContextMemory{b.context}, b.index.space, {}, b.arrays.kmeans) {}

    index::Crew& crew() { return crew_; }
    Clusters& clusters() { return clusters_; }

    // As KMeans sees its team.
    void run(KMeansTask task, size_t pieces) { crew_.run(static_cast<uint32>(task), static_cast<uint32>(pieces)); }
    void progress(double share) { index::set_build_progress(static_cast<int64>(share * kPercent)); }
    void check() { CHECK_FOR_INTERRUPTS(); }

private:
    static void do_piece(void* self, uint32 task, uint32 piece) {
        auto& p = *static_cast<Participant*>(self);
        if (task < static_cast<uint32>(BuildTask::scan)) {
            p.clusters_.work(static_cast<KMeansTask>(task), piece, p);
            return;
        }
        pg::ScratchContext scratch{"ivfflat build piece"};
        if (task == static_cast<uint32>(BuildTask::scan)) {
            scan_piece(p.b_, piece);
        } else {
            write_partition(p.b_, piece);
        }
    }

    Build& b_;
    index::Crew crew_;
    Clusters clusters_;
};

size_t choose_lists(double rows, int option) {
    if (option > 0) return static_cast<size_t>(option);
    return static_cast<size_t>(std::clamp(std::round(std::sqrt(rows)), 1.0, static_cast<double>(kMaxLists)));
}

constexpr size_t kHeaderBytes = (sizeof(SharedBuild) + 63) / 64 * 64;

size_t shared_bytes(const Space& space, const BuildSizes& sizes) {
    BuildArrays arrays{};
    Placer placer{nullptr};
    arrays.place(placer, sizes, space);
    return kHeaderBytes + placer.used() + 64;
}

// What depends on the number of rows and lists.
BuildSizes sizes_for(double rows, size_t lists) {
    BuildSizes sizes{};
    double target = std::max(kSampleRowsPerList * static_cast<double>(lists), kSampleRows);
    sizes.scanners = 1;
    sizes.capacity = static_cast<uint32>(std::min(target, 1.1 * rows + 100));
    sizes.most_lists = static_cast<uint32>(std::min<size_t>(lists, sizes.capacity));
    return sizes;
}

// The arrays begin at a multiple of 64, wherever the header is.
void map(Build& b, void* memory) {
    b.shared = static_cast<SharedBuild*>(memory);
    auto at = (reinterpret_cast<uintptr_t>(memory) + kHeaderBytes + 63) / 64 * 64;
    Placer placer{reinterpret_cast<char*>(at)};
    b.arrays.place(placer, b.shared->sizes, b.index.space);
}

// The leader's: memory for all, and workers, who do not run yet.
struct Hall {
    ParallelContext* workers = nullptr;
    Snapshot snapshot = SnapshotAny;
};

bool has_room(const Build& b, size_t bytes) {
    if (index::has_shared_memory(bytes)) return true;
    ereport(NOTICE,
            errmsg("not enough shared memory to build index \"%s\" with parallel workers",
                   RelationGetRelationName(b.index.rel)),
            errdetail("The sample takes %zu kB.", bytes / 1024),
            errhint("Enlarge /dev/shm, which is small in containers unless told otherwise."));
    return false;
}

Hall open_hall(Build& b, BuildSizes sizes, int workers) {
    size_t bytes = shared_bytes(b.index.space, sizes);
    if (workers > 0 && !has_room(b, bytes)) workers = 0;
    Hall hall;
    if (workers > 0) {
        if (sizes.concurrent) hall.snapshot = RegisterSnapshot(GetTransactionSnapshot());
        sizes.scanners = static_cast<uint32>(workers) + 1;
        sizes.scan_bytes = table_parallelscan_estimate(b.heap, hall.snapshot);
        sizes.store_bytes = MAXALIGN(sts_estimate(static_cast<int>(sizes.scanners)));
        bytes = shared_bytes(b.index.space, sizes);
    }
    size_t needed = bytes + bytes_to_group(b.index.space, sizes.most_lists);
    if (needed > static_cast<size_t>(maintenance_work_mem) * 1024) report_memory_required(needed);
    void* memory;
    if (workers > 0) {
        hall.workers = index::prepare_workers("vext_ivf_build_worker", workers, bytes, &memory);
    } else {
        memory = MemoryContextAllocExtended(b.context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
    }
    auto* shared = new (memory) SharedBuild{};
    shared->sizes = sizes;
    shared->sort_memory = (maintenance_work_mem - static_cast<int>(bytes / 1024)) / static_cast<int>(sizes.scanners);
    map(b, memory);
    if (hall.workers != nullptr) {
        index::Crew::start(&shared->crew);
        SharedFileSetInit(&shared->files, hall.workers->seg);
        table_parallelscan_initialize(b.heap, reinterpret_cast<ParallelTableScanDesc>(b.arrays.scan), hall.snapshot);
    }
    return hall;
}

// Nothing to learn from: all rows are scanned, exactly, until a REINDEX.
void make_one_list(Build& b) {
    b.shared->lists = 1;
    std::fill(b.scratch.begin(), b.scratch.end(), 0.0f);
    b.index.space.encode(b.scratch.data(), b.arrays.kmeans.codes);
    b.arrays.scales[0] = 1;
}

// Under inner product: the mean length of a list's rows along its centroid, by the sample.
void find_scales(Build& b) {
    SharedBuild& s = *b.shared;
    const KMeansArrays& k = b.arrays.kmeans;
    if (!b.index.inner_product()) {
        std::fill(b.arrays.scales, b.arrays.scales + s.lists, 1.0f);
        return;
    }
    auto* sums = static_cast<double*>(palloc0((s.lists + 1) * sizeof(double)));
    auto* counts = static_cast<uint32*>(palloc0((s.lists + 1) * sizeof(uint32)));
    for (uint32 i = 0; i < s.sampled; i++) {
        // |x - c|^2 = 2 - 2 <x, c> of vectors of length one
        double along = static_cast<double>(b.arrays.lengths[i]) * (1 - static_cast<double>(k.distance[i]) / 2);
        uint32 list = std::min(k.assigned[i], s.lists - 1);
        for (uint32 at : {list, s.lists}) {
            sums[at] += along;
            counts[at]++;
        }
    }
    for (uint32 i = 0; i < s.lists; i++) {
        uint32 at = counts[i] > 0 ? i : s.lists;
        b.arrays.scales[i] = static_cast<float>(sums[at] / counts[at]);
    }
    pfree(sums);
    pfree(counts);
}

void find_centroids(Build& b, Participant& leader, size_t lists) {
    if (b.shared->sampled < lists) {
        ereport(NOTICE, errmsg("ivfflat index created with little data"), errdetail("This will cause low recall."),
                errhint("Drop the index until the table has more data."));
    }
    if (b.shared->sampled == 0) {
        make_one_list(b);
    } else {
        b.shared->lists = static_cast<uint32>(leader.clusters().run(leader, lists));
        group_lists(b);
        find_scales(b);
    }
    b.arrays.kmeans.table.set(b.index.space, b.arrays.kmeans.codes, b.shared->lists);
}

// What a process needs once the sample is there.
void settle(Build& b) {
    b.arrays.kmeans.n = b.shared->sampled;
    b.arrays.kmeans.table.codes = b.arrays.kmeans.codes;
    if (b.index.space.dense()) b.index.space.mean = b.arrays.mean;
}

void build_index(Build& b, int lists_option, int workers, IndexBuildResult* result) {
    set_phase(BuildPhase::clustering, kPercent);
    auto* mean = static_cast<float*>(palloc(b.index.dim() * sizeof(float)));
    double rows = measure_table(b, mean);
    size_t lists = choose_lists(rows, lists_option);
    BuildSizes sizes = sizes_for(rows, lists);
    sizes.heap = RelationGetRelid(b.heap);
    sizes.index = RelationGetRelid(b.index.rel);
    sizes.concurrent = b.info->ii_Concurrent;
    sizes.logged = RelationNeedsWAL(b.index.rel);
    Hall hall = open_hall(b, sizes, workers);
    memcpy(b.arrays.mean, mean, b.index.dim() * sizeof(float));
    if (b.index.space.dense()) b.index.space.mean = b.arrays.mean;
    take_sample(b, rows);
    settle(b);
    auto* leader = new (palloc(sizeof(Participant))) Participant(b);
    if (hall.workers != nullptr) index::launch_workers(hall.workers);
    find_centroids(b, *leader, lists);

    set_phase(BuildPhase::assigning, static_cast<int64>(rows));
    choose_partitions(b);
    begin_partitions(b);
    leader->crew().run(static_cast<uint32>(BuildTask::scan), b.shared->sizes.scanners);
    for (uint32 i = 0; i < b.shared->sizes.scanners; i++) result->heap_tuples += b.arrays.heap_rows[i];
    if (b.shared->broken_hot_chain.load()) b.info->ii_BrokenHotChain = true;

    set_phase(BuildPhase::loading, static_cast<int64>(b.shared->rows_done.load()));
    b.shared->rows_done.store(0);
    write_frame(b, MAIN_FORKNUM);
    result->index_tuples = b.index.meta.rows;
    leader->crew().run(static_cast<uint32>(BuildTask::write), b.shared->partitions);
    leader->crew().dismiss();
    if (hall.workers != nullptr) index::end_workers(hall.workers);
    if (hall.snapshot != SnapshotAny) UnregisterSnapshot(hall.snapshot);
}

}  // namespace

double build_memory(const IvfIndex& index, double rows, int lists_option) {
    BuildSizes sizes = sizes_for(rows, choose_lists(rows, lists_option));
    return static_cast<double>(shared_bytes(index.space, sizes) + bytes_to_group(index.space, sizes.most_lists));
}

void set_phase(BuildPhase phase, int64 total) { index::set_build_phase(static_cast<int>(phase), total); }

void report_memory_required(size_t bytes) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("memory required is %zu MB, maintenance_work_mem is %d MB", bytes / (1024 * 1024) + 1,
                   maintenance_work_mem / 1024),
            errhint("SET maintenance_work_mem = '%zu MB', or use fewer lists.", bytes / (1024 * 1024) + 1));
}

IndexBuildResult* build(Relation heap, Relation rel, IndexInfo* info) {
    set_phase(BuildPhase::initializing, 0);
    if (RelationGetNumberOfBlocks(rel) != 0) {
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
    }
    auto* result = static_cast<IndexBuildResult*>(palloc0(sizeof(IndexBuildResult)));
    {
        pg::ScratchContext scratch{"ivfflat build"};
        auto* b = new (palloc(sizeof(Build))) Build(rel, scratch.context());
        b->heap = heap;
        b->info = info;
        b->leader = true;
        build_index(*b, read_options(rel).lists, pg::planned_build_workers(heap, rel, info), result);
    }
    if (settings.calibration_samples > 0) calibrate(open_index(rel), 0);
    return result;
}

void build_empty(Relation rel) {
    pg::ScratchContext scratch{"ivfflat build"};
    auto* b = new (palloc(sizeof(Build))) Build(rel, scratch.context());
    BuildSizes sizes{};
    sizes.scanners = sizes.capacity = sizes.most_lists = 1;
    open_hall(*b, sizes, 0);
    settle(*b);
    make_one_list(*b);
    choose_partitions(*b);
    write_frame(*b, INIT_FORKNUM);
    log_newpage_range(rel, INIT_FORKNUM, 0, RelationGetNumberOfBlocksInFork(rel, INIT_FORKNUM), true);
}

}  // namespace vext::ivf

// What a parallel worker runs; the server finds it by name.
extern "C" {
PGDLLEXPORT void vext_ivf_build_worker(dsm_segment* segment, shm_toc* toc);

void vext_ivf_build_worker(dsm_segment* segment, shm_toc* toc) {
    using namespace vext;
    using namespace vext::ivf;
    void* memory = index::begin_worker(toc);
    auto* shared = static_cast<SharedBuild*>(memory);
    // The modes that CREATE INDEX holds itself, as the workers of a btree build do.
    const BuildSizes& sizes = shared->sizes;
    LOCKMODE heap_mode = sizes.concurrent ? ShareUpdateExclusiveLock : ShareLock;
    LOCKMODE index_mode = sizes.concurrent ? RowExclusiveLock : AccessExclusiveLock;
    Relation heap = table_open(sizes.heap, heap_mode), rel = index_open(sizes.index, index_mode);
    SharedFileSetAttach(&shared->files, segment);
    {
        pg::ScratchContext scratch{"ivfflat build worker"};
        auto* b = new (palloc(sizeof(Build))) Build(rel, scratch.context());
        b->heap = heap;
        b->info = BuildIndexInfo(rel);
        b->info->ii_Concurrent = sizes.concurrent;
        map(*b, memory);
        settle(*b);
        auto* worker = new (palloc(sizeof(Participant))) Participant(*b);
        worker->crew().serve();
    }
    index_close(rel, index_mode);
    table_close(heap, heap_mode);
}
}
