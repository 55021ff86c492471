// The parts of CREATE INDEX: a sample of the rows is clustered; every row is coded and assigned to the nearest centroid,
// into partitions of neighbouring lists; partition by partition rows are sorted and written to pages. All but the
// sample is done in pieces, by the leader and its parallel workers.
#pragma once

#include "pg/postgres.h"

#include "index/build_workers.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_kmeans.h"
#include "pg/arena.h"

namespace vext::ivf {

inline constexpr uint32 kMostPartitions = 32;
inline constexpr uint32 kBuildSeed = 0x69766601;

// Kinds of pieces: those of k-means, and
enum class BuildTask : uint32 { scan = 16, write };

// What does not change while a build goes on.
struct BuildSizes {
    Oid heap, index;
    bool concurrent, logged;
    uint32 scanners;  // pieces of the table scan
    uint32 capacity;  // of the sample
    uint32 most_lists;
    size_t scan_bytes;  // of the parallel scan; 0: there are no workers
    size_t store_bytes;
};

// What a build knows, in memory that all its processes see. The arrays of BuildArrays follow.
struct SharedBuild {
    BuildSizes sizes;
    uint32 sampled, lists, partitions;
    uint32 groups, group_blocks;  // of lists; of 1-bit codes that they have
    int sort_memory;  // kB, of one process
    std::atomic<uint64> rows_done;
    std::atomic<bool> broken_hot_chain;
    index::CrewState crew;
    SharedFileSet files;
};

struct BuildArrays {
    float* mean;
    uint8* points;                  // the sample: codes in the space of centroids
    float* lengths;                 // of its vectors, under inner product
    float* scales;                  // of the lists
    std::atomic<uint64>* counts;    // rows of the lists
    uint32* partition_ends;         // in lists
    double* heap_rows;              // by piece of the scan
    char* scan;                     // ParallelTableScanDescData
    char* stores;                   // SharedTuplestore, by partition
    KMeansArrays kmeans;

    void place(Placer& memory, const BuildSizes& sizes, const Space& space) {
        memory.next(mean, space.dim);
        memory.next(points, sizes.capacity * space.stride());
        memory.next(lengths, sizes.capacity);
        memory.next(scales, sizes.most_lists);
        memory.next(counts, sizes.most_lists);
        memory.next(partition_ends, kMostPartitions);
        memory.next(heap_rows, sizes.scanners);
        memory.next(scan, sizes.scan_bytes);
        memory.next(stores, kMostPartitions * sizes.store_bytes);
        bool two_levels = sizes.most_lists >= KMeansOptions{}.two_levels;
        kmeans.place(memory, space, sizes.capacity, sizes.most_lists, two_levels);
        kmeans.points = points;
    }
};

// One process of a build.
struct Build {
    Build(Relation index_rel, MemoryContext memory)
        : index(describe_new_index(index_rel, read_options(index_rel))), context(memory), scratch(memory) {
        row_context = AllocSetContextCreate(memory, "ivfflat build row", ALLOCSET_DEFAULT_SIZES);
        scratch.resize(index.dim(), 0);
    }

    IvfIndex index;
    MemoryContext context;
    MemoryContext row_context = nullptr;  // reset after each row
    Relation heap = nullptr;
    IndexInfo* info = nullptr;
    bool leader = false;
    SharedBuild* shared = nullptr;
    BuildArrays arrays{};
    ArenaVec<float> scratch;
    uint8* group_centres = nullptr;  // codes; the leader's
    uint32* group_ends = nullptr;    // in lists
    Tuplesortstate** sorts = nullptr;  // by partition; without workers rows go there at once

    bool parallel() const { return shared->sizes.scan_bytes > 0; }
    const uint8* centroid(uint32 list) const { return arrays.kmeans.codes + list * index.space.stride(); }
    const uint8* group_centre(uint32 group) const { return group_centres + group * index.space.stride(); }
    uint32 group_begin(uint32 group) const { return group == 0 ? 0 : group_ends[group - 1]; }
    uint32 first_list(uint32 partition) const { return partition == 0 ? 0 : arrays.partition_ends[partition - 1]; }
    SharedTuplestore* store(uint32 partition) const {
        return reinterpret_cast<SharedTuplestore*>(arrays.stores + partition * shared->sizes.store_bytes);
    }
};

void set_phase(BuildPhase phase, int64 total);
void report_memory_required(size_t bytes);

// ---- ivf_sample.cpp
// The mean of some rows, and how many rows the table is likely to have. The same for the same table.
double measure_table(Build& b, float* mean);
// Fills the sample, reservoir and all; sets shared->sampled.
void take_sample(Build& b, double rows);

// ---- ivf_build_groups.cpp
using Clusters = KMeans<ArenaVec, ContextMemory>;
// Where there are many lists: puts their centroids into groups, and numbers them group by group.
void group_lists(Build& b);
// What that takes, of the leader's memory.
size_t bytes_to_group(const Space& space, uint32 lists);

// ---- ivf_build_rows.cpp
void choose_partitions(Build& b);
void begin_partitions(Build& b);  // the leader
void scan_piece(Build& b, uint32 piece);
// Rows come out of their partition in the order of lists and, within them, of the table.
struct SortedRows {
    const IvfIndex* index;
    Tuplesortstate* sort;
    TupleTableSlot* slot;
};
SortedRows sort_partition(Build& b, uint32 partition);
struct SortedRow {
    uint32 list;
    ItemPointerData tid;
    const char* code;  // unaligned
    index::RowAttributes attributes;
};
bool next_sorted_row(SortedRows& rows, SortedRow* row);
void end_sorted_rows(SortedRows& rows);

// ---- ivf_build_pages.cpp
// Makes the file as long as it will be, and writes what is not rows; the leader.
void write_frame(Build& b, ForkNumber fork);
void write_partition(Build& b, uint32 partition);

}  // namespace vext::ivf
