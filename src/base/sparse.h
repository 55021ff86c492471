// Sparse vectors as two parallel arrays, and their distances. An index that one of two vectors lacks is zero there.
#pragma once

#include <cmath>
#include <cstdint>

namespace vext {

struct SparseView {
    const int32_t* index;  // ascending, none twice
    const float* value;
    int n;
};

// Calls, in the order of indices, both(i, x, y) for those of both vectors, only_a(i, x) and only_b(i, y) for others.
template <class Both, class OnlyA, class OnlyB>
void merge(SparseView a, SparseView b, Both both, OnlyA only_a, OnlyB only_b) {
    int i = 0, j = 0;
    while (i < a.n && j < b.n) {
        const int32_t at = a.index[i], bt = b.index[j];
        if (at == bt) both(at, a.value[i++], b.value[j++]);
        else if (at < bt) only_a(at, a.value[i++]);
        else only_b(bt, b.value[j++]);
    }
    for (; i < a.n; i++) only_a(a.index[i], a.value[i]);
    for (; j < b.n; j++) only_b(b.index[j], b.value[j]);
}

// Sums are in single precision, as those of dense vectors: the results are the same where they are exact.

inline float sparse_l2_sq(SparseView a, SparseView b) {
    float s = 0;
    merge(a, b, [&](int32_t, float x, float y) { s += (x - y) * (x - y); }, [&](int32_t, float x) { s += x * x; },
          [&](int32_t, float y) { s += y * y; });
    return s;
}

// No branch depends on which index is lower, which nothing could predict.
inline float sparse_dot(SparseView a, SparseView b) {
    float s = 0;
    for (int i = 0, j = 0; i < a.n && j < b.n;) {
        const int32_t at = a.index[i], bt = b.index[j];
        s += at == bt ? a.value[i] * b.value[j] : 0.0f;
        i += at <= bt;
        j += bt <= at;
    }
    return s;
}

inline float sparse_l1(SparseView a, SparseView b) {
    float s = 0;
    merge(a, b, [&](int32_t, float x, float y) { s += std::fabs(x - y); }, [&](int32_t, float x) { s += std::fabs(x); },
          [&](int32_t, float y) { s += std::fabs(y); });
    return s;
}

}  // namespace vext
