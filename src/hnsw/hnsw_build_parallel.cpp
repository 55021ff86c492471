// Linking a graph by one process or several. The rows are loaded by then, so workers need no table, no snapshot and no
// WAL: they map one segment of shared memory, and compute. README.md, "Build".
#include <cstring>
#include <new>

#include "base/placer.h"
#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_build_graph.h"
#include "index/build_workers.h"
#include "pg/guards.h"
#include "pg/huge_pages.h"

namespace vext::hnsw {
namespace {

// What a worker is told.
struct SharedBuild {
    dsm_handle segment;  // holds the graph
    uint32 dim, m, ef_construction;
    codec::CodecId codec;
    codec::Element element;
    codec::Metric metric;
    uint32 n, batch_count;
    uint64 upper_words, code_bytes;
    bool with_bits;
    int parts;
    Barrier barrier;  // its phase is the phase of the build
};

// One participant, as GraphBuilder sees it.
struct BuildTeam {
    int part_count;
    bool reports;

    size_t parts() const { return static_cast<size_t>(part_count); }
    void step(size_t done) const {
        CHECK_FOR_INTERRUPTS();
        if (reports && done != kNoNode) {
            pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(done));
        }
    }
};

using Builder = GraphBuilder<ArenaVec, ContextMemory, BuildTeam>;

// Does its share of all phases. Others may come late, or never: the barrier waits for those who are attached.
void participate(Builder& builder, Barrier* barrier, int phase) {
    while (static_cast<uint32>(phase) < builder.phases()) {
        builder.work(static_cast<uint32>(phase));
        BarrierArriveAndWait(barrier, PG_WAIT_EXTENSION);
        phase++;
    }
    BarrierDetach(barrier);
}

MemoryGraph view_of(const SharedBuild& shared, dsm_segment* segment) {
    MemoryGraph graph{};
    graph.p = {shared.dim, shared.m, shared.ef_construction,
               codec::find(shared.codec, shared.element, shared.metric)};
    graph.n = shared.n;
    graph.code_bytes = shared.code_bytes;
    graph.set_strides(shared.with_bits);
    graph.batch_count = shared.batch_count;
    graph.upper_words = shared.upper_words;
    graph.place(Placer{static_cast<char*>(dsm_segment_address(segment))}, nullptr);
    return graph;
}

void link_in_parallel(Builder& builder, const SharedBuild& told, int workers) {
    void* memory;
    ParallelContext* context = index::prepare_workers("vext_hnsw_build_worker", workers, sizeof(SharedBuild), &memory);
    auto* shared = static_cast<SharedBuild*>(memory);
    *shared = told;
    BarrierInit(&shared->barrier, 0);
    int phase = BarrierAttach(&shared->barrier);
    index::launch_workers(context);
    participate(builder, &shared->barrier, phase);
    index::end_workers(context);
}

// Whether a segment for the graph can be had. If not, the memory of this process serves as well, if only this process.
bool has_room(const HnswIndex& index, size_t bytes) {
    if (index::has_shared_memory(bytes)) return true;
    ereport(NOTICE,
            errmsg("not enough shared memory to build index \"%s\" with parallel workers",
                   RelationGetRelationName(index.rel)),
            errdetail("The graph takes %zu kB.", bytes / 1024),
            errhint("Enlarge /dev/shm, which is small in containers unless told otherwise."));
    return false;
}

// Calls use(at, bytes) for one piece after another.
template <typename Use>
void in_pieces(size_t bytes, Use use) {
    constexpr size_t kPiece = size_t{64} << 20;
    for (size_t at = 0; at < bytes; at += kPiece) {
        CHECK_FOR_INTERRUPTS();
        use(at, std::min(kPiece, bytes - at));
    }
}

BufFile* to_file(BuildCodes& codes) {
    BufFile* file = BufFileCreateTemp(false);
    in_pieces(codes.bytes.size(), [&](size_t at, size_t bytes) { BufFileWrite(file, codes.bytes.data() + at, bytes); });
    codes.free();
    if (BufFileSeek(file, 0, 0, SEEK_SET) != 0) elog(ERROR, "could not rewind a temporary file");
    return file;
}

// Wide codes get one-bit codes beside them, where there is memory for both. Gives the bytes of all. Of the number of workers
// nothing may depend.
size_t measure(BuildRows& rows, MemoryGraph* graph) {
    auto measured = [&](bool with_bits) {
        graph->measure(rows.linked_parameters(), rows.levels.data(), rows.size(), rows.linked().bytes.size(), with_bits);
        return graph->place(Placer{nullptr}, nullptr);
    };
    size_t bytes = measured(rows.p.dim >= kWideCodes);
    if (graph->bits == 0 || bytes + rows.bytes_beside() <= static_cast<size_t>(maintenance_work_mem) * 1024) return bytes;
    return measured(false);
}

// Moves what was loaded to where it is linked: shared memory if there are to be workers. The codes stay where they are
// without, else they are copied, by way of a file when both places together exceed maintenance_work_mem.
BuiltGraph settle(const HnswIndex& index, BuildRows& rows, MemoryContext context, int workers) {
    BuiltGraph built{};
    MemoryGraph& graph = built.graph;
    BuildCodes& codes = rows.linked();
    size_t code_bytes = codes.bytes.size(), bytes = measure(rows, &graph);
    bool share = workers > 0 && graph.n > Builder::kAlone && has_room(index, bytes);
    BufFile* file = nullptr;
    if (share) {
        size_t all = bytes + code_bytes + rows.bytes_beside();
        if (all > static_cast<size_t>(maintenance_work_mem) * 1024) file = to_file(codes);
        built.shared = dsm_create(bytes, DSM_CREATE_NULL_IF_MAXSEGMENTS);
    }
    bool move = built.shared != nullptr || file != nullptr;
    uint8* codes_stay = move ? nullptr : codes.bytes.data();
    size_t placed = graph.place(Placer{nullptr}, codes_stay);
    void* memory = built.shared != nullptr ? dsm_segment_address(built.shared)
                                           : MemoryContextAllocHuge(context, placed + Placer::kAlignment);
    graph.place(Placer::aligned(memory), codes_stay);
    prefer_huge_pages(whole_huge_pages(graph.batches, placed));
    if (file != nullptr) {
        in_pieces(code_bytes, [&](size_t at, size_t n) { pg::read_exact(file, graph.codes + at, n); });
        BufFileClose(file);
    } else if (move) {
        in_pieces(code_bytes, [&](size_t at, size_t n) { memcpy(graph.codes + at, codes.bytes.data() + at, n); });
        codes.free();
    } else {
        std::span<char> pages = whole_huge_pages(codes_stay, code_bytes);
        in_pieces(pages.size(), [&](size_t at, size_t n) { make_huge_pages(pages.subspan(at, n)); });
    }
    std::copy_n(rows.levels.data(), graph.n, graph.levels);
    if (graph.codes_vary()) std::copy_n(rows.starts.data(), graph.n, graph.starts);
    graph.plan();
    return built;
}

}  // namespace

BuiltGraph link_graph(const HnswIndex& index, BuildRows& rows, MemoryContext context, int workers) {
    set_build_phase(BuildPhase::building, static_cast<int64>(rows.size()));
    BuiltGraph built = settle(index, rows, context, workers);
    const MemoryGraph& graph = built.graph;
    if (built.shared == nullptr) workers = 0;
    // Some parts for each participant, that one who is slow need not be waited for long.
    BuildTeam team{workers == 0 ? 1 : 4 * (workers + 1), true};
    auto* builder = new (palloc(sizeof(Builder))) Builder(ContextMemory{context}, graph, team);
    if (workers > 0) {
        SharedBuild told{};
        told.segment = dsm_segment_handle(built.shared);
        told.dim = graph.p.dim;
        told.m = graph.p.m;
        told.ef_construction = graph.p.ef_construction;
        told.codec = graph.p.codec->id;
        told.element = graph.p.codec->element;
        told.metric = graph.p.codec->metric;
        told.n = graph.n;
        told.batch_count = graph.batch_count;
        told.upper_words = graph.upper_words;
        told.code_bytes = graph.code_bytes;
        told.with_bits = graph.bits > 0;
        told.parts = team.part_count;
        link_in_parallel(*builder, told, workers);
    } else {
        for (uint32 phase = 0; phase < builder->phases(); phase++) builder->work(phase);
    }
    builder->connect(ContextMemory{context});
    return built;
}

}  // namespace vext::hnsw

// What a parallel worker runs; the server finds it by name.
extern "C" {
PGDLLEXPORT void vext_hnsw_build_worker(dsm_segment*, shm_toc* toc);

void vext_hnsw_build_worker(dsm_segment*, shm_toc* toc) {
    using namespace vext;
    using namespace vext::hnsw;
    auto* shared = static_cast<SharedBuild*>(index::begin_worker(toc));
    dsm_segment* segment = dsm_attach(shared->segment);
    if (segment == nullptr) elog(ERROR, "could not map the graph that is being built");
    {
        pg::ScratchContext scratch{"hnsw build worker"};
        MemoryGraph graph = view_of(*shared, segment);
        BuildTeam team{shared->parts, false};
        auto* builder = new (palloc(sizeof(Builder))) Builder(ContextMemory{scratch.context()}, graph, team);
        participate(*builder, &shared->barrier, BarrierAttach(&shared->barrier));
    }
    dsm_detach(segment);
}
}
