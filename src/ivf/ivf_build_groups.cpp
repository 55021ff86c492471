// Groups of lists, by k-means over the centroids.
#include <cmath>
#include <new>

#include "ivf/ivf_build.h"

namespace vext::ivf {
namespace {

// More of them than the square root: a group's lists are looked at by 1-bit codes, which cost a fifth of what its centre
// does.
constexpr double kGroups = 2;

uint32 wanted_groups(uint32 lists) { return static_cast<uint32>(kGroups * std::sqrt(lists)); }

bool wants_groups(uint32 lists) { return lists >= KMeansOptions{}.two_levels; }

size_t place(KMeansArrays* arrays, Placer memory, const Space& space, uint32 lists) {
    arrays->place(memory, space, lists, wanted_groups(lists), false);
    return memory.used();
}

// Of each list its group.
uint32* find_groups(Build& b, KMeansArrays arrays, uint32 found) {
    const Space& space = b.index.space;
    auto* group_of = static_cast<uint32*>(palloc(b.shared->lists * sizeof(uint32)));
    auto* nearest = new (palloc(sizeof(Nearest))) Nearest;
    arrays.table.set(space, arrays.codes, found);
    for (uint32 list = 0; list < b.shared->lists; list += Nearest::kPoints) {
        CHECK_FOR_INTERRUPTS();
        const uint8* points[Nearest::kPoints];
        Found to[Nearest::kPoints];
        size_t n = std::min<size_t>(Nearest::kPoints, b.shared->lists - list);
        for (uint32 i = 0; i < n; i++) points[i] = b.centroid(list + i);
        nearest->find(space, arrays.table, points, n, to);
        for (uint32 i = 0; i < n; i++) group_of[list + i] = to[i].centre;
    }
    pfree(nearest);
    return group_of;
}

// Lists of a group follow each other; their order stays what it was. Empty groups go.
void renumber(Build& b, const uint8* centres, uint32 found, const uint32* group_of) {
    SharedBuild& s = *b.shared;
    const KMeansArrays& k = b.arrays.kmeans;
    size_t stride = b.index.space.stride();
    auto* next = static_cast<uint32*>(palloc0((found + 1) * sizeof(uint32)));
    for (uint32 list = 0; list < s.lists; list++) next[group_of[list] + 1]++;
    b.group_centres = static_cast<uint8*>(palloc(found * stride));
    b.group_ends = static_cast<uint32*>(palloc(found * sizeof(uint32)));
    for (uint32 group = 0; group < found; group++) {
        uint32 lists = next[group + 1];
        next[group + 1] += next[group];
        if (lists == 0) continue;
        memcpy(b.group_centres + s.groups * stride, centres + group * stride, stride);
        b.group_ends[s.groups++] = next[group + 1];
        if (b.index.layout.group_bits > 0) s.group_blocks += blocks_of_group(lists);
    }
    auto* number = static_cast<uint32*>(palloc(s.lists * sizeof(uint32)));
    auto* codes = static_cast<uint8*>(MemoryContextAllocHuge(b.context, s.lists * stride));
    for (uint32 list = 0; list < s.lists; list++) {
        number[list] = next[group_of[list]]++;
        memcpy(codes + number[list] * stride, b.centroid(list), stride);
    }
    memcpy(k.codes, codes, s.lists * stride);
    for (uint32 i = 0; i < s.sampled; i++) k.assigned[i] = number[std::min(k.assigned[i], s.lists - 1)];
    pfree(next);
    pfree(number);
    pfree(codes);
}

}  // namespace

size_t bytes_to_group(const Space& space, uint32 lists) {
    if (!wants_groups(lists)) return 0;
    KMeansArrays arrays{};
    return place(&arrays, Placer{nullptr}, space, lists) + lists * space.stride();
}

void group_lists(Build& b) {
    SharedBuild& s = *b.shared;
    const Space& space = b.index.space;
    s.groups = s.group_blocks = 0;
    if (!wants_groups(s.lists)) return;
    KMeansArrays arrays{};
    size_t bytes = place(&arrays, Placer{nullptr}, space, s.lists);
    void* memory = MemoryContextAllocExtended(b.context, bytes + Placer::kAlignment, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
    place(&arrays, Placer::aligned(memory), space, s.lists);
    arrays.points = b.arrays.kmeans.codes;
    auto* clusters = new (palloc(sizeof(Clusters))) Clusters(ContextMemory{b.context}, space, {}, arrays);
    Clusters::Alone alone{*clusters, nullptr, [](void*) { CHECK_FOR_INTERRUPTS(); }};
    auto found = static_cast<uint32>(clusters->run(alone, wanted_groups(s.lists)));
    uint32* group_of = find_groups(b, arrays, found);
    renumber(b, arrays.codes, found, group_of);
    pfree(group_of);
    pfree(memory);
}

}  // namespace vext::ivf
