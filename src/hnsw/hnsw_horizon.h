// When a search that knows how many nodes are wanted may end: where what is left lies too far beyond the last of these
// ("Distance Adaptive Beam Search for Provably Accurate Graph-Based Nearest Neighbor Search", Al-Jazzazi et al., 2025). How
// far that is follows from ef and from how the distances of an index grow with the rank, so that searches score about as
// many nodes as a beam of ef would on average: those among near rows more, the others less. No Postgres here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "codec/codec.h"

namespace vext::hnsw {

// Keys up to times * (that of the rank-th nearest) + plus are expanded, of a beam that is so much wider than ef, and `least`
// nodes anyway. Rank 0: the beam alone ends the search.
struct Horizon {
    size_t rank = 0;
    codec::Key times = 1;
    codec::Key plus = 0;
    size_t least = 0;
    size_t wider = 0;
};

// Distances grow as a power of the rank. Inner products, which have no zero, fall by the same for each doubling of it, and
// in proportion to the length of the query.
inline bool grows_as_power(codec::Metric metric) { return metric != codec::Metric::inner_product; }

// As far as the node of rank ef usually is, or less (kShare): such searches go on to twice as many where nodes
// lie dense. Where all distances are about the same they say little, so a part of ef (kLeast) is expanded anyway.
// docs/design.md has the measurements.
inline Horizon horizon_of(codec::Metric metric, double growth, double length, size_t rank, size_t ef) {
    constexpr double kShare = 0.6;
    constexpr size_t kLeast = 4;
    if (growth == 0 || rank == 0 || rank >= ef) return {};
    auto key = [](double x) { return static_cast<codec::Key>(std::min<double>(x, std::numeric_limits<codec::Key>::max())); };
    double step = kShare * growth * std::log(static_cast<double>(ef) / static_cast<double>(rank));
    if (grows_as_power(metric)) return {rank, key(std::exp(step)), 0, ef / kLeast, ef};
    return {rank, 1, key(step * length), ef / kLeast, ef};
}

// What is measured of it: the growth from the rank kNear to kFar, counted by steps of a twelfth of a power of two.
class GrowthCounts {
public:
    static constexpr size_t kNear = 10, kFar = 100;

    void count(codec::Metric metric, codec::Key near, codec::Key far, double length) {
        double more;
        if (!grows_as_power(metric)) {
            more = (static_cast<double>(far) - near) / length;
        } else {
            if (!(near > 0)) return;
            more = std::log(static_cast<double>(far) / near);
        }
        if (!(more > 0) || std::isinf(more)) return;
        counts_[std::clamp(static_cast<int>(std::lround(std::log2(more) * kSteps)), -kMiddle, kMiddle) + kMiddle]++;
    }
    void add(const GrowthCounts& other) {
        for (int i = 0; i < kCounts; i++) counts_[i] += other.counts_[i];
    }
    // The mean, of which nobody makes up more than three times the median: rows that have twins are many times nearer to
    // these than to all others. 0: nothing was counted.
    float mean() const {
        uint64_t all = 0, passed = 0;
        for (uint32_t n : counts_) all += n;
        if (all == 0) return 0;
        int middle = 0;
        while (passed + counts_[middle] < (all + 1) / 2) passed += counts_[middle++];
        double sum = 0;
        for (int i = 0; i < kCounts; i++) sum += counts_[i] * growth_of(std::min(i, middle + kThreefold));
        return static_cast<float>(sum / static_cast<double>(all) / std::log(double{kFar} / kNear));
    }

private:
    static constexpr int kSteps = 12, kMiddle = 480, kCounts = 2 * kMiddle + 1, kThreefold = 19;
    static double growth_of(int step) { return std::exp2(static_cast<double>(step - kMiddle) / kSteps); }
    uint32_t counts_[kCounts];
};

// More than mean() ever says.
inline constexpr float kMostGrowth = 0x1p40f;

}  // namespace vext::hnsw
