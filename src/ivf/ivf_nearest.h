// The nearest of many centres, for many points at a time: integer products of their codes (a matrix product), then
// |x - c|^2 - |x|^2 from these and the factors of the codes, in floats. No Postgres here.
#pragma once

#include "codec/affine_matrix.h"
#include "ivf/ivf_space.h"

namespace vext::ivf {

// Centres as they are compared with points. A view: the arrays may lie in memory shared with other processes.
struct CentreTable : codec::AffineMatrix {
    uint32_t* count;  // of those in it
    const uint8_t* codes;

    void place(Placer& memory, const Space& space, size_t most) {
        memory.next(count, 1);
        AffineMatrix::place(memory, space.dense() ? most : 0, space.dim);
    }

    // From n codes one after the other, which stay where they are; other processes set `codes` themselves.
    void set(const Space& space, const uint8_t* from, size_t n) {
        codes = from;
        *count = static_cast<uint32_t>(n);
        if (space.dense()) AffineMatrix::set(from, space.stride(), n, space.dim, false);
    }
};

struct Found {
    uint32_t centre;
    float cost;  // what k-means adds up
};

// One process's working memory for it.
class Nearest {
public:
    static constexpr size_t kPoints = codec::AffineMatrix::kPoints;  // at a time

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
            double norm = codec::AffineMatrix::norm_sq(f, space.dim);
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
