// Every vector kernel, once; a file of a few lines compiles it for each instruction set. Such a file renames the xsimd
// namespace first: otherwise the linker would merge the inline functions of different instruction sets, and the
// AVX-512 copy of one could run on a machine without it.
//
// Compiled with -ffp-contract=off: products are fused with sums in mul_add, and nowhere else. That makes
// quantize_u8 the same everywhere, and cosine_sums the same as dot.
#include <cstring>
#include <limits>
#include <utility>
#include <xsimd/xsimd.hpp>

#include "simd/tables.h"

#define VEXT_INLINE __attribute__((always_inline))

namespace vext::simd {
namespace {

using F = xsimd::batch<float, VEXT_ARCH>;
using D = xsimd::batch<double, VEXT_ARCH>;
constexpr size_t W = F::size;

// How much of a vector a step may touch: all lanes, or the first n (0 < n < W), the others reading as zero.
struct Whole {};
struct First {
    size_t n;
};

}  // namespace
}  // namespace vext::simd

// What xsimd lacks: mul_add (8.1 does not fuse on AVX-512), load_first, codes, lower, upper, store_codes, halves,
// store_halves, greater and the 8-bit products of struct Codes.
#include VEXT_PRIM

namespace vext::simd {
namespace {

inline F load(const float* p, Whole) { return F::load_unaligned(p); }
inline F load(const float* p, First f) { return load_first(p, f.n); }

// Integers below 2^31.
inline F whole_numbers(const uint32_t* p) {
    return xsimd::to_float(xsimd::batch<int32_t, VEXT_ARCH>::load_unaligned(reinterpret_cast<const int32_t*>(p)));
}

inline F load(const Half* p, Whole) { return halves(p); }
inline F load(const Half* p, First f) {
    Half buf[W] = {};
    for (size_t i = 0; i < f.n; i++) buf[i] = p[i];
    return halves(buf);
}

inline F load_codes(const uint8_t* p, Whole) { return codes(p); }
inline F load_codes(const uint8_t* p, First f) {
    uint8_t buf[W] = {};
    for (size_t i = 0; i < f.n; i++) buf[i] = p[i];
    return codes(buf);
}

// The same of a result, for steps that zeros as input do not make zero. The doubles are lanes `from` and on.
inline F keep(F v, Whole) { return v; }
inline F keep(F v, First f) {
    alignas(64) static constexpr float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return xsimd::select(F::load_aligned(lane) < F(float(f.n)), v, F(0.0f));
}
inline D keep(D v, Whole, size_t) { return v; }
inline D keep(D v, First f, size_t from) {
    alignas(64) static constexpr double lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return xsimd::select(D::load_unaligned(lane + from) < D(double(f.n)), v, D(0.0));
}

#if XSIMD_VERSION_MAJOR >= 9  // hadd was renamed
template <class B> inline auto lane_sum(B v) { return xsimd::reduce_add(v); }
#else
template <class B> inline auto lane_sum(B v) { return xsimd::hadd(v); }
#endif

// The loop of all kernels that add floats. Four accumulators, since an addition takes about four cycles and the loads
// of one step one. One shape for all: kernels that take the same steps round alike.
template <class Acc, class Step> VEXT_INLINE inline Acc fold(size_t dim, Acc zero, Step step) {
    Acc s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    size_t i = 0;
    for (; i + 4 * W <= dim; i += 4 * W) {
        step(s0, i, Whole{});
        step(s1, i + W, Whole{});
        step(s2, i + 2 * W, Whole{});
        step(s3, i + 3 * W, Whole{});
    }
    for (; i + W <= dim; i += W) step(s0, i, Whole{});
    if (i < dim) step(s1, i, First{dim - i});
    return (s0 + s1) + (s2 + s3);
}

struct DoubleSums {  // the two halves of a float vector, widened
    D lower, upper;
    friend DoubleSums operator+(DoubleSums x, DoubleSums y) { return {x.lower + y.lower, x.upper + y.upper}; }
};

struct CosineVectors {
    F dot, norm_a_sq, norm_b_sq;
    friend CosineVectors operator+(CosineVectors x, CosineVectors y) {
        return {x.dot + y.dot, x.norm_a_sq + y.norm_a_sq, x.norm_b_sq + y.norm_b_sq};
    }
};

// T: float or Half.
template <class T> float l2_sq(const T* a, const T* b, size_t dim) noexcept {
    return lane_sum(fold(dim, F(0.0f), [=](F& s, size_t i, auto part) VEXT_INLINE {
        const F d = load(a + i, part) - load(b + i, part);
        s = mul_add(d, d, s);
    }));
}

template <class T> float dot(const T* a, const T* b, size_t dim) noexcept {
    return lane_sum(fold(dim, F(0.0f), [=](F& s, size_t i, auto part) VEXT_INLINE {
        s = mul_add(load(a + i, part), load(b + i, part), s);
    }));
}

template <class T> float l1(const T* a, const T* b, size_t dim) noexcept {
    return lane_sum(fold(dim, F(0.0f), [=](F& s, size_t i, auto part) VEXT_INLINE {
        s = s + xsimd::abs(load(a + i, part) - load(b + i, part));
    }));
}

template <class T> CosineSums cosine_sums(const T* a, const T* b, size_t dim) noexcept {
    const CosineVectors zero{F(0.0f), F(0.0f), F(0.0f)};
    const CosineVectors sums = fold(dim, zero, [=](CosineVectors& s, size_t i, auto part) VEXT_INLINE {
        const F x = load(a + i, part), y = load(b + i, part);
        s.dot = mul_add(x, y, s.dot);
        s.norm_a_sq = mul_add(x, x, s.norm_a_sq);
        s.norm_b_sq = mul_add(y, y, s.norm_b_sq);
    });
    return {lane_sum(sums.dot), lane_sum(sums.norm_a_sq), lane_sum(sums.norm_b_sq)};
}

template <class T> double norm_sq(const T* a, size_t dim) noexcept {
    const DoubleSums sums = fold(dim, DoubleSums{D(0.0), D(0.0)}, [=](DoubleSums& s, size_t i, auto part) VEXT_INLINE {
        const F x = load(a + i, part);
        const D lo = lower(x), hi = upper(x);
        s.lower = mul_add(lo, lo, s.lower);
        s.upper = mul_add(hi, hi, s.upper);
    });
    return lane_sum(sums.lower + sums.upper);
}

void f16_to_f32(const Half* from, size_t dim, float* to) noexcept {
    size_t i = 0;
    for (; i + W <= dim; i += W) halves(from + i).store_unaligned(to + i);
    for (; i < dim; i++) to[i] = half_to_float(from[i]);
}

void f32_to_f16(const float* from, size_t dim, Half* to) noexcept {
    size_t i = 0;
    for (; i + W <= dim; i += W) store_halves(load(from + i, Whole{}), to + i);
    for (; i < dim; i++) to[i] = float_to_half(from[i]);
}

// ---- 8-bit codes. Codes::dot(s, a, b) adds a * (b - Codes::kOffset): vpdpbusd wants its second operand signed, and
// kOffset * sum(a) is added at the end.

// Codes i..dim of p; nothing before p or behind p + dim is read.
inline Codes last_codes(const uint8_t* p, size_t i, size_t dim) {
    return Codes::load_last(p + dim, dim - i, dim >= Codes::kWidth);
}

template <class C> inline typename C::Sum with_offset(typename C::Sum s, typename C::Sum sum_a) {
    if constexpr (C::kOffset != 0) return C::plus_times_offset(s, sum_a);
    return s;
}

inline uint32_t sum_u8(const uint8_t* a, size_t dim) noexcept {
    Codes::Sum s = Codes::zero();
    size_t i = 0;
    for (; i + Codes::kWidth <= dim; i += Codes::kWidth) s = Codes::add(s, Codes::load(a + i));
    if (i < dim) s = Codes::add(s, last_codes(a, i, dim));
    return Codes::total(s);
}

uint32_t dot_u8(const uint8_t* a, const uint8_t* b, size_t dim) noexcept {
    constexpr size_t w = Codes::kWidth;
    Codes::Sum s0 = Codes::zero(), s1 = s0, s2 = s0, s3 = s0, sum_a0 = s0, sum_a1 = s0;
    const auto step = [&](Codes::Sum& s, Codes::Sum& sum_a, Codes x, Codes y) VEXT_INLINE {
        s = Codes::dot(s, x, y);
        if constexpr (Codes::kOffset != 0) sum_a = Codes::add(sum_a, x);
    };
    size_t i = 0;
    for (; i + 4 * w <= dim; i += 4 * w) {
        step(s0, sum_a0, Codes::load(a + i), Codes::load(b + i));
        step(s1, sum_a1, Codes::load(a + i + w), Codes::load(b + i + w));
        step(s2, sum_a0, Codes::load(a + i + 2 * w), Codes::load(b + i + 2 * w));
        step(s3, sum_a1, Codes::load(a + i + 3 * w), Codes::load(b + i + 3 * w));
    }
    for (; i + w <= dim; i += w) step(s1, sum_a0, Codes::load(a + i), Codes::load(b + i));
    if (i < dim) step(s2, sum_a1, last_codes(a, i, dim), last_codes(b, i, dim));
    const Codes::Sum s = Codes::plus(Codes::plus(s0, s1), Codes::plus(s2, s3));
    return Codes::total(with_offset<Codes>(s, Codes::plus(sum_a0, sum_a1)));
}

// Four rows at a time share the loads of the query, its sum and the adding across lanes.
void dot_u8_many(const uint8_t* query, const uint8_t* const* rows, size_t n, size_t dim, uint32_t* out) noexcept {
    constexpr size_t w = Codes::kWidth;
    uint32_t offset = 0;
    if constexpr (Codes::kOffset != 0) offset = Codes::kOffset * sum_u8(query, dim);
    size_t r = 0;
    for (; r + 4 <= n; r += 4) {
        const uint8_t *r0 = rows[r], *r1 = rows[r + 1], *r2 = rows[r + 2], *r3 = rows[r + 3];
        Codes::Sum s0 = Codes::zero(), s1 = s0, s2 = s0, s3 = s0;
        size_t i = 0;
        for (; i + w <= dim; i += w) {
            const Codes q = Codes::load(query + i);
            s0 = Codes::dot(s0, q, Codes::load(r0 + i));
            s1 = Codes::dot(s1, q, Codes::load(r1 + i));
            s2 = Codes::dot(s2, q, Codes::load(r2 + i));
            s3 = Codes::dot(s3, q, Codes::load(r3 + i));
        }
        if (i < dim) {
            const Codes q = last_codes(query, i, dim);
            s0 = Codes::dot(s0, q, last_codes(r0, i, dim));
            s1 = Codes::dot(s1, q, last_codes(r1, i, dim));
            s2 = Codes::dot(s2, q, last_codes(r2, i, dim));
            s3 = Codes::dot(s3, q, last_codes(r3, i, dim));
        }
        Codes::store_totals(out + r, s0, s1, s2, s3, offset);
    }
    for (; r < n; r++) out[r] = dot_u8(query, rows[r], dim);
}

}  // namespace
}  // namespace vext::simd

#include "simd/kernels_matrix-inl.h"
#include "simd/kernels_packed-inl.h"

namespace vext::simd {
namespace {

float l1_u8(const uint8_t* a, const uint8_t* b, float step_a, float step_b, float delta, size_t dim) noexcept {
    const F sa(step_a), sb(step_b), d(delta);
    return lane_sum(fold(dim, F(0.0f), [=](F& s, size_t i, auto part) VEXT_INLINE {
        const F x = mul_add(sa, load_codes(a + i, part), d);
        s = s + keep(xsimd::abs(neg_mul_add(sb, load_codes(b + i, part), x)), part);
    }));
}

// ---- bits

// Not std::popcount: unless inlined, it is one function for all instruction sets.
inline uint64_t ones(uint64_t word) {
#if defined(__POPCNT__) || defined(__aarch64__)
    return uint64_t(__builtin_popcountll(word));
#else  // sums of 2, 4 and 8 bits side by side, then all bytes by a product
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    return ((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56;
#endif
}

// step(x, y) for each eight bytes; the last ones are filled up with zeros.
template <class Step> VEXT_INLINE inline void each_word(const uint8_t* a, const uint8_t* b, size_t bytes, Step step) {
    uint64_t x, y;
    for (; bytes >= 8; a += 8, b += 8, bytes -= 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        step(x, y);
    }
    x = y = 0;
    for (size_t i = 0; i < bytes; i++) x |= uint64_t(a[i]) << 8 * i, y |= uint64_t(b[i]) << 8 * i;
    step(x, y);
}

uint64_t differing_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
    uint64_t n = 0;
    each_word(a, b, bytes, [&](uint64_t x, uint64_t y) VEXT_INLINE { n += ones(x ^ y); });
    return n;
}

BitCounts common_bits(const uint8_t* a, const uint8_t* b, size_t bytes) noexcept {
    BitCounts n{0, 0};
    each_word(a, b, bytes, [&](uint64_t x, uint64_t y) VEXT_INLINE {
        n.both += ones(x & y);
        n.either += ones(x | y);
    });
    return n;
}

// ---- 1-bit codes

// NibbleSums::kGroups groups a step. Sums are of 16 bits: after 256 steps of at most 255 they are moved.
void sum_nibbles(const uint8_t* bits, const uint8_t* table, size_t groups, uint32_t* sums) noexcept {
#ifdef VEXT_NIBBLES
    constexpr size_t most = 256 * NibbleSums::kGroups;
    for (size_t from = 0; from < groups; from += most) {
        const size_t end = groups - from < most ? groups : from + most;
        NibbleSums sum = NibbleSums::zero();
        for (size_t g = from; g < end; g += NibbleSums::kGroups) sum.add(bits + 16 * g, table + 16 * g);
        if (from == 0) {
            sum.store(sums);
            continue;
        }
        uint32_t part[32];
        sum.store(part);
        for (size_t r = 0; r < 32; r++) sums[r] += part[r];
    }
#else  // no byte shuffle
    kernels_scalar.sum_nibbles(bits, table, groups, sums);
#endif
}

typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourInts __attribute__((vector_size(16)));

inline Four load_four(const uint8_t* p) {
    Four v;
    memcpy(&v, p, sizeof v);
    return v;
}

// Four rows share the loads of the values, the adding across lanes, and the rest.
VEXT_INLINE inline void estimate_four(const RowTerms& terms, const uint8_t* const* rows, size_t dim, float* out) {
    constexpr size_t w = Codes::kWidth, head = sizeof(RowFactors);
    const uint8_t *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
    Codes::Sum s0 = Codes::zero(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < dim; i += w) {
        const Codes v = Codes::load(terms.values + i);
        s0 = Codes::add(s0, v.where(r0 + head + i / 8));
        s1 = Codes::add(s1, v.where(r1 + head + i / 8));
        s2 = Codes::add(s2, v.where(r2 + head + i / 8));
        s3 = Codes::add(s3, v.where(r3 + head + i / 8));
    }
    uint32_t totals[4];
    Codes::store_totals(totals, s0, s1, s2, s3, 0);
    FourInts sums;
    memcpy(&sums, totals, sizeof sums);
    const Four f0 = load_four(r0), f1 = load_four(r1), f2 = load_four(r2), f3 = load_four(r3);
    const Four add_scale_01 = __builtin_shufflevector(f0, f1, 0, 4, 1, 5), error_ones_01 = __builtin_shufflevector(f0, f1, 2, 6, 3, 7);
    const Four add_scale_23 = __builtin_shufflevector(f2, f3, 0, 4, 1, 5), error_ones_23 = __builtin_shufflevector(f2, f3, 2, 6, 3, 7);
    const Four add = __builtin_shufflevector(add_scale_01, add_scale_23, 0, 1, 4, 5);
    const Four scale = __builtin_shufflevector(add_scale_01, add_scale_23, 2, 3, 6, 7);
    const Four error = __builtin_shufflevector(error_ones_01, error_ones_23, 0, 1, 4, 5);
    const Four ones = __builtin_shufflevector(error_ones_01, error_ones_23, 2, 3, 6, 7);
    const Four signs = terms.per_sum * __builtin_convertvector(sums, Four) + terms.per_one * ones - terms.minus;
    const Four estimates = terms.base + add + scale * signs + terms.per_error * error;
    memcpy(out, &estimates, sizeof estimates);
}

void estimate_rows(const RowTerms& terms, const uint8_t* const* rows, size_t n, size_t dim, float* out) noexcept {
    size_t r = 0;
    for (; r + 4 <= n; r += 4) estimate_four(terms, rows + r, dim, out + r);
    if (r == n) return;
    const uint8_t* last[4];
    float estimates[4];
    for (size_t i = 0; i < 4; i++) last[i] = rows[std::min(r + i, n - 1)];
    estimate_four(terms, last, dim, estimates);
    memcpy(out + r, estimates, (n - r) * sizeof *out);
}

// ---- rotation

// Sixteen floats in as many registers as they take.
typedef float Sixteen __attribute__((vector_size(64)));
typedef int32_t SixteenBits __attribute__((vector_size(64)));

// The level of distance H within sixteen floats. (A difference is the sum with what has its sign turned.)
template <int H, int... I>
VEXT_INLINE inline void small_level(Sixteen& x, std::integer_sequence<int, I...>) {
    constexpr SixteenBits turned = {(I & H ? INT32_MIN : 0)...};
    x = __builtin_shufflevector(x, x, (I ^ H)...) + Sixteen(SixteenBits(x) ^ turned);
}

VEXT_INLINE inline void small_levels(float* x) {
    Sixteen v;
    memcpy(&v, x, sizeof v);
    constexpr auto lanes = std::make_integer_sequence<int, 16>{};
    small_level<1>(v, lanes);
    small_level<2>(v, lanes);
    small_level<4>(v, lanes);
    small_level<8>(v, lanes);
    memcpy(x, &v, sizeof v);
}

// Sums and differences of vectors h apart.
template <size_t N> VEXT_INLINE inline void level(F (&v)[N], size_t h) {
    for (size_t i = 0; i < N; i++) {
        if (i & h) continue;
        const F a = v[i], b = v[i + h];
        v[i] = a + b;
        v[i + h] = a - b;
    }
}

// Two levels at once, so that each float is loaded and stored half as often; or the last one by itself.
template <size_t N> VEXT_INLINE inline void levels(float* x, size_t n, size_t h, F scale) {
    for (size_t i = 0; i < n; i += N * h) {
        for (size_t j = i; j < i + h; j += W) {
            F v[N];
            for (size_t k = 0; k < N; k++) v[k] = load(x + j + k * h, Whole{});
            for (size_t k = 1; k < N; k *= 2) level(v, k);
            for (size_t k = 0; k < N; k++) (v[k] * scale).store_unaligned(x + j + k * h);
        }
    }
}

void hadamard(float* x, size_t n, float scale) noexcept {
    static_assert(W <= 16);
    const auto at = [=](size_t reached) VEXT_INLINE { return F(reached < n ? 1.0f : scale); };
    for (size_t i = 0; i < n; i += 64) {
        for (size_t j = i; j < i + 64; j += 16) small_levels(x + j);
        levels<4>(x + i, 64, 16, at(64));
    }
    size_t h = 64;
    for (; 4 * h <= n; h *= 4) levels<4>(x, n, h, at(4 * h));
    if (h < n) levels<2>(x, n, h, at(2 * h));
}

// out[i] = what `value` gives for it
template <class Value> VEXT_INLINE inline void each(size_t dim, float* out, Value value) {
    size_t i = 0;
    for (; i + W <= dim; i += W) value(i, Whole{}).store_unaligned(out + i);
    if (i == dim) return;
    float buf[W];
    value(i, First{dim - i}).store_unaligned(buf);
    memcpy(out + i, buf, (dim - i) * sizeof(float));
}

void multiply_f32(const float* a, const float* b, size_t dim, float* out) noexcept {
    each(dim, out, [=](size_t i, auto part) VEXT_INLINE { return load(a + i, part) * load(b + i, part); });
}

void scale_f32(const float* x, float scale, const float* less, float most, size_t dim, float* out) noexcept {
    const F factor(scale), top(most), bottom(-most);
    const auto clamped = [=](F v) VEXT_INLINE { return xsimd::min(xsimd::max(v, bottom), top); };
    if (less == nullptr) {
        each(dim, out, [=](size_t i, auto part) VEXT_INLINE { return clamped(load(x + i, part) * factor); });
    } else {
        each(dim, out, [=](size_t i, auto part)
                           VEXT_INLINE { return clamped(load(x + i, part) * factor - load(less + i, part)); });
    }
}

void decode_u8(const uint8_t* code, float lo, float step, size_t dim, float* out) noexcept {
    const F vlo(lo), vstep(step);
    each(dim, out, [=](size_t i, auto part) VEXT_INLINE { return vlo + vstep * load_codes(code + i, part); });
}

struct SignVectors {
    DoubleSums norm_sq;
    F along, size, signs;
    friend SignVectors operator+(const SignVectors& x, const SignVectors& y) {
        return {x.norm_sq + y.norm_sq, x.along + y.along, x.size + y.size, x.signs + y.signs};
    }
};

template <bool coded> VEXT_INLINE inline SignVectors sign_sums(const float* x, const float* c, size_t dims) {
    const F none(0.0f);
    const SignVectors zero{{D(0.0), D(0.0)}, none, none, none};
    return fold(dims, zero, [=](SignVectors& s, size_t i, auto part) VEXT_INLINE {
        const F y = load(c + i, part), r = load(x + i, part) - y;
        s.norm_sq.lower = mul_add(lower(r), lower(r), s.norm_sq.lower);
        s.norm_sq.upper = mul_add(upper(r), upper(r), s.norm_sq.upper);
        s.along = mul_add(r, y, s.along);
        if constexpr (coded) {
            s.size = s.size + xsimd::abs(r);
            s.signs = s.signs + xsimd::select(r > none, y, none - y);
        }
    });
}

SignSums sign_bits(const float* x, const float* c, size_t dims, size_t bits, uint8_t* code) noexcept {
    for (size_t i = 0; i < bits; i += 16) {
        uint32_t positive = 0;
        for (size_t j = 0; j < 16; j += W) {
            positive |= greater(load(x + i + j, Whole{}), load(c + i + j, Whole{})) << j;
        }
        code[i / 8] = uint8_t(positive);
        code[i / 8 + 1] = uint8_t(positive >> 8);
    }
    const SignVectors s = sign_sums<true>(x, c, bits) + sign_sums<false>(x + bits, c + bits, dims - bits);
    return {lane_sum(s.norm_sq.lower + s.norm_sq.upper), lane_sum(s.along), lane_sum(s.size), lane_sum(s.signs)};
}

// ---- coding

MinMax min_max_f32(const float* x, size_t dim) noexcept {
    float lo = x[0], hi = x[0];
    if (dim >= W) {
        const F first = load(x, Whole{}), last = load(x + dim - W, Whole{});  // these overlap, which does no harm
        F lo0 = xsimd::min(first, last), hi0 = xsimd::max(first, last), lo1 = lo0, hi1 = hi0;
        size_t i = W;
        for (; i + 2 * W <= dim; i += 2 * W) {
            const F v0 = load(x + i, Whole{}), v1 = load(x + i + W, Whole{});
            lo0 = xsimd::min(lo0, v0), hi0 = xsimd::max(hi0, v0);
            lo1 = xsimd::min(lo1, v1), hi1 = xsimd::max(hi1, v1);
        }
        if (i + W <= dim) lo1 = xsimd::min(lo1, load(x + i, Whole{})), hi1 = xsimd::max(hi1, load(x + i, Whole{}));
        float lane_lo[W], lane_hi[W];
        xsimd::min(lo0, lo1).store_unaligned(lane_lo);
        xsimd::max(hi0, hi1).store_unaligned(lane_hi);
        for (size_t k = 0; k < W; k++) {
            lo = lane_lo[k] < lo ? lane_lo[k] : lo;
            hi = lane_hi[k] > hi ? lane_hi[k] : hi;
        }
    } else {
        for (size_t k = 1; k < dim; k++) {
            lo = x[k] < lo ? x[k] : lo;
            hi = x[k] > hi ? x[k] : hi;
        }
    }
    return {lo + 0.0f, hi + 0.0f};  // -0 becomes 0: which of the two zeros is found depends on the order
}

CodeSums quantize_u8(const float* x, size_t dim, float lo, float inv_step, float top, uint8_t* code) noexcept {
    const F vlo(lo), vinv(inv_step), zero(0.0f), vtop(top);
    // Clamping before rounding is the same, since the ends are integers, and keeps the conversion in range.
    const auto scaled = [=](F v) VEXT_INLINE { return xsimd::min(xsimd::max((v - vlo) * vinv, zero), vtop); };
    size_t i = 0;
    for (; i + W <= dim; i += W) store_codes(scaled(load(x + i, Whole{})), code + i);
    if (i < dim) {
        uint8_t buf[W];
        store_codes(scaled(load(x + i, First{dim - i})), buf);
        memcpy(code + i, buf, dim - i);
    }
    return {sum_u8(code, dim), dot_u8(code, code, dim)};
}

// step * code and its sum with lo are formed in double, so a term is the same on every instruction set.
template <class Term>
VEXT_INLINE inline double residual(const float* x, const uint8_t* code, size_t dim, float lo, float step, Term term) {
    const D vlo = D(double(lo)), vstep = D(double(step));
    const DoubleSums sums = fold(dim, DoubleSums{D(0.0), D(0.0)}, [=](DoubleSums& s, size_t i, auto part) VEXT_INLINE {
        const F v = load(x + i, part), c = load_codes(code + i, part);
        s.lower = term(s.lower, keep(lower(v) - mul_add(vstep, lower(c), vlo), part, 0));
        s.upper = term(s.upper, keep(upper(v) - mul_add(vstep, upper(c), vlo), part, W / 2));
    });
    return lane_sum(sums.lower + sums.upper);
}

double residual_sq_u8(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept {
    return residual(x, code, dim, lo, step, [](D s, D d) VEXT_INLINE { return mul_add(d, d, s); });
}

double residual_abs_u8(const float* x, const uint8_t* code, size_t dim, float lo, float step) noexcept {
    return residual(x, code, dim, lo, step, [](D s, D d) VEXT_INLINE { return s + xsimd::abs(d); });
}

}  // namespace

const Kernels VEXT_TABLE = {
    .name = VEXT_NAME,
    .l2_sq_f32 = l2_sq<float>,
    .dot_f32 = dot<float>,
    .l1_f32 = l1<float>,
    .cosine_sums_f32 = cosine_sums<float>,
    .norm_sq_f32 = norm_sq<float>,
    .l2_sq_f16 = l2_sq<Half>,
    .dot_f16 = dot<Half>,
    .l1_f16 = l1<Half>,
    .cosine_sums_f16 = cosine_sums<Half>,
    .norm_sq_f16 = norm_sq<Half>,
    .f16_to_f32 = f16_to_f32,
    .f32_to_f16 = f32_to_f16,
    .dot_u8 = dot_u8,
    .dot_u8_many = dot_u8_many,
    .pack_u8 = pack_u8,
    .dot_u8_matrix = dot_u8_matrix,
    .least_distance = least_distance,
    .dot_u8_u4 = dot_u8_u4,
    .dot_u8_u4_many = dot_u8_u4_many,
    .dot_u4 = dot_u4,
    .l1_u8 = l1_u8,
    .differing_bits = differing_bits,
    .common_bits = common_bits,
    .sum_nibbles = sum_nibbles,
    .estimate_rows = estimate_rows,
    .sign_bits = sign_bits,
    .hadamard = hadamard,
    .multiply_f32 = multiply_f32,
    .scale_f32 = scale_f32,
    .decode_u8 = decode_u8,
    .min_max_f32 = min_max_f32,
    .quantize_u8 = quantize_u8,
    .residual_sq_u8 = residual_sq_u8,
    .residual_abs_u8 = residual_abs_u8,
};

}  // namespace vext::simd
