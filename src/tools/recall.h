// How much of the truth an index finds, and how fast.
#pragma once

#include "tools/vector_index.h"

namespace vext::tools {

struct Recall {
    int queries;      // 0: there was nothing to ask for
    int64 rows;       // that the truth was taken from
    double recall;    // share of the k nearest that came back, over all queries
    double low, high; // 95 % interval of it
    double p50_ms, p99_ms;
};

inline constexpr int kMaxNearest = 10000;
inline constexpr int kMaxSamples = 10000;

// Within a SqlSession. Leaves sequential scans switched off.
Recall measure_recall(const VectorIndex& index, int k, int samples);

}  // namespace vext::tools
