// Products of many 8-bit codes with many, and the nearest row by them; a part of kernels-inl.h, from which it is included.
#pragma once

namespace vext::simd {
namespace {

#ifdef VEXT_MATRIX

// Blocks of sixteen rows: for each four dimensions their codes, row by row, less 128 and so signed.
void pack_u8(const uint8_t* rows, size_t stride, size_t n, size_t dim, uint8_t* packed) noexcept {
    const size_t groups = (dim + 3) / 4;
    memset(packed, 0, packed_bytes(n, dim));
    for (size_t r = 0; r < n; r++, rows += stride) {
        uint8_t* to = packed + (r / kPackedRows * groups * kPackedRows + r % kPackedRows) * 4;
        for (size_t i = 0; i < dim; i += 4, to += 4 * kPackedRows) {
            uint32_t four = 0;
            if (i + 4 <= dim) {
                memcpy(&four, rows + i, 4);
            } else {
                for (size_t j = 0; i + j < dim; j++) four |= uint32_t(rows[i + j]) << 8 * j;
            }
            four ^= 0x80808080;
            memcpy(to, &four, 4);
        }
    }
}

// Calls step with the constants 0 to N - 1. Arrays that are indexed by them only are registers.
template <class Step, size_t... I> VEXT_INLINE inline void each_constant(std::index_sequence<I...>, Step step) {
    (step(std::integral_constant<size_t, I>{}), ...);
}
template <size_t N, class Step> VEXT_INLINE inline void unrolled(Step step) {
    each_constant(std::make_index_sequence<N>{}, step);
}

// Four codes at p, or those that are left.
VEXT_INLINE inline uint32_t four_codes(const uint8_t* p, size_t left) {
    uint32_t word = 0;
    if (left >= 4) {
        memcpy(&word, p, 4);
    } else {
        for (size_t j = 0; j < left; j++) word |= uint32_t(p[j]) << 8 * j;
    }
    return word;
}

// `Queries` times `Blocks` of sixteen rows: as many sums as there are registers for, no adding across lanes.
template <size_t Queries, size_t Blocks>
VEXT_INLINE inline void multiply_tile(const uint8_t* const* queries, const uint8_t* packed, size_t dim, uint32_t* out,
                                      size_t out_stride) {
    const size_t block_bytes = (dim + 3) / 4 * 4 * kPackedRows;
    Products sums[Queries * Blocks];
    const uint8_t* query[Queries];
    unrolled<Queries>([&](auto q) VEXT_INLINE {
        query[q] = queries[q];
        const uint32_t offset = Products::kOffset * sum_u8(queries[q], dim);
        unrolled<Blocks>([&](auto b) VEXT_INLINE { sums[q * Blocks + b] = Products::all(offset); });
    });
    const auto step = [&](size_t i, size_t left) VEXT_INLINE {
        Products::Row rows[Blocks];
        unrolled<Blocks>([&](auto b) VEXT_INLINE {
            rows[b] = Products::load(packed + b * block_bytes + i * kPackedRows);
        });
        unrolled<Queries>([&](auto q) VEXT_INLINE {
            const Products::Row four = Products::repeat(four_codes(query[q] + i, left));
            unrolled<Blocks>([&](auto b) VEXT_INLINE { sums[q * Blocks + b].add(four, rows[b]); });
        });
    };
    size_t i = 0;
    for (; i + 4 <= dim; i += 4) step(i, 4);
    if (i < dim) step(i, dim - i);
    unrolled<Queries>([&](auto q) VEXT_INLINE {
        unrolled<Blocks>([&](auto b) VEXT_INLINE {
            sums[q * Blocks + b].store(out + q * out_stride + b * kPackedRows);
        });
    });
}

template <size_t Queries>
VEXT_INLINE inline void multiply_rows(const uint8_t* const* queries, const uint8_t* packed, size_t n, size_t dim,
                                      uint32_t* out) {
    const size_t stride = packed_rows(n), row_bytes = (dim + 3) / 4 * 4;
    size_t r = 0;
    for (; r + 4 * kPackedRows <= stride; r += 4 * kPackedRows) {
        multiply_tile<Queries, 4>(queries, packed + r * row_bytes, dim, out + r, stride);
    }
    for (; r < stride; r += kPackedRows) {
        multiply_tile<Queries, 1>(queries, packed + r * row_bytes, dim, out + r, stride);
    }
}

void dot_u8_matrix(const uint8_t* const* queries, size_t query_count, const uint8_t* packed, size_t n, size_t dim,
                   uint32_t* out) noexcept {
    size_t q = 0;
    for (; q + 4 <= query_count; q += 4) multiply_rows<4>(queries + q, packed, n, dim, out + q * packed_rows(n));
    for (; q < query_count; q++) multiply_rows<1>(queries + q, packed, n, dim, out + q * packed_rows(n));
}

#else  // plain rows, a query at a time

void pack_u8(const uint8_t* rows, size_t stride, size_t n, size_t dim, uint8_t* packed) noexcept {
    kernels_scalar.pack_u8(rows, stride, n, dim, packed);
}

void dot_u8_matrix(const uint8_t* const* queries, size_t query_count, const uint8_t* packed, size_t n, size_t dim,
                   uint32_t* out) noexcept {
    const uint8_t* rows[kPackedRows];
    const size_t stride = packed_rows(n);
    for (size_t r = 0; r < n; r += kPackedRows) {
        const size_t count = n - r < kPackedRows ? n - r : kPackedRows;
        for (size_t i = 0; i < count; i++) rows[i] = packed + (r + i) * dim;
        for (size_t q = 0; q < query_count; q++) {
            dot_u8_many(queries[q], rows, count, dim, out + q * stride + r);
            for (size_t i = count; i < kPackedRows; i++) out[q * stride + r + i] = 0;
        }
    }
}

#endif

Least least_distance(const AffineRows& rows, const uint32_t* dots, size_t n, float x, float y, float sum) noexcept {
    alignas(64) static constexpr float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const F vx(x), vy(y), vsum(sum), width = F(float(W));
    F at = F::load_aligned(lane), best(std::numeric_limits<float>::infinity()), best_at(0.0f);
    for (size_t i = 0; i < n; i += W, at = at + width) {
        const F dot = whole_numbers(dots + i);
        const F product = mul_add(load(rows.step + i, Whole{}), dot, vsum * load(rows.lo + i, Whole{}));
        const F value =
            mul_add(vy, product, mul_add(vx, load(rows.shift + i, Whole{}), load(rows.base + i, Whole{})));
        const auto less = value < best;
        best = xsimd::select(less, value, best);
        best_at = xsimd::select(less, at, best_at);
    }
    float values[W], places[W];
    best.store_unaligned(values);
    best_at.store_unaligned(places);
    Least least{values[0], uint32_t(places[0])};
    for (size_t i = 1; i < W; i++) {
        const auto place = uint32_t(places[i]);
        if (values[i] < least.value || (values[i] == least.value && place < least.at)) least = {values[i], place};
    }
    return least;
}

}  // namespace
}  // namespace vext::simd
