// One bit per dimension: the signs of a rotated residual, from which inner products are estimated with a known error
// (RaBitQ: Gao and Long, "Quantizing high-dimensional vectors with a theoretical error bound for approximate nearest
// neighbor search", 2024). Codes of 32 rows are kept together in transposed order and scanned by table look-ups; or rows
// are looked at one by one. Estimates choose which rows to look at more closely, and nothing else.
//
// With r = x - c the residual of a row and v = q - c that of a query, s the signs of the rotated r:
//     <r, v>  is estimated by  k (<s, q> - <s, c>),   k = |r|^2 / <s, r>,
// unbiased over the rotations, with a standard deviation of |v| k sqrt((|s|^2 - (<s, r> / |r|)^2) / (D - 1)). Since <s,
// c> belongs to the row, one table of <s, q> serves all lists.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/prefetch.h"
#include "simd/kernels.h"

namespace vext::codec {

inline constexpr uint32_t kBlockRows = 32;
// Of longer vectors only so many rotated dimensions are coded: a random projection, which costs accuracy only.
inline constexpr uint32_t kMaxBits = 1920;

// Bits of a code: a multiple of 64.
uint32_t bits_for(uint32_t dim);

// A block: this header, then the codes, bits_for(dim) / 4 groups of 16 bytes.
struct BitBlock {
    float add[kBlockRows];
    uint16_t scale[kBlockRows];  // the upper half of a float
    uint16_t error[kBlockRows];  // likewise, rounded up
};
static_assert(sizeof(BitBlock) == 256);

inline size_t bit_block_bytes(uint32_t bits) { return sizeof(BitBlock) + bits / 4 * 16; }

// A row's code before it is in a block.
struct BitFactors {
    float add;
    uint16_t scale, error;
};

// `x` and `c` are rotated (dims: rotated_dims), and so is what queries are prepared from. For estimates of |q - x|^2
// all three may be less a common vector, which keeps the tables of queries fine; `inner_product`: for estimates of -<q,
// x>. Writes the code, a bit per dimension, bits / 8 bytes.
BitFactors encode_bits(const float* x, const float* c, uint32_t dims, uint32_t bits, bool inner_product,
                       uint8_t* code);

void put_row(BitBlock* block, uint32_t bits, uint32_t row, const BitFactors& factors, const uint8_t* code);
// Whether two codes and their factors may be of one row: sums may have been rounded otherwise.
bool same_row(const BitBlock* a, const BitBlock* b, uint32_t row, uint32_t bits);
void copy_row(const BitBlock* from, uint32_t from_row, BitBlock* to, uint32_t to_row, uint32_t bits);

// A rotated query: <s, q> = slope * (sum of table entries) + offset.
struct BitQuery {
    const uint8_t* table;  // 16 bytes for each 4 bits
    uint32_t groups;
    float slope, offset;
};
// `table` has 4 * bits bytes.
BitQuery prepare_bits(const float* q, uint32_t bits, uint8_t* table);

// Estimates for the rows of a block, each less `slack` of its deviations; `base` is |q - c|^2, or -<q, c>, and `slack` a
// number of standard deviations times |q - c|. Never NaN or infinite: what cannot be told is the least.
void estimate(const BitQuery& query, const BitBlock* block, float base, float slack, float* estimates);

// The standard deviation of a row's estimate where |q - c| is 1.
float deviation(const BitBlock* block, uint32_t row);

// A row by itself: its factors, then bits / 8 bytes of code, in whole cache lines, with which it should begin.
inline size_t bit_row_bytes(uint32_t bits) {
    return (sizeof(simd::RowFactors) + bits / 8 + kCacheLine - 1) / kCacheLine * kCacheLine;
}

// As encode_bits().
void encode_row(const float* x, const float* c, uint32_t dims, uint32_t bits, bool inner_product, uint8_t* row);

// What estimates of such rows take of a rotated query: base and slack as estimate() wants them, `values` of `bits` bytes.
simd::RowTerms prepare_for_rows(const float* q, uint32_t bits, float base, float slack, uint8_t* values);

// Estimates for rows, as estimate() gives them, but where nothing can be told negative infinity or NaN.
inline void estimate_rows(const simd::RowTerms& query, const uint8_t* const* rows, size_t n, uint32_t bits, float* estimates) {
    simd::active->estimate_rows(query, rows, n, bits, estimates);
}

}  // namespace vext::codec
