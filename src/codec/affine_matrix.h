// Codes of sq8 compared many with many: products of their bytes by the matrix kernels, and distances from these and the
// factors, in floats.
#pragma once

#include "base/placer.h"
#include "codec/affine.h"

namespace vext::codec {

// Rows that points are compared with. A view: the arrays may lie in memory shared with other processes. What a row r is
// away from a point x, as |x - r|^2 - |x|^2 or -<x, r>, is base + lo(x) * shift + step(x) * (sum(x) * lo + step * dot).
struct AffineMatrix {
    static constexpr size_t kTogether = 128;  // rows; their products and those of the points fit the cache
    static constexpr size_t kPoints = 24;
    using Products = uint32_t[kPoints * kTogether];

    uint8_t* packed;
    float *base, *shift, *lo, *step;

    void place(Placer& memory, size_t most, uint32_t dim) {
        memory.next(packed, simd::packed_bytes(most, dim));
        for (float** term : {&base, &shift, &lo, &step}) memory.next(*term, simd::packed_rows(most));
    }

    // From n codes `stride` apart. What is behind the last row, up to a whole block, is infinitely far away.
    void set(const uint8_t* codes, size_t stride, size_t n, uint32_t dim, bool inner_product) {
        simd::active->pack_u8(codes_of(codes), stride, n, dim, packed);
        const double twice = inner_product ? 1 : 2;
        for (size_t i = 0; i < n; i++) {
            AffineFactors f = factors_of(codes + i * stride);
            double l = f.lo, s = f.step;
            base[i] = inner_product ? 0 : static_cast<float>(norm_sq(f, dim));
            shift[i] = static_cast<float>(-twice * (dim * l + s * f.sum));
            lo[i] = static_cast<float>(-twice * l);
            step[i] = static_cast<float>(-twice * s);
        }
        for (size_t i = n; i < simd::packed_rows(n); i++) {
            base[i] = HUGE_VALF;
            shift[i] = lo[i] = step[i] = 0;
        }
    }

    static double norm_sq(const AffineFactors& f, uint32_t dim) {
        double l = f.lo, s = f.step;
        return dim * l * l + 2 * l * s * f.sum + s * s * f.sum_sq;
    }

    struct Points {
        const uint8_t* const* codes;
        const float* own;  // added to what a row is away
        size_t n;          // at most kPoints
    };

    // Rows that are nearer to a point than they ask for are rare; the least of many differences says whether there is one.
    // Calls hit(row, point, how far) for all of kTogether rows, if for one of them that is less than base - less[row].
    template <typename Hit>
    void each_near(const float* less, size_t rows, uint32_t dim, const Points& points, Products& products,
                   Hit hit) const {
        const simd::Kernels& k = *simd::active;
        const uint8_t* bytes[kPoints];
        for (size_t i = 0; i < points.n; i++) bytes[i] = codes_of(points.codes[i]);
        for (size_t from = 0; from < rows; from += kTogether) {
            size_t count = std::min(kTogether, rows - from), wide = simd::packed_rows(count);
            k.dot_u8_matrix(bytes, points.n, packed + simd::packed_bytes(from, dim), count, dim, products);
            simd::AffineRows terms{less + from, shift + from, lo + from, step + from};
            for (size_t i = 0; i < points.n; i++) {
                AffineFactors f = factors_of(points.codes[i]);
                const uint32_t* dots = products + i * wide;
                auto sum = static_cast<float>(f.sum);
                simd::Least least = k.least_distance(terms, dots, wide, f.lo, f.step, sum);
                if (!(least.value + points.own[i] < 0)) continue;
                for (size_t j = 0; j < count; j++) {
                    size_t row = from + j;
                    float product = sum * lo[row] + step[row] * static_cast<float>(dots[j]);
                    hit(row, i, base[row] + f.lo * shift[row] + f.step * product + points.own[i]);
                }
            }
        }
    }
};

}  // namespace vext::codec
