// Distance and coding kernels: one table of function pointers per instruction set, chosen once at load.
// Shapes: `dim` counts elements, rows need no alignment, nothing is read past the last element. All sums of
// 8-bit codes are exact integers and so the same on every instruction set; float sums differ in the order
// of summation and in what is fused: the error is at most (dim + 3) * 2^-24 * sum of |terms|, and dim * 2^-149 where
// terms underflow, for any order. No kernel fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/half.h"

namespace vext::simd {

struct CosineSums {
    float dot, norm_a_sq, norm_b_sq;
};

struct MinMax {
    float min, max;
};

struct CodeSums {
    uint32_t sum, sum_sq;  // of the codes: at most 255 * dim and 65,025 * dim; dim <= 16,000 fits 32 bits
};

struct SignSums {  // of r = x - c: what a code of its signs s needs besides
    double norm_sq;  // <r, r>
    float along;     // <r, c>
    float size;      // <r, s>
    float signs;     // <c, s>
};

struct BitCounts {
    uint64_t both, either;  // bits set in both rows, in one or both
};

// Of rows of affine codes, one array each: what least_distance() needs of them.
struct AffineRows {
    const float *base, *shift, *lo, *step;
};
struct Least {
    float value;
    uint32_t at;
};

// What is before a 1-bit code of a row, and what its estimate takes of a query.
struct RowFactors {
    float add, scale, error;
    float ones;  // bits that are set
};
struct RowTerms {
    const uint8_t* values;
    float base, per_sum, per_one, minus, per_error;
};

// Rows of a packed matrix come in blocks of so many.
constexpr size_t kPackedRows = 16;
constexpr size_t packed_rows(size_t n) { return (n + kPackedRows - 1) / kPackedRows * kPackedRows; }
constexpr size_t packed_bytes(size_t n, size_t dim) { return packed_rows(n) * ((dim + 3) / 4 * 4); }

struct Kernels {
    const char* name;  // as the setting vectorext.simd spells it

    // float x float: the SQL operators and codec `none`. cosine_sums gives bit for bit dot_f32(a, b),
    // dot_f32(a, a) and dot_f32(b, b) of the same table, so an index may keep a norm and agree with the operator.
    float (*l2_sq_f32)(const float* a, const float* b, size_t dim) noexcept;
    float (*dot_f32)(const float* a, const float* b, size_t dim) noexcept;
    float (*l1_f32)(const float* a, const float* b, size_t dim) noexcept;
    CosineSums (*cosine_sums_f32)(const float* a, const float* b, size_t dim) noexcept;
    double (*norm_sq_f32)(const float* a, size_t dim) noexcept;  // products and sums in double

    // half x half: widened, which is exact, and then as the above. f32_to_f16 rounds to nearest even, beyond the range
    // to infinity; both conversions agree with base/half.h bit for bit. Rows of `to` and `from` do not overlap.
    float (*l2_sq_f16)(const Half* a, const Half* b, size_t dim) noexcept;
    float (*dot_f16)(const Half* a, const Half* b, size_t dim) noexcept;
    float (*l1_f16)(const Half* a, const Half* b, size_t dim) noexcept;
    CosineSums (*cosine_sums_f16)(const Half* a, const Half* b, size_t dim) noexcept;
    double (*norm_sq_f16)(const Half* a, size_t dim) noexcept;
    void (*f16_to_f32)(const Half* from, size_t dim, float* to) noexcept;
    void (*f32_to_f16)(const float* from, size_t dim, Half* to) noexcept;

    // 8-bit codes. dot_u8 = sum of a[i] * b[i] (both unsigned). l1_u8 = sum of |delta + step_a a[i] - step_b b[i]|.
    uint32_t (*dot_u8)(const uint8_t* a, const uint8_t* b, size_t dim) noexcept;
    void (*dot_u8_many)(const uint8_t* query, const uint8_t* const* rows, size_t n, size_t dim,
                        uint32_t* out) noexcept;
    // Products of many 8-bit codes with many. pack_u8 lays rows out as this table's dot_u8_matrix wants them, in
    // packed_bytes(n, dim); a row is dim bytes, stride apart. out[q * packed_rows(n) + r] = dot_u8(queries[q], row r);
    // what stands there for rows that are none is below 2^31.
    void (*pack_u8)(const uint8_t* rows, size_t stride, size_t n, size_t dim, uint8_t* packed) noexcept;
    void (*dot_u8_matrix)(const uint8_t* const* queries, size_t query_count, const uint8_t* packed, size_t n,
                          size_t dim, uint32_t* out) noexcept;
    // The first row of the least base + x * shift + y * (sum * lo + step * dot); n: a multiple of kPackedRows, at
    // least one value below infinity.
    Least (*least_distance)(const AffineRows& rows, const uint32_t* dots, size_t n, float x, float y,
                            float sum) noexcept;
    // 4-bit codes, packed: the first half of the dimensions (the larger one) in the low nibbles, the rest in the high
    // ones, (dim + 1) / 2 bytes; a last high nibble without a dimension is zero. dot_u8_u4: `a` has a byte each.
    uint32_t (*dot_u8_u4)(const uint8_t* a, const uint8_t* packed, size_t dim) noexcept;
    void (*dot_u8_u4_many)(const uint8_t* a, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept;
    uint32_t (*dot_u4)(const uint8_t* packed_a, const uint8_t* packed_b, size_t dim) noexcept;
    float (*l1_u8)(const uint8_t* a, const uint8_t* b, float step_a, float step_b, float delta, size_t dim) noexcept;

    // Bits, a byte holding eight of them: how many differ, and how many are set.
    uint64_t (*differing_bits)(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept;
    BitCounts (*common_bits)(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept;

    // 1-bit codes, 32 rows at a time (FastScan: Andre et al. 2015): sums[r] = sum over g of table[16 g + nibble of row
    // r in group g]. Group g is 16 bytes of `bits`; byte j has the nibbles of rows j (low) and j + 16 (high).
    // groups: a multiple of 16.
    void (*sum_nibbles)(const uint8_t* bits, const uint8_t* table, size_t groups, uint32_t* sums) noexcept;

    // 1-bit codes one by one, each behind its factors: out[r] = base + add + scale * (per_sum * sum + per_one * ones -
    // minus) + per_error * error, where sum is of the values[i] whose bit i is set. dim: a multiple of 64.
    void (*estimate_rows)(const RowTerms& terms, const uint8_t* const* rows, size_t n, size_t dim, float* out) noexcept;

    // Bit i of the code: x[i] > c[i]; s is 1 there, else -1. The code, and sums over s, are of the first `bits`
    // dimensions; both numbers are multiples of 64.
    SignSums (*sign_bits)(const float* x, const float* c, size_t dims, size_t bits, uint8_t* code) noexcept;

    // The Walsh-Hadamard transform times `scale`, in place; n: a power of two, at least 64. The same bit for bit on
    // every instruction set, as are the three below it.
    void (*hadamard)(float* x, size_t n, float scale) noexcept;
    void (*multiply_f32)(const float* a, const float* b, size_t dim, float* out) noexcept;
    // x * scale - less, not above `most` nor below its negative; less: nullptr where it is zero. In place, too.
    void (*scale_f32)(const float* x, float scale, const float* less, float most, size_t dim, float* out) noexcept;
    // lo + step * code
    void (*decode_u8)(const uint8_t* code, float lo, float step, size_t dim, float* out) noexcept;

    // Coding. min_max_f32: dim >= 1, finite input; a zero comes out as +0. quantize_u8, top an integer up to 255:
    // code[i] = clamp(round((x[i] - lo) * inv_step), 0, top), round half to even, in float, bit for bit the same on
    // every instruction set (no fused multiply-add); gives the sums of the codes.
    MinMax (*min_max_f32)(const float* x, size_t dim) noexcept;
    CodeSums (*quantize_u8)(const float* x, size_t dim, float lo, float inv_step, float top, uint8_t* code) noexcept;
    // Sum over i of (x[i] - (lo + step code[i]))^2, and of |...|, each in double.
    double (*residual_sq_u8)(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept;
    double (*residual_abs_u8)(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept;
};

// The table in use. Points at the baseline table until select().
extern const Kernels* active;

// Levels in ascending order; a machine has some of them. `scalar` is the reference of the unit tests: plain
// loops, not vectorized, never chosen by `automatic`.
enum class Level : int { automatic, scalar, baseline, avx2, avx512, vnni };

// The table of a level, or nullptr where this machine (or this build) cannot run it. automatic: the best one.
const Kernels* table_for(Level level) noexcept;

// Makes it the active table. False, and no change, where there is none.
bool select(Level level) noexcept;

}  // namespace vext::simd
