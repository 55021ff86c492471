// The sample that the lists of an index are made from.
#include <cmath>

#include "index/opclass.h"
#include "ivf/ivf_build.h"

namespace vext::ivf {
namespace {

constexpr BlockNumber kMeanBlocks = 128;
constexpr uint32 kMeanRows = 2000;

// Calls use(value) for the rows of some blocks, drawn at random, in file order. Gives how many blocks there were.
template <typename Use>
BlockNumber scan_blocks(Build& b, BlockNumber wanted, Use use) {
    struct State {
        Build& b;
        Use& use;
    } state{b, use};
    auto callback = [](Relation, ItemPointer, Datum* values, bool* is_null, bool, void* arg) {
        auto& s = *static_cast<State*>(arg);
        if (is_null[0]) return;
        MemoryContext outer = MemoryContextSwitchTo(s.b.row_context);
        s.use(values[0]);
        MemoryContextSwitchTo(outer);
        MemoryContextReset(s.b.row_context);
    };
    BlockSamplerData sampler;
    BlockNumber blocks = RelationGetNumberOfBlocks(b.heap);
    BlockSampler_Init(&sampler, blocks, static_cast<int>(std::min<BlockNumber>(wanted, INT_MAX)), kBuildSeed);
    BlockNumber scanned = 0;
    // Rows that somebody has not committed, too: the snapshot of a concurrent build leaves them out in any case.
    bool all_rows = !b.info->ii_Concurrent;
    for (; BlockSampler_HasMore(&sampler); scanned++) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BlockSampler_Next(&sampler);
        table_index_build_range_scan(b.heap, b.index.rel, b.info, false, all_rows, false, block, 1, callback, &state,
                                     nullptr);
    }
    return scanned;
}

const void* elements_of(const Build& b, Datum value) {
    return index::value_to_index(b.index.codec->element, value, b.index.dim()).elements;
}

}  // namespace

// The mean is an offset that keeps codes fine where vectors lie far from the origin; how exact it is does not matter.
double measure_table(Build& b, float* mean) {
    uint32 dim = b.index.dim();
    auto* sums = static_cast<double*>(palloc0(dim * sizeof(double)));
    double rows = 0, summed = 0;
    BlockNumber scanned = scan_blocks(b, kMeanBlocks, [&](Datum value) {
        rows++;
        if (!b.index.space.dense() || summed >= kMeanRows) return;
        if (!(b.index.space.frame(elements_of(b, value), b.scratch.data()) > 0)) return;
        for (uint32 i = 0; i < dim; i++) sums[i] += std::clamp(b.scratch[i], -kBorder, kBorder);
        summed++;
    });
    for (uint32 i = 0; i < dim; i++) mean[i] = summed > 0 ? static_cast<float>(sums[i] / summed) : 0;
    pfree(sums);
    return scanned == 0 ? 0 : rows * RelationGetNumberOfBlocks(b.heap) / scanned;
}

// Vitter's algorithm R over the rows of some blocks, somewhat more than are wanted.
void take_sample(Build& b, double rows) {
    uint32 sampled = 0, capacity = b.shared->sizes.capacity;
    uint64 seen = 0;
    size_t stride = b.index.space.stride();
    BlockNumber blocks = RelationGetNumberOfBlocks(b.heap);
    double per_block = std::max(rows / std::max<double>(blocks, 1), 1.0);
    double wanted = std::ceil(1.1 * capacity / per_block) + 100;
    scan_blocks(b, static_cast<BlockNumber>(std::min<double>(wanted, blocks)), [&](Datum value) {
        uint64 at = sampled;
        if (sampled == capacity) at = mix64(seen ^ kBuildSeed) % (seen + 1);
        seen++;
        if (at >= capacity) return;
        if (at == sampled) sampled++;
        double length = b.index.space.place(elements_of(b, value), b.scratch.data(), b.arrays.points + at * stride);
        b.arrays.lengths[at] = static_cast<float>(length);
    });
    b.shared->sampled = sampled;
}

}  // namespace vext::ivf
