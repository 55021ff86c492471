// The nearest of many centres, for many points at a time: integer products of their codes (a matrix product), then
// |x - c|^2 - |x|^2 from these and the factors of the codes, in floats. No Postgres here.
#pragma once

#include "ivf/ivf_space.h"

namespace vext::ivf {

// Arrays one after the other in a piece of memory, which may be nullptr to learn its size.
class Placer {
public:
    explicit Placer(char* base) : base_(base) {}
    // In memory of used() + kAlignment bytes, which may begin anywhere.
    static Placer aligned(void* memory) {
        auto start = reinterpret_cast<uintptr_t>(memory) + kAlignment - 1;
        return Placer{reinterpret_cast<char*>(start / kAlignment * kAlignment)};
    }
    static constexpr size_t kAlignment = 64;

    template <typename T>
    void next(T*& array, size_t count) {
        used_ = (used_ + kAlignment - 1) / kAlignment * kAlignment;
        array = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(base_) + used_);
        used_ += count * sizeof(T);
    }
    size_t used() const { return used_; }

private:
    char* base_;
    size_t used_ = 0;
};

// Centres as they are compared with points. A view: the arrays may lie in memory shared with other processes.
struct CentreTable {
    uint32_t* count;  // of those in it
    const uint8_t* codes;
    uint8_t* packed;  // of dense vectors, as are the terms
    float *base, *shift, *lo, *step;

    void place(Placer& memory, const Space& space, size_t most) {
        memory.next(count, 1);
        size_t dense = space.dense() ? most : 0;
        memory.next(packed, simd::packed_bytes(dense, space.dim));
        for (float** term : {&base, &shift, &lo, &step}) memory.next(*term, simd::packed_rows(dense));
    }

    // From n codes one after the other, which stay where they are; other processes set `codes` themselves.
    void set(const Space& space, const uint8_t* from, size_t n) {
        codes = from;
        *count = static_cast<uint32_t>(n);
        if (!space.dense()) return;
        size_t stride = space.stride();
        simd::active->pack_u8(codec::codes_of(from), stride, n, space.dim, packed);
        for (size_t i = 0; i < n; i++) {
            codec::AffineFactors f = codec::factors_of(from + i * stride);
            double l = f.lo, s = f.step;
            base[i] = static_cast<float>(space.dim * l * l + 2 * l * s * f.sum + s * s * f.sum_sq);
            shift[i] = static_cast<float>(-2 * (space.dim * l + s * f.sum));
            lo[i] = static_cast<float>(-2 * l);
            step[i] = static_cast<float>(-2 * s);
        }
        for (size_t i = n; i < simd::packed_rows(n); i++) {
            base[i] = HUGE_VALF;
            shift[i] = lo[i] = step[i] = 0;
        }
    }
};

struct Found {
    uint32_t centre;
    float cost;  // what k-means adds up
};

// One process's working memory for it.
class Nearest {
public:
    static constexpr size_t kPoints = 24;  // at a time

    // The nearest centre of each of n points, at most kPoints; of several equally near the first.
    void find(const Space& space, const CentreTable& table, const uint8_t* const* points, size_t n, Found* found) {
        if (space.dense()) {
            find_dense(space, table, points, n, found);
        } else {
            for (size_t i = 0; i < n; i++) found[i] = find_by_codec(space, table, points[i]);
        }
    }

private:
    static constexpr size_t kRows = 512;  // whose products fit the cache

    void find_dense(const Space& space, const CentreTable& table, const uint8_t* const* points, size_t n,
                    Found* found) {
        const simd::Kernels& k = *simd::active;
        const uint8_t* codes[kPoints];
        for (size_t i = 0; i < n; i++) {
            codes[i] = codec::codes_of(points[i]);
            found[i] = {0, HUGE_VALF};
        }
        for (size_t from = 0; from < *table.count; from += kRows) {
            size_t rows = std::min<size_t>(kRows, *table.count - from), wide = simd::packed_rows(rows);
            k.dot_u8_matrix(codes, n, table.packed + simd::packed_bytes(from, space.dim), rows, space.dim, products_);
            simd::AffineRows terms{table.base + from, table.shift + from, table.lo + from, table.step + from};
            for (size_t i = 0; i < n; i++) {
                codec::AffineFactors f = codec::factors_of(points[i]);
                simd::Least least = k.least_distance(terms, products_ + i * wide, wide, f.lo, f.step,
                                                     static_cast<float>(f.sum));
                if (least.value < found[i].cost) found[i] = {static_cast<uint32_t>(from) + least.at, least.value};
            }
        }
        for (size_t i = 0; i < n; i++) {
            codec::AffineFactors f = codec::factors_of(points[i]);
            double lo = f.lo, step = f.step;
            double norm = space.dim * lo * lo + 2 * lo * step * f.sum + step * step * f.sum_sq;
            // Below what floats tell from nothing: equal codes have no distance.
            double cost = norm + found[i].cost;
            found[i].cost = cost > 1e-5 * norm ? static_cast<float>(cost) : 0;
        }
    }

    static Found find_by_codec(const Space& space, const CentreTable& table, const uint8_t* point) {
        constexpr size_t kBatch = 64;
        const uint8_t* codes[kBatch];
        codec::Key keys[kBatch];
        codec::Query query;
        space.codec->prepare(point, space.dim, &query);
        Found found{0, HUGE_VALF};
        for (size_t from = 0; from < *table.count; from += kBatch) {
            size_t n = std::min<size_t>(kBatch, *table.count - from);
            for (size_t i = 0; i < n; i++) codes[i] = table.codes + (from + i) * space.stride();
            space.codec->score(query, codes, n, keys);
            for (size_t i = 0; i < n; i++) {
                if (keys[i] < found.cost) found = {static_cast<uint32_t>(from + i), keys[i]};
            }
        }
        found.cost = static_cast<float>(space.cost(found.cost));
        return found;
    }

    uint32_t products_[kPoints * kRows];
};

}  // namespace vext::ivf
