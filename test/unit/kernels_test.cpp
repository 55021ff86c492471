// Every kernel of every instruction set that this machine has, against the scalar table and against plain arithmetic in
// double, at lengths that exercise each tail, with both ends of the input next to pages that fault.
#include "simd/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "test_util.h"

using namespace vext::simd;
using vext::float_to_half;
using vext::Half;
using vext::half_to_float;
using vext::test::context;
using vext::test::Guarded;
using vext::test::Random;

namespace {

constexpr size_t kMaxDim = 16000;
constexpr double kUlp = 0x1p-24;
constexpr Level kLevels[] = {Level::scalar, Level::baseline, Level::avx2, Level::avx512, Level::vnni};

Random rng{1};

std::vector<size_t> dims() {
    std::vector<size_t> d;
    for (size_t i = 1; i <= 130; i++) d.push_back(i);
    for (size_t i : {255, 257, 384, 768, 1536, 2000}) d.push_back(i);
    d.push_back(kMaxDim);
    return d;
}

bool same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

// ---- floats

enum Values { unit, small_integers, mixed_magnitudes, subnormal, large, signed_zeros, kValues };

float value(Values kind) {
    switch (kind) {
        case unit: return float(rng.between(-1, 1));
        case small_integers: return float(int(rng.between(-9, 10)));
        case mixed_magnitudes: return float(rng.between(-1, 1) * std::pow(10.0, rng.between(-12, 6)));
        case subnormal: return float(rng.between(-1e-39, 1e-39));
        case large: return float(rng.between(-1e16, 1e16));
        default: return rng.next() % 2 ? -0.0f : 0.0f;
    }
}

float half_range(Values kind) {
    return kind == large ? float(rng.between(-65504, 65504)) : std::clamp(value(kind), -65504.0f, 65504.0f);
}

struct Exact {  // value and sum of |terms|
    double value = 0, size = 0;
    void add(double term) { value += term, size += std::fabs(term); }
    bool near(double got, size_t dim, double ulp = kUlp) const {
        return std::fabs(got - value) <= (double(dim) + 3) * ulp * size + double(dim) * 0x1p-149;
    }
};

// The kernels of one element type under common names.
template <class T>
struct Of {
    float (*l2_sq)(const T*, const T*, size_t) noexcept;
    float (*dot)(const T*, const T*, size_t) noexcept;
    float (*l1)(const T*, const T*, size_t) noexcept;
    CosineSums (*cosine_sums)(const T*, const T*, size_t) noexcept;
    double (*norm_sq)(const T*, size_t) noexcept;
};
Of<float> of(const Kernels& k, float) {
    return {k.l2_sq_f32, k.dot_f32, k.l1_f32, k.cosine_sums_f32, k.norm_sq_f32};
}
Of<Half> of(const Kernels& k, Half) {
    return {k.l2_sq_f16, k.dot_f16, k.l1_f16, k.cosine_sums_f16, k.norm_sq_f16};
}
double widen(float x) { return x; }
double widen(Half x) { return half_to_float(x); }

// The distances of a and b; the caller decides where these lie.
template <class T>
void check_distances(const Kernels& table, const Kernels& scalar_table, const T* a, const T* b, size_t dim,
                     Values kind) {
    const Of<T> k = of(table, T{}), scalar = of(scalar_table, T{});
    Exact l2, dot, l1, norm;
    for (size_t i = 0; i < dim; i++) {
        const double x = widen(a[i]), y = widen(b[i]);
        l2.add((x - y) * (x - y));
        dot.add(x * y);
        l1.add(std::fabs(x - y));
        norm.add(x * x);
    }
    const float got_l2 = k.l2_sq(a, b, dim), got_dot = k.dot(a, b, dim), got_l1 = k.l1(a, b, dim);
    CHECK(l2.near(got_l2, dim), "%g, exact %g", double(got_l2), l2.value);
    CHECK(dot.near(got_dot, dim), "%g, exact %g", double(got_dot), dot.value);
    CHECK(l1.near(got_l1, dim), "%g, exact %g", double(got_l1), l1.value);
    CHECK(norm.near(k.norm_sq(a, dim), dim, 0x1p-53));
    if (kind == small_integers) {  // exact whatever the order
        CHECK(same_bits(got_l2, scalar.l2_sq(a, b, dim)));
        CHECK(same_bits(got_dot, scalar.dot(a, b, dim)));
        CHECK(same_bits(got_l1, scalar.l1(a, b, dim)));
    }
    const CosineSums c = k.cosine_sums(a, b, dim);
    CHECK(same_bits(c.dot, got_dot), "%a, dot %a", double(c.dot), double(got_dot));
    CHECK(same_bits(c.norm_a_sq, k.dot(a, a, dim)));
    CHECK(same_bits(c.norm_b_sq, k.dot(b, b, dim)));
}

// Both conversions between a block of halves and one of floats, each the size given.
void check_conversions(const Kernels& k, const Half* halves, float* floats, size_t dim) {
    k.f16_to_f32(halves, dim, floats);
    bool same = true;
    for (size_t i = 0; i < dim; i++) same &= same_bits(floats[i], half_to_float(halves[i]));
    CHECK(same, "widening");
}

void check_conversions(const Kernels& k, const float* floats, Half* halves, size_t dim) {
    k.f32_to_f16(floats, dim, halves);
    bool same = true;
    for (size_t i = 0; i < dim; i++) same &= halves[i].bits == float_to_half(floats[i]).bits;
    CHECK(same, "narrowing");
}

// Every half, and the floats around every half and every middle of two.
void check_all_halves(const Kernels& k) {
    std::vector<Half> halves(0x10000);
    std::vector<float> floats(halves.size());
    for (size_t i = 0; i < halves.size(); i++) halves[i].bits = uint16_t(i);
    check_conversions(k, halves.data(), floats.data(), halves.size());
    const std::vector<float> exact = floats;
    for (uint32_t offset : {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x1FFFu}) {
        for (size_t i = 0; i < exact.size(); i++)
            floats[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(exact[i]) + offset);
        check_conversions(k, floats.data(), halves.data(), halves.size());
    }
    for (float& f : floats) f = std::bit_cast<float>(uint32_t(rng.next()));
    check_conversions(k, floats.data(), halves.data(), halves.size());
}

// The float kernels on a and b; the caller decides where these lie.
void check_floats(const Kernels& k, const Kernels& scalar, const float* a, const float* b, size_t dim, Values kind) {
    check_distances(k, scalar, a, b, dim, kind);
    const MinMax m = k.min_max_f32(a, dim), reference = scalar.min_max_f32(a, dim);
    CHECK(same_bits(m.min, reference.min) && same_bits(m.max, reference.max));
    CHECK(m.min == *std::min_element(a, a + dim) && m.max == *std::max_element(a, a + dim));
}

// What has a result for each element; in place, in `a`.
void check_each(const Kernels& k, const Kernels& scalar, float* a, const float* b, size_t dim) {
    std::vector<float> expected(dim);
    const auto same = [&] { return memcmp(a, expected.data(), dim * sizeof(float)) == 0; };
    scalar.multiply_f32(a, b, dim, expected.data());
    k.multiply_f32(a, b, dim, a);
    CHECK(same(), "products");
    scalar.scale_f32(a, 0.3f, b, 0.5f, dim, expected.data());
    k.scale_f32(a, 0.3f, b, 0.5f, dim, a);
    CHECK(same() && std::all_of(a, a + dim, [](float v) { return std::fabs(v) <= 0.5f; }), "clamped");
    scalar.scale_f32(a, -7, nullptr, std::numeric_limits<float>::infinity(), dim, expected.data());
    k.scale_f32(a, -7, nullptr, std::numeric_limits<float>::infinity(), dim, a);
    CHECK(same(), "scaled");
}

// ---- 8-bit codes

enum Bytes { random_bytes, all_zero, all_255, zero_or_255, kBytes };

uint8_t byte(Bytes kind) {
    switch (kind) {
        case random_bytes: return uint8_t(rng.next());
        case all_zero: return 0;
        case all_255: return 255;
        default: return rng.next() % 2 ? 255 : 0;
    }
}

void check_bytes(const Kernels& k, const uint8_t* a, const uint8_t* b, size_t dim) {
    uint64_t dot = 0;
    for (size_t i = 0; i < dim; i++) dot += uint64_t(a[i]) * b[i];
    CHECK(k.dot_u8(a, b, dim) == dot, "%u, exact %llu", k.dot_u8(a, b, dim), (unsigned long long)dot);

    uint64_t differing = 0, both = 0, either = 0;
    for (size_t i = 0; i < dim; i++) {
        for (int bit = 0; bit < 8; bit++) {
            const bool x = a[i] >> bit & 1, y = b[i] >> bit & 1;
            differing += x != y, both += x && y, either += x || y;
        }
    }
    CHECK(k.differing_bits(a, b, dim) == differing);
    const BitCounts common = k.common_bits(a, b, dim);
    CHECK(common.both == both && common.either == either);

    const float step_a = float(rng.between(0, 0.1)), step_b = float(rng.between(0, 0.1));
    const float delta = float(rng.between(-3, 3));
    Exact l1;
    double parts = 0;
    for (size_t i = 0; i < dim; i++) {
        l1.add(std::fabs(double(delta) + double(step_a) * a[i] - double(step_b) * b[i]));
        parts += std::fabs(double(delta)) + double(step_a) * a[i] + double(step_b) * b[i];
    }
    l1.size = parts;  // the parts of a term may cancel
    CHECK(l1.near(k.l1_u8(a, b, step_a, step_b, delta, dim), dim));
}

void check_many(const Kernels& k, size_t dim) {
    static Guarded query_memory(kMaxDim), row_memory(kMaxDim + 64), out_memory(64);
    uint8_t* query = query_memory.last<uint8_t>(dim);
    for (size_t i = 0; i < dim; i++) query[i] = byte(random_bytes);
    for (uint8_t* p = row_memory.begin(); p < row_memory.end(); p++) *p = byte(random_bytes);
    for (size_t n = 0; n <= 9; n++) {
        const uint8_t* rows[9];
        for (size_t r = 0; r < n; r++) {
            rows[r] = r % 2 ? row_memory.last<uint8_t>(dim, r / 2) : row_memory.first<uint8_t>() + r / 2;
        }
        uint32_t* out = out_memory.last<uint32_t>(n);
        k.dot_u8_many(query, rows, n, dim, out);
        for (size_t r = 0; r < n; r++) CHECK(out[r] == k.dot_u8(query, rows[r], dim), "row %zu of %zu", r, n);
    }
}

// Each product of a matrix is that of its two codes, however many there are of them.
void check_matrix(const Kernels& k, size_t dim) {
    constexpr size_t kMost = 100, kQueries = 14;
    static Guarded row_memory(kMost * (kMaxDim + 3)), packed_memory(packed_bytes(kMost, kMaxDim)),
        query_memory(kQueries * kMaxDim), out_memory(kQueries * packed_rows(kMost) * 4);
    for (size_t n : {1, 15, 16, 17, 64, 100}) {
        for (size_t count : {1, 6, 14}) {
            const size_t stride = dim + n % 3;
            uint8_t *rows = row_memory.last<uint8_t>(n * stride), *queries = query_memory.last<uint8_t>(count * dim),
                    *packed = packed_memory.last<uint8_t>(packed_bytes(n, dim));
            uint32_t* out = out_memory.last<uint32_t>(count * packed_rows(n));
            for (size_t i = 0; i < n * stride; i++) rows[i] = byte(n == 17 ? all_255 : random_bytes);
            for (size_t i = 0; i < count * dim; i++) queries[i] = byte(n == 17 ? all_255 : random_bytes);
            const uint8_t* pointers[kQueries];
            for (size_t q = 0; q < count; q++) pointers[q] = queries + q * dim;
            k.pack_u8(rows, stride, n, dim, packed);
            k.dot_u8_matrix(pointers, count, packed, n, dim, out);
            for (size_t q = 0; q < count; q++) {
                for (size_t r = 0; r < packed_rows(n); r++) {
                    const uint32_t found = out[q * packed_rows(n) + r];
                    CHECK(r < n ? found == k.dot_u8(pointers[q], rows + r * stride, dim) : found < 1u << 31,
                          "query %zu, row %zu of %zu", q, r, n);
                }
            }
        }
    }
}

void check_least(const Kernels& k) {
    context("%s, least distance", k.name);
    constexpr size_t kMost = 160;
    float terms[4][kMost];
    uint32_t dots[kMost];
    for (size_t n = kPackedRows; n <= kMost; n += kPackedRows) {
        for (size_t round = 0; round < 20; round++) {
            // small whole numbers: exact in any order, with ties
            for (auto& term : terms) for (float& value : term) value = float(byte(random_bytes) % 8);
            for (uint32_t& dot : dots) dot = byte(random_bytes);
            for (size_t i = n - round % kPackedRows; i < n; i++) terms[0][i] = HUGE_VALF;
            const auto value = [&](size_t i) {
                return terms[0][i] + 3 * terms[1][i] - 2 * (5 * terms[2][i] + terms[3][i] * float(dots[i]));
            };
            size_t at = 0;
            for (size_t i = 1; i < n; i++) at = value(i) < value(at) ? i : at;
            const Least least = k.least_distance({terms[0], terms[1], terms[2], terms[3]}, dots, n, 3, -2, 5);
            CHECK(least.at == at && least.value == value(at), "row %u, expected %zu of %zu", least.at, at, n);
        }
    }
}

// The same nibbles, packed, give the same products as bytes.
void check_packed(const Kernels& k, size_t dim) {
    static Guarded a_memory(kMaxDim), b_memory(kMaxDim), bytes_memory(kMaxDim);
    const size_t half = (dim + 1) / 2;
    for (int placement = 0; placement < 4; placement++) {
        const auto place = [&](Guarded& m, size_t n) { return placement % 2 ? m.last<uint8_t>(n) : m.first<uint8_t>(); };
        uint8_t *a = place(a_memory, half), *b = place(b_memory, half), *bytes = place(bytes_memory, dim);
        uint32_t expected_u8 = 0, expected_u4 = 0;
        for (size_t i = 0; i < half; i++) a[i] = byte(random_bytes), b[i] = placement < 2 ? byte(random_bytes) : 0xFF;
        if (dim % 2 == 1) a[half - 1] &= 15, b[half - 1] &= 15;
        for (size_t i = 0; i < dim; i++) {
            bytes[i] = placement < 2 ? byte(random_bytes) : 255;
            const auto at = [&](const uint8_t* p) { return i < half ? p[i] & 15u : p[i - half] >> 4u; };
            expected_u8 += bytes[i] * at(b);
            expected_u4 += at(a) * at(b);
        }
        CHECK(k.dot_u8_u4(bytes, b, dim) == expected_u8);
        CHECK(k.dot_u4(a, b, dim) == expected_u4);
        const uint8_t* rows[] = {a, b, b, a, b, a, a};
        for (size_t n = 0; n <= 7; n++) {
            uint32_t out[7];
            k.dot_u8_u4_many(bytes, rows, n, dim, out);
            for (size_t r = 0; r < n; r++) CHECK(out[r] == k.dot_u8_u4(bytes, rows[r], dim), "row %zu of %zu", r, n);
        }
    }
}

// ---- coding

void check_quantize(const Kernels& k, const Kernels& scalar, const float* x, size_t dim, float lo, float inv_step, float top = 255) {
    static Guarded memory(kMaxDim);
    static std::vector<uint8_t> expected(kMaxDim);
    uint8_t* code = memory.last<uint8_t>(dim);
    const CodeSums reference = scalar.quantize_u8(x, dim, lo, inv_step, top, expected.data());
    const CodeSums sums = k.quantize_u8(x, dim, lo, inv_step, top, code);
    CHECK(memcmp(code, expected.data(), dim) == 0);
    CHECK(sums.sum == reference.sum && sums.sum_sq == reference.sum_sq);

    const float step = inv_step > 0 ? 1 / inv_step : 0;
    if (!(std::fabs(lo) < 1e30f && step < 1e30f)) return;
    Exact sq, abs;
    for (size_t i = 0; i < dim; i++) {
        const double d = double(x[i]) - (double(lo) + double(step) * code[i]);
        sq.add(d * d);
        abs.add(std::fabs(d));
    }
    CHECK(sq.near(k.residual_sq_u8(x, code, dim, lo, step), dim, 0x1p-53));
    CHECK(abs.near(k.residual_abs_u8(x, code, dim, lo, step), dim, 0x1p-53));
}

void check_coding(const Kernels& k, const Kernels& scalar, float* x, size_t dim) {
    for (size_t i = 0; i < dim; i++) x[i] = value(unit);
    const MinMax m = scalar.min_max_f32(x, dim);
    check_quantize(k, scalar, x, dim, m.min, m.max > m.min ? 255 / (m.max - m.min) : 0);
    check_quantize(k, scalar, x, dim, -0.25f, 1000);  // clamps on both sides
    check_quantize(k, scalar, x, dim, -0.25f, 20, 15);
    // Halves: (x - lo) * inv_step = -2.5, -1.5 .. 257.5 exactly; to even.
    for (size_t i = 0; i < dim; i++) x[i] = float(int(rng.next() % 261) - 2) / 4 - 0.125f + 7;
    check_quantize(k, scalar, x, dim, 7, 4);
    // Close to halves, where a fused multiply-add would decide otherwise.
    for (size_t i = 0; i < dim; i++) x[i] = std::nextafter(float((double(i % 255) + 0.5) / 97 + 3), i % 2 ? 0.f : 9.f);
    check_quantize(k, scalar, x, dim, 3, 97);
    for (size_t i = 0; i < dim; i++) x[i] = rng.next() % 2 ? 3e38f : -3e38f;  // x - lo overflows
    check_quantize(k, scalar, x, dim, -3e38f, 1e-37f);
    for (size_t i = 0; i < dim; i++) x[i] = value(subnormal);
    check_quantize(k, scalar, x, dim, -1e-39f, 1e38f);
    for (size_t i = 0; i < dim; i++) x[i] = value(signed_zeros);
    check_quantize(k, scalar, x, dim, 0, 0);
}

void check_decoding(const Kernels& k, const Kernels& scalar, const uint8_t* code, float* x, size_t dim) {
    std::vector<float> expected(dim);
    scalar.decode_u8(code, -0.7f, 0.013f, dim, expected.data());
    k.decode_u8(code, -0.7f, 0.013f, dim, x);
    CHECK(memcmp(x, expected.data(), dim * sizeof(float)) == 0);
}

// ---- 1-bit codes and rotation

void check_sign_bits(const Kernels& k) {
    for (size_t dims : {64u, 128u, 384u, 1920u, 2048u, 16000u}) {
        const size_t bits = std::min<size_t>(dims, 1920);
        Guarded memory_x(dims * sizeof(float)), memory_c(dims * sizeof(float)), memory_code(bits / 8);
        float *x = memory_x.last<float>(dims), *c = memory_c.last<float>(dims);
        auto* code = memory_code.last<uint8_t>(bits / 8);
        for (int kind = 0; kind < kValues; kind++) {
            context("%s, signs, %zu dimensions, values %d", k.name, dims, kind);
            for (size_t i = 0; i < dims; i++) x[i] = value(Values(kind)), c[i] = i % 7 == 0 ? x[i] : value(Values(kind));
            Exact norm, along, size, signs;
            for (size_t i = 0; i < dims; i++) {
                const float r = x[i] - c[i];
                norm.add(double(r) * r);
                along.add(double(r) * c[i]);
                if (i < bits) size.add(std::fabs(r)), signs.add(r > 0 ? c[i] : -c[i]);
            }
            const SignSums got = k.sign_bits(x, c, dims, bits, code);
            CHECK(norm.near(got.norm_sq, dims, 0x1p-53), "%g, exact %g", got.norm_sq, norm.value);
            CHECK(along.near(double(got.along), dims) && size.near(double(got.size), dims) &&
                  signs.near(double(got.signs), dims));
            bool same = true;
            for (size_t i = 0; i < bits; i++) same &= (code[i / 8] >> i % 8 & 1) == (x[i] > c[i]);
            CHECK(same, "the code");
        }
    }
}

void check_nibbles(const Kernels& k) {
    for (size_t groups : {16u, 32u, 96u, 256u, 272u, 480u, 1008u}) {
        Guarded bits_memory(groups * 16), table_memory(groups * 16);
        auto *bits = bits_memory.last<uint8_t>(groups * 16), *table = table_memory.last<uint8_t>(groups * 16);
        for (int round = 0; round < 3; round++) {
            context("%s, %zu groups, round %d", k.name, groups, round);
            uint32_t expected[32] = {}, sums[32];
            for (size_t i = 0; i < groups * 16; i++) {
                bits[i] = uint8_t(rng.next());
                table[i] = round == 0 ? 255 : uint8_t(rng.next());  // 255: the largest sums
            }
            for (size_t row = 0; row < 32; row++) {
                for (size_t g = 0; g < groups; g++) {
                    const uint8_t pair = bits[g * 16 + row % 16];
                    expected[row] += table[g * 16 + (row < 16 ? pair % 16 : pair / 16)];
                }
            }
            k.sum_nibbles(bits, table, groups, sums);
            CHECK(memcmp(sums, expected, sizeof sums) == 0);
        }
    }
}

void check_estimates(const Kernels& k, const Kernels& scalar) {
    constexpr size_t kRows = 11, kHead = sizeof(RowFactors);
    for (size_t dim : {64u, 128u, 192u, 384u, 1920u}) {
        const size_t bytes = kHead + dim / 8;
        Guarded values_memory(dim), row_memory(bytes);
        auto *values = values_memory.last<uint8_t>(dim), *guarded = row_memory.last<uint8_t>(bytes);
        std::vector<uint8_t> others((kRows - 1) * bytes + 1);
        for (size_t n = 0; n <= kRows; n++) {
            context("%s, estimates of %zu rows of %zu bits", k.name, n, dim);
            const uint8_t* rows[kRows];
            float out[kRows + 1], expected[kRows];
            const RowTerms terms{values, value(unit), value(unit), value(unit), value(unit), value(unit)};
            for (size_t i = 0; i < dim; i++) values[i] = n == kRows ? 255 : uint8_t(rng.next());
            double largest = 0;
            for (size_t r = 0; r < n; r++) {
                uint8_t* row = r == n / 2 ? guarded : others.data() + 1 + (r < n / 2 ? r : r - 1) * bytes;
                const RowFactors f{value(unit), value(unit), value(unit), float(rng.next() % (dim + 1))};
                memcpy(row, &f, sizeof f);
                uint32_t sum = 0;
                for (size_t i = 0; i < dim; i++) {
                    if (i % 8 == 0) row[kHead + i / 8] = n == kRows ? 255 : uint8_t(rng.next());
                    sum += row[kHead + i / 8] >> i % 8 & 1 ? values[i] : 0u;
                }
                rows[r] = row;
                const double signs = double(terms.per_sum) * sum + double(terms.per_one) * f.ones - terms.minus;
                expected[r] = float(double(terms.base) + f.add + f.scale * signs + double(terms.per_error) * f.error);
                largest = std::max(largest, 3 + std::fabs(double(terms.per_sum)) * sum + double(dim));
            }
            out[n] = -77;
            k.estimate_rows(terms, rows, n, dim, out);
            CHECK(out[n] == -77);
            double worst = 0;
            for (size_t r = 0; r < n; r++) worst = std::max(worst, std::fabs(double(out[r]) - expected[r]));
            CHECK(worst <= 1e-6 * largest, "%g of %g", worst, largest);
            scalar.estimate_rows(terms, rows, n, dim, expected);
            CHECK(memcmp(out, expected, n * sizeof *out) == 0);
        }
    }
}

void check_hadamard(const Kernels& k, const Kernels& scalar) {
    for (size_t n : {64u, 128u, 256u, 512u, 1024u}) {
        context("%s, hadamard of %zu", k.name, n);
        Guarded memory(n * sizeof(float));
        float* x = memory.last<float>(n);
        std::vector<float> y(n);
        for (size_t i = 0; i < n; i++) x[i] = y[i] = value(unit);
        std::vector<double> expected(n);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) expected[i] += __builtin_popcountll(i & j) % 2 ? -y[j] : y[j];
        }
        k.hadamard(x, n, 0.125f);
        scalar.hadamard(y.data(), n, 0.125f);
        CHECK(memcmp(x, y.data(), n * sizeof(float)) == 0);
        double worst = 0;
        for (size_t i = 0; i < n; i++) worst = std::max(worst, std::fabs(x[i] - expected[i] / 8));
        CHECK(worst < 1e-5 * double(n), "%g", worst);
    }
}

// ---- all of it for one table

void check_table(const Kernels& k, const Kernels& scalar) {
    Guarded memory_a(kMaxDim * 4 + 16), memory_b(kMaxDim * 4 + 16);
    const auto place = [&](auto* type, size_t dim, int placement, auto*& a, auto*& b) {
        using T = std::remove_pointer_t<decltype(type)>;
        const size_t shift = size_t(placement) / 2;
        a = placement % 2 ? memory_a.last<T>(dim, shift) : memory_a.first<T>() + shift;
        b = placement % 2 ? memory_b.last<T>(dim) : memory_b.first<T>();
    };
    for (size_t dim : dims()) {
        for (int placement = 0; placement < 8; placement++) {
            float *fa, *fb;
            place(static_cast<float*>(nullptr), dim, placement, fa, fb);
            for (int kind = 0; kind < kValues; kind++) {
                context("%s, dim %zu, placement %d, values %d", k.name, dim, placement, kind);
                for (size_t i = 0; i < dim; i++) fa[i] = value(Values(kind)), fb[i] = value(Values(kind));
                check_floats(k, scalar, fa, fb, dim, Values(kind));
                check_each(k, scalar, fa, fb, dim);
            }
            Half *ha, *hb;
            for (int kind = 0; kind < kValues; kind++) {
                context("%s, dim %zu, placement %d, halves %d", k.name, dim, placement, kind);
                place(static_cast<float*>(nullptr), dim, placement, fa, fb);
                place(static_cast<Half*>(nullptr), dim, placement, ha, hb);
                for (size_t i = 0; i < dim; i++) fb[i] = half_range(Values(kind));
                check_conversions(k, fb, ha, dim);
                check_conversions(k, ha, fb, dim);
                for (size_t i = 0; i < dim; i++) hb[i] = float_to_half(half_range(Values(kind)));
                check_distances(k, scalar, ha, hb, dim, Values(kind));
            }
            context("%s, dim %zu, placement %d, coding", k.name, dim, placement);
            check_coding(k, scalar, fa, dim);
            uint8_t *a, *b;
            place(static_cast<uint8_t*>(nullptr), dim, placement, a, b);
            for (int kind = 0; kind < kBytes * kBytes; kind++) {
                context("%s, dim %zu, placement %d, bytes %d", k.name, dim, placement, kind);
                for (size_t i = 0; i < dim; i++) a[i] = byte(Bytes(kind / kBytes)), b[i] = byte(Bytes(kind % kBytes));
                check_bytes(k, a, b, dim);
            }
            check_decoding(k, scalar, b, fa, dim);
        }
        context("%s, dim %zu, many", k.name, dim);
        check_many(k, dim);
        check_packed(k, dim);
        check_matrix(k, dim);
    }
    check_least(k);
    check_nibbles(k);
    check_estimates(k, scalar);
    check_sign_bits(k);
    check_hadamard(k, scalar);
    context("%s, conversion", k.name);
    check_all_halves(k);
    // dim 0, and magnitudes whose squares overflow.
    context("%s, extremes", k.name);
    const float zero = k.l2_sq_f32(nullptr, nullptr, 0) + k.dot_f32(nullptr, nullptr, 0) + k.l1_f32(nullptr, nullptr, 0);
    CHECK(zero == 0 && k.dot_u8(nullptr, nullptr, 0) == 0 && k.norm_sq_f32(nullptr, 0) == 0);
    const std::vector<float> huge(100, 1e30f), minus(100, -1e30f);
    constexpr float inf = std::numeric_limits<float>::infinity();
    CHECK(k.l2_sq_f32(huge.data(), minus.data(), 100) == inf);
    CHECK(k.l2_sq_f32(huge.data(), huge.data(), 100) == 0);
    CHECK(k.dot_f32(huge.data(), huge.data(), 100) == inf && k.dot_f32(huge.data(), minus.data(), 100) == -inf);
    CHECK(std::fabs(k.norm_sq_f32(huge.data(), 100) / 1e62 - 1) < 1e-6);
    CHECK(std::fabs(k.l1_f32(huge.data(), minus.data(), 100) / 2e32f - 1) < 1e-5f);
}

void check_dispatch() {
    context("dispatch");
    const Kernels* best = table_for(Level::automatic);
    CHECK(best != nullptr && table_for(Level::baseline) == active);
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(best != table_for(Level::scalar) && active != table_for(Level::scalar));
#endif
    const char* names[] = {"scalar", "baseline", "avx2", "avx512", "vnni"};
    for (Level level : kLevels) {
        const Kernels *table = table_for(level), *before = active;
        CHECK(select(level) == (table != nullptr) && active == (table ? table : before));
        if (table) CHECK(strcmp(table->name, names[int(level) - 1]) == 0);
        printf("# %s: %s\n", names[int(level) - 1], table ? "tested" : "not on this machine");
    }
    CHECK(select(Level::automatic) && active == best);
}

}  // namespace

int main() {
    check_dispatch();
    const Kernels* scalar = table_for(Level::scalar);
    for (Level level : kLevels) {
        if (const Kernels* k = table_for(level)) check_table(*k, *scalar);
    }
    return vext::test::finish("kernels");
}
