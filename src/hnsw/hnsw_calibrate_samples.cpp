#include "hnsw/hnsw_calibrate_samples.h"

#include <new>

#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"
#include "index/build_workers.h"

namespace vext::hnsw {
namespace {

// What all know.
struct SamplesTold {
    Oid index;
    bool concurrent, log;
    EntryPoint entry;
    BlockNumber blocks;
    uint32 samples, exact, participants;
    size_t code_bytes;
};
// The arrays follow.
struct SharedSamples : SamplesTold {
    index::CrewState crew;
};

struct SampleArrays {
    SlotNumber* nodes;
    uint32* truth;  // where the exact ones are in `nearest`; else kNone
    uint8* codes;
    NearestKeys* nearest;   // of the exact ones, then what each participant has found of it
    FoundBySamples* found;  // by each participant

    SampleArrays(const SamplesTold& s, void* behind) {
        Placer memory{static_cast<char*>(behind)};
        memory.next(nodes, s.samples);
        memory.next(truth, s.samples);
        memory.next(codes, s.samples * s.code_bytes);
        memory.next(nearest, size_t{s.participants + 1} * s.exact);
        memory.next(found, s.participants);
        bytes = memory.used();
    }
    size_t bytes;
};

constexpr uint32 kNone = UINT32_MAX;
constexpr size_t kArraysAt = (sizeof(SharedSamples) + Placer::kAlignment - 1) / Placer::kAlignment * Placer::kAlignment;

// The nodes seen by a search for a node that it must not find. Its neighbours lead to each other less well than if it
// had never been there, so what is measured is rather too low than too high.
class SeenWithout : public NodeSet<ArenaVec> {
public:
    explicit SeenWithout(MemoryContext context) : NodeSet(context) {}
    void hide(SlotNumber node) { hidden_ = node; }
    void reset(size_t expected) {
        NodeSet::reset(expected);
        if (hidden_ != format::kNoSlot) insert(hidden_);
    }

private:
    SlotNumber hidden_ = format::kNoSlot;
};

// One process.
class Participant {
public:
    enum Task : uint32 { compare, search };
    static_assert(NearestNodes<ArenaVec, ContextMemory>::kMostScored >= BLCKSZ / format::kGranule);

    Participant(const HnswIndex& index, SharedSamples* shared, uint32 self, MemoryContext context)
        : index_(index), shared_(*shared), arrays_(*shared, reinterpret_cast<char*>(shared) + kArraysAt),
          samples_(context), strategy_(GetAccessStrategy(BAS_BULKREAD)), store_(index, context), pool_(context),
          seen_(context), found_(arrays_.found[self]) {
        for (uint32 i = 0; i < shared->samples; i++) {
            samples_.push_back({arrays_.nodes[i], arrays_.codes + i * shared->code_bytes, arrays_.truth[i] != kNone});
        }
        NearestKeys* nearest = arrays_.nearest + size_t{self + 1} * shared->exact;
        nearest_ = new (MemoryContextAlloc(context, sizeof(Nearest)))
            Nearest(ContextMemory{context}, *index.codec, index.dim(), samples_.span(), nearest);
    }

    static uint32 pieces(const SamplesTold& s, Task task) {
        return task == search ? (s.samples + kSamples - 1) / kSamples : ranges(s) * (s.log ? 2 : 1);
    }
    static void work(void* self, uint32 task, uint32 piece) {
        auto& p = *static_cast<Participant*>(self);
        if (task == search) {
            p.search_some(piece * kSamples, std::min(p.shared_.samples, (piece + 1) * kSamples));
        } else if (uint32 n = ranges(p.shared_); piece < n) {
            p.compare_with(first_of(piece), std::min(first_of(piece + 1), p.shared_.blocks));
        } else {
            log_newpage_range(p.index_.rel, MAIN_FORKNUM, first_of(piece - n),
                              std::min(first_of(piece - n + 1), p.shared_.blocks), true);
        }
    }

private:
    using Nearest = NearestNodes<ArenaVec, ContextMemory>;

    static constexpr uint32 kSamples = 16;
    static constexpr BlockNumber kBlocks = 512;

    static uint32 ranges(const SamplesTold& s) { return (s.blocks - first_of(0) + kBlocks - 1) / kBlocks; }
    static BlockNumber first_of(uint32 range) { return format::kHnswMetaBlock + 1 + range * kBlocks; }

    void compare_with(BlockNumber first, BlockNumber end) {
        each_page(index_, first, end, strategy_, [&](Page page, const uint32* live, size_t n, BlockNumber block) {
            const uint8* codes[Nearest::kMostScored];
            SlotNumber numbers[Nearest::kMostScored];
            for (size_t i = 0; i < n; i++) {
                codes[i] = code_at(index_, node_at(index_, page, live[i]));
                numbers[i] = index_.layout.nodes.number(block, live[i]);
            }
            if (!nearest_->gathers()) {
                nearest_->score(codes, numbers, n);
            } else {
                for (size_t i = 0; i < n; i++) nearest_->gather(codes[i], numbers[i]);
            }
        });
        nearest_->compare_gathered();
    }

    // The nearest that a search has found at each width.
    struct Course {
        codec::Key nearest[format::kCalibrationSteps][kCalibratedRows];
        size_t known[format::kCalibrationSteps];

        void count(codec::Key farthest, size_t of, FoundCounts* found) const {
            for (int step = 0; step < format::kCalibrationSteps; step++) {
                const codec::Key *keys = nearest[step], *end = keys + known[step];
                found->found[step] += static_cast<uint64>(std::upper_bound(keys, end, farthest) - keys);
            }
            found->all += of;
        }
    };

    void search_some(uint32 from, uint32 to) {
        for (uint32 i = from; i < to; i++) {
            CHECK_FOR_INTERRUPTS();
            const NearestKeys* truth = samples_[i].exact ? &arrays_.nearest[arrays_.truth[i]] : nullptr;
            run(samples_[i], truth);
            size_t known = course_.known[kReference];
            if (known == 0) continue;
            if (truth == nullptr) count_growth(samples_[i]);
            codec::Key farthest = course_.nearest[kReference][known - 1];
            course_.count(farthest, known, &found_.reference);
            if (truth == nullptr || truth->known == 0) continue;
            course_.count(farthest, known, &found_.reference_of_exact);
            course_.count(truth->farthest(), truth->known, &found_.exact);
        }
    }

    void count_growth(const Sample& s) {
        const codec::Codec& codec = *index_.codec;
        if (pool_.size() < GrowthCounts::kFar) return;
        double length = grows_as_power(codec.metric) ? 1 : store_.query_length(s.code, codec);
        found_.growth.count(codec.metric, pool_[GrowthCounts::kNear - 1].key, pool_[GrowthCounts::kFar - 1].key, length);
    }

    // A beam that grows step by step is at each step what a search of that ef would be.
    void run(const Sample& s, const NearestKeys* truth) {
        size_t rest = kWidths[truth != nullptr ? format::kCalibrationSteps - 1 : kReference] - kWidths[0];
        store_.set_query(s.code, *index_.codec);
        seen_.hide(s.node);
        search_from_top(store_, shared_.entry.node, shared_.entry.level, kWidths[0], rest, pool_, seen_);
        bool all = false;
        for (int step = 0; step < format::kCalibrationSteps; step++) {
            if (step > 0 && !all && (truth != nullptr || step <= kReference)) {
                pool_.widen(kWidths[step]);
                search_layer(store_, 0, pool_, seen_);
            }
            size_t n = std::min(kCalibratedRows, pool_.size());
            for (size_t i = 0; i < n; i++) course_.nearest[step][i] = pool_[i].key;
            course_.known[step] = n;
            all = truth != nullptr && n > 0 && n == truth->known && !(truth->farthest() < pool_[n - 1].key);
        }
    }

    const HnswIndex& index_;
    const SamplesTold& shared_;
    SampleArrays arrays_;
    ArenaVec<Sample> samples_;
    BufferAccessStrategy strategy_;
    HnswStore store_;
    Pool<ArenaVec> pool_;
    SeenWithout seen_;
    FoundBySamples& found_;
    Nearest* nearest_;
    Course course_;
};

SharedSamples* share(const HnswIndex& index, std::span<const Sample> samples, const SamplesTold& told,
                     void* memory) {
    auto* shared = new (memory) SharedSamples{told, {}};
    SampleArrays arrays{told, static_cast<char*>(memory) + kArraysAt};
    uint32 exact = 0;
    for (size_t i = 0; i < samples.size(); i++) {
        arrays.nodes[i] = samples[i].node;
        arrays.truth[i] = samples[i].exact ? exact++ : kNone;
        memcpy(arrays.codes + i * told.code_bytes, samples[i].code, index.code_size(samples[i].code));
    }
    index::Crew::start(&shared->crew);
    return shared;
}

}  // namespace

FoundBySamples search_samples(const HnswIndex& index, const EntryPoint& entry, std::span<const Sample> samples,
                              BlockNumber blocks, const CalibrationHelp& help) {
    SamplesTold told{};
    told.index = RelationGetRelid(index.rel);
    told.concurrent = help.concurrent;
    told.log = help.log;
    told.entry = entry;
    told.blocks = blocks;
    told.samples = static_cast<uint32>(samples.size());
    for (const Sample& s : samples) told.exact += s.exact;
    told.participants = static_cast<uint32>(help.workers) + 1;
    told.code_bytes = MAXALIGN(index.layout.code_bytes);
    size_t bytes = kArraysAt + SampleArrays{told, nullptr}.bytes;
    ParallelContext* workers = nullptr;
    void* memory;
    if (help.workers > 0 && index::has_shared_memory(bytes)) {
        workers = index::prepare_workers("vext_hnsw_calibrate_worker", help.workers, bytes, &memory);
    } else {
        memory = MemoryContextAllocExtended(CurrentMemoryContext, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
    }
    SharedSamples* shared = share(index, samples, told, memory);
    if (workers != nullptr) index::launch_workers(workers, index::WhenFewer::work_on);

    void* place = palloc(sizeof(Participant));
    auto* self = new (place) Participant(index, shared, 0, CurrentMemoryContext);
    index::Crew crew{workers != nullptr ? &shared->crew : nullptr, Participant::work, self};
    SampleArrays arrays{told, static_cast<char*>(memory) + kArraysAt};
    crew.run(Participant::compare, Participant::pieces(told, Participant::compare));
    for (size_t i = told.exact; i < size_t{told.participants + 1} * told.exact; i++) {
        arrays.nearest[i % told.exact].offer_all(arrays.nearest[i]);
    }
    crew.run(Participant::search, Participant::pieces(told, Participant::search));
    crew.dismiss();
    FoundBySamples all{};
    for (const FoundBySamples& found : std::span{arrays.found, told.participants}) {
        all.exact.add(found.exact);
        all.reference_of_exact.add(found.reference_of_exact);
        all.reference.add(found.reference);
        all.growth.add(found.growth);
    }
    if (workers != nullptr) index::end_workers(workers);
    return all;
}

}  // namespace vext::hnsw

// What a parallel worker runs; the server finds it by name.
extern "C" {
PGDLLEXPORT void vext_hnsw_calibrate_worker(dsm_segment*, shm_toc* toc);

void vext_hnsw_calibrate_worker(dsm_segment*, shm_toc* toc) {
    using namespace vext;
    using namespace vext::hnsw;
    auto* shared = static_cast<SharedSamples*>(index::begin_worker(toc));
    index::with_built_index(shared->index, shared->concurrent, [&](Relation rel) {
        pg::ScratchContext scratch{"hnsw calibration worker"};
        auto* index = new (palloc(sizeof(HnswIndex))) HnswIndex(open_index(rel));
        auto self = static_cast<uint32>(ParallelWorkerNumber) + 1;
        auto* participant = new (palloc(sizeof(Participant))) Participant(*index, shared, self, scratch.context());
        index::Crew{&shared->crew, Participant::work, participant}.serve();
    });
}
}
