#include "codec/rabitq.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "codec/rotation.h"
#include "simd/kernels.h"

namespace vext::codec {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();
// Of squares, so that sums and products of a few of them and of sqrt(bits) are floats.
constexpr float kUsualSquare = 1e30f;

float widen(uint16_t upper) {
    uint32_t word = static_cast<uint32_t>(upper) << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

// Rounds to the nearest, or away from zero; what does not fit becomes the largest.
uint16_t narrow(double x, bool up) {
    auto value = static_cast<float>(std::clamp(x, -1e38, 1e38));
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return static_cast<uint16_t>((word + (up ? 0xFFFF : 0x8000)) >> 16);
}

float to_float(double x) { return static_cast<float>(std::clamp<double>(x, -kLargest, kLargest)); }

uint8_t* codes_of(BitBlock* block) { return reinterpret_cast<uint8_t*>(block + 1); }
const uint8_t* codes_of(const BitBlock* block) { return reinterpret_cast<const uint8_t*>(block + 1); }

// Row r of a group has the low nibble of byte r, or the high one of byte r - 16.
void put_nibble(uint8_t* group, uint32_t row, uint8_t nibble) {
    uint8_t& byte = group[row & 15];
    byte = row < 16 ? static_cast<uint8_t>((byte & 0xF0) | nibble) : static_cast<uint8_t>((byte & 0x0F) | nibble << 4);
}

// An estimate is base + constant + scale * (<s, q> - offset), less `error` for each deviation where |q - c| is 1.
struct SignFactors {
    double norm_sq, constant, scale, offset, error;
};

SignFactors encode_signs(const float* x, const float* c, uint32_t dims, uint32_t bits, bool inner_product,
                         uint8_t* code) {
    simd::SignSums sums = simd::active->sign_bits(x, c, dims, bits, code);
    double r_sq = sums.norm_sq, sign_r = sums.size;
    double k = sign_r > 0 ? r_sq / sign_r : 0;
    double along = r_sq > 0 ? sign_r * sign_r / r_sq : 0;
    double deviation = k * std::sqrt(std::max(0.0, bits - along) / (dims - 1));
    double factor = inner_product ? 1 : 2;
    return {r_sq, inner_product ? -sums.along : r_sq, -factor * k, sums.signs, factor * deviation};
}

}  // namespace

uint32_t bits_for(uint32_t dim) { return std::min(rotated_dims(dim), kMaxBits); }

BitFactors encode_bits(const float* x, const float* c, uint32_t dims, uint32_t bits, bool inner_product,
                       uint8_t* code) {
    SignFactors signs = encode_signs(x, c, dims, bits, inner_product, code);
    BitFactors f;
    f.scale = narrow(signs.scale, false);
    f.error = narrow(signs.error, true);
    // With the factor as it was rounded.
    f.add = to_float(signs.constant - static_cast<double>(widen(f.scale)) * signs.offset);
    return f;
}

void put_row(BitBlock* block, uint32_t bits, uint32_t row, const BitFactors& factors, const uint8_t* code) {
    block->add[row] = factors.add;
    block->scale[row] = factors.scale;
    block->error[row] = factors.error;
    uint8_t* group = codes_of(block);
    for (uint32_t i = 0; i < bits / 4; i++, group += 16) put_nibble(group, row, code[i / 2] >> i % 2 * 4 & 15);
}

void copy_row(const BitBlock* from, uint32_t from_row, BitBlock* to, uint32_t to_row, uint32_t bits) {
    to->add[to_row] = from->add[from_row];
    to->scale[to_row] = from->scale[from_row];
    to->error[to_row] = from->error[from_row];
    for (uint32_t i = 0; i < bits / 4; i++) {
        uint8_t byte = codes_of(from)[16 * i + from_row % 16];
        put_nibble(codes_of(to) + 16 * i, to_row, from_row < 16 ? byte & 15 : byte >> 4);
    }
}

bool same_row(const BitBlock* a, const BitBlock* b, uint32_t row, uint32_t bits) {
    auto alike = [](float x, float y) { return x == y || std::fabs(x - y) <= 0.02f * (std::fabs(x) + std::fabs(y)); };
    if (!alike(a->add[row], b->add[row]) || !alike(widen(a->scale[row]), widen(b->scale[row])) ||
        !alike(widen(a->error[row]), widen(b->error[row]))) {
        return false;
    }
    uint32_t differ = 0;
    for (uint32_t i = 0; i < bits / 4; i++) {
        uint8_t both = codes_of(a)[16 * i + row % 16] ^ codes_of(b)[16 * i + row % 16];
        differ += static_cast<uint32_t>(__builtin_popcount(row < 16 ? both & 15 : both >> 4));
    }
    return differ <= bits / 32;
}

BitQuery prepare_bits(const float* q, uint32_t bits, uint8_t* table) {
    // Group by group: from the sum of what is negative to the sum of what is positive.
    float widest = 0;
    double lowest = 0, sum = 0;
    for (uint32_t i = 0; i < bits; i += 4) {
        float low = 0, width = 0;
        for (uint32_t j = i; j < i + 4; j++) {
            low += std::min(q[j], 0.0f);
            width += std::fabs(q[j]);
            sum += q[j];
        }
        lowest += low;
        widest = std::max(widest, width);
    }
    float step = widest / 255;
    float inverse = step > 0 ? 1 / step : 0;
    for (uint32_t i = 0; i < bits; i += 4, table += 16) {
        float entry[16] = {std::min(q[i], 0.0f) + std::min(q[i + 1], 0.0f) + std::min(q[i + 2], 0.0f) +
                           std::min(q[i + 3], 0.0f)};
        entry[0] = -entry[0];
        for (uint32_t j = 0; j < 4; j++) {
            for (uint32_t m = 0; m < (1u << j); m++) entry[m + (1u << j)] = entry[m] + q[i + j];
        }
        for (int m = 0; m < 16; m++) {
            float share = entry[m] * inverse;  // NaN where sums overflow
            table[m] = static_cast<uint8_t>(share > 0 ? std::min(share, 255.0f) + 0.5f : 0);
        }
    }
    return {table - 4 * bits, bits / 4, 2 * step, static_cast<float>(2 * lowest - sum)};
}

void estimate(const BitQuery& query, const BitBlock* block, float base, float slack, float* estimates) {
    uint32_t sums[kBlockRows];
    simd::active->sum_nibbles(codes_of(block), query.table, query.groups, sums);
    for (uint32_t i = 0; i < kBlockRows; i++) {
        float signs = query.slope * static_cast<float>(static_cast<int32_t>(sums[i])) + query.offset;
        float e = base + block->add[i] + widen(block->scale[i]) * signs -
                  slack * widen(block->error[i]);
        // What overflows, or is NaN, may be anywhere.
        estimates[i] = std::fabs(e) < kLargest ? e : -kLargest;
    }
}

void encode_row(const float* x, const float* c, uint32_t dims, uint32_t bits, bool inner_product, uint8_t* row) {
    uint8_t* code = row + sizeof(simd::RowFactors);
    SignFactors f = encode_signs(x, c, dims, bits, inner_product, code);
    simd::RowFactors factors{-HUGE_VALF, 0, 0, 0};
    double add = f.constant - f.scale * f.offset;
    if (f.norm_sq < kUsualSquare && std::fabs(add) < kUsualSquare) {
        auto ones = simd::active->common_bits(code, code, bits / 8).both;
        factors = {static_cast<float>(add), static_cast<float>(f.scale), static_cast<float>(f.error),
                   static_cast<float>(ones)};
    }
    memcpy(row, &factors, sizeof factors);
}

simd::RowTerms prepare_for_rows(const float* q, uint32_t bits, float base, float slack, uint8_t* values) {
    simd::MinMax range = simd::active->min_max_f32(q, bits);
    float width = range.max - range.min, lo = range.min, step = width / 255;
    bool usual = width * width < kUsualSquare && std::fabs(lo) * width < kUsualSquare && std::fabs(base) < kUsualSquare;
    uint32_t sum = 0;
    if (usual && width > 0x1p-100f) {
        sum = simd::active->quantize_u8(q, bits, lo, 255 / width, 255, values).sum;
    } else {
        memset(values, 0, bits);
    }
    // Too large for sums of floats: whatever it is, it may be near.
    if (!usual) return {values, -HUGE_VALF, 0, 0, 0, 0};
    float total = static_cast<float>(bits) * lo + step * static_cast<float>(sum);
    return {values, base, 2 * step, 2 * lo, total, -slack};
}

float deviation(const BitBlock* block, uint32_t row) { return widen(block->error[row]); }

}  // namespace vext::codec
