// The part of a calibration that takes its time: samples are compared with all nodes, and searched for. In pieces, which
// the workers of a build take with it.
#pragma once

#include <algorithm>
#include <span>

#include "pg/postgres.h"

#include "hnsw/hnsw_calibrate.h"
#include "hnsw/hnsw_calibrate_nearest.h"
#include "hnsw/hnsw_index.h"
#include "index/calibration.h"
#include "pg/block_stream.h"
#include "pg/guards.h"

namespace vext::hnsw {

using index::kCalibratedRows;
static_assert(NearestKeys::kMost == kCalibratedRows);

// Each 1.5 times the one before.
inline constexpr uint32 kWidths[format::kCalibrationSteps] = {10, 15, 23, 34, 51, 76, 114, 171, 256, 384, 577, 865};
// The width whose findings stand for the nearest, of samples that are not compared with all nodes.
inline constexpr int kReference = 6;
static_assert(kWidths[kReference] >= GrowthCounts::kFar);  // these searches say how distances grow

// How many of the nearest searches have found at each width.
struct FoundCounts {
    uint64 found[format::kCalibrationSteps], all;

    void add(const FoundCounts& other) {
        for (int step = 0; step < format::kCalibrationSteps; step++) found[step] += other.found[step];
        all += other.all;
    }
    double share(int step) const { return static_cast<double>(found[step]) / static_cast<double>(all); }
};
struct FoundBySamples {
    FoundCounts exact, reference_of_exact, reference;
    GrowthCounts growth;
};

// `entry`: there is one. `blocks`: of the index, or those of them that count.
FoundBySamples search_samples(const HnswIndex& index, const EntryPoint& entry, std::span<const Sample> samples,
                              BlockNumber blocks, const CalibrationHelp& help);

// use(page copy, slots of its live nodes, how many, block) for each page of nodes from `first` on, before `end`. No lock
// is held meanwhile.
template <typename Use>
void each_page(const HnswIndex& index, BlockNumber first, BlockNumber end, BufferAccessStrategy strategy, Use use) {
    const SlotShape& shape = index.layout.nodes;
    PGAlignedBlock copy;
    uint32 live[BLCKSZ / format::kGranule];
    pg::BlockPass pass{index.rel, first, strategy, end};
    for (Buffer buffer; (buffer = pass.next()) != InvalidBuffer;) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BufferGetBlockNumber(buffer);
        {
            pg::Pin pin{buffer};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            if (PageIsNew(pin.page()) || !page::has_kind(pin.page(), shape.kind)) continue;
            page::check_page(index.rel, block, pin.page(), shape);
            memcpy(copy.data, pin.page(), BLCKSZ);
        }
        size_t n = 0;
        for (uint32 i = page::first_entry(shape); i < shape.per_page; i = page::next_entry(copy.data, shape, i)) {
            if (is_live(node_at(index, copy.data, i)) && has_whole_node(index, copy.data, i)) live[n++] = i;
        }
        use(copy.data, live, n, block);
    }
    pass.end();
}

}  // namespace vext::hnsw
