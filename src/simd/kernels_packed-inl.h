// Products of 4-bit codes; a part of kernels-inl.h, from which it is included.
#pragma once

namespace vext::simd {
namespace {

// Nibbles are below 128: Codes::dot_small needs no offset.

// The sums of products of a query with 4-bit codes, as far as low and high nibbles go in pairs. Of an odd dimension the
// last low one has no high one beside it.
struct PackedQuery {
    const uint8_t *low, *high;
    size_t pairs, middle;  // middle: 1 where the dimension is odd

    PackedQuery(const uint8_t* query, size_t dim)
        : low(query), high(query + (dim + 1) / 2), pairs(dim / 2), middle(dim % 2) {}

    uint32_t rest(const uint8_t* packed) const { return middle ? low[pairs] * (packed[pairs] & 15u) : 0; }

    // step(low, high, nibbles): these are a function of a row.
    template <class Step>
    VEXT_INLINE inline void each(Step step) const {
        constexpr size_t w = Codes::kWidth;
        size_t i = 0;
        for (; i + w <= pairs; i += w) {
            step(Codes::load(low + i), Codes::load(high + i),
                 [&](const uint8_t* row) VEXT_INLINE { return Codes::nibbles(Codes::load(row + i)); });
        }
        if (i == pairs) return;
        step(last_codes(low, i, pairs), last_codes(high, i, pairs),
             [&](const uint8_t* row) VEXT_INLINE { return Codes::nibbles(last_codes(row, i, pairs)); });
    }
};

uint32_t dot_u8_u4(const uint8_t* a, const uint8_t* packed, size_t dim) noexcept {
    const PackedQuery query(a, dim);
    Codes::Sum s0 = Codes::zero(), s1 = s0;
    query.each([&](Codes low, Codes high, auto nibbles) VEXT_INLINE {
        const typename Codes::Nibbles x = nibbles(packed);
        s0 = Codes::dot_small(s0, low, x.low);
        s1 = Codes::dot_small(s1, high, x.high);
    });
    return Codes::total(Codes::plus(s0, s1)) + query.rest(packed);
}

// Four rows at a time share the loads of the query and the adding across lanes.
void dot_u8_u4_many(const uint8_t* a, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept {
    const PackedQuery query(a, dim);
    size_t r = 0;
    for (; r + 4 <= n; r += 4) {
        const uint8_t *r0 = rows[r], *r1 = rows[r + 1], *r2 = rows[r + 2], *r3 = rows[r + 3];
        Codes::Sum s0 = Codes::zero(), s1 = s0, s2 = s0, s3 = s0;
        query.each([&](Codes low, Codes high, auto nibbles) VEXT_INLINE {
            const auto add = [&](Codes::Sum s, const typename Codes::Nibbles& x) VEXT_INLINE {
                return Codes::dot_small(Codes::dot_small(s, low, x.low), high, x.high);
            };
            s0 = add(s0, nibbles(r0));
            s1 = add(s1, nibbles(r1));
            s2 = add(s2, nibbles(r2));
            s3 = add(s3, nibbles(r3));
        });
        Codes::store_totals(out + r, s0, s1, s2, s3, 0);
        for (size_t i = 0; query.middle && i < 4; i++) out[r + i] += query.rest(rows[r + i]);
    }
    for (; r < n; r++) out[r] = dot_u8_u4(a, rows[r], dim);
}

uint32_t dot_u4(const uint8_t* packed_a, const uint8_t* packed_b, size_t dim) noexcept {
    constexpr size_t w = Codes::kWidth;
    const size_t bytes = (dim + 1) / 2;
    Codes::Sum low = Codes::zero(), high = low;
    const auto step = [&](Codes a, Codes b) VEXT_INLINE {
        const typename Codes::Nibbles x = Codes::nibbles(a), y = Codes::nibbles(b);
        low = Codes::dot_small(low, x.low, y.low);
        high = Codes::dot_small(high, x.high, y.high);
    };
    size_t i = 0;
    for (; i + w <= bytes; i += w) step(Codes::load(packed_a + i), Codes::load(packed_b + i));
    if (i < bytes) step(last_codes(packed_a, i, bytes), last_codes(packed_b, i, bytes));
    return Codes::total(Codes::plus(low, high));
}

}  // namespace
}  // namespace vext::simd
