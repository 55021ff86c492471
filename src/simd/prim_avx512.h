// AVX-512 (F, DQ, BW, VL), with or without VNNI: what xsimd lacks.
#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // _mm512_undefined_ps of GCC 12 itself
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace vext::simd {
namespace {

inline F mul_add(F a, F b, F c) { return F(_mm512_fmadd_ps(a, b, c)); }
inline D mul_add(D a, D b, D c) { return D(_mm512_fmadd_pd(a, b, c)); }
inline F neg_mul_add(F a, F b, F c) { return F(_mm512_fnmadd_ps(a, b, c)); }

inline F load_first(const float* p, size_t n) { return F(_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p)); }

inline F codes(const uint8_t* p) {
    return F(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))));
}

inline void store_codes(F v, uint8_t* p) {  // rounds half to even, as the control word says by default
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(v)));
}

inline F halves(const Half* p) {
    return F(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}

inline void store_halves(F v, Half* p) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

inline uint32_t greater(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }  // a bit for each lane

inline D lower(F v) { return D(_mm512_cvtps_pd(_mm512_castps512_ps256(v))); }
inline D upper(F v) { return D(_mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))); }

// Sixty-four codes.
struct Codes {
    static constexpr size_t kWidth = 64;
    using Sum = __m512i;
    __m512i v;

    static Codes load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
    static Codes load_last(const uint8_t* end, size_t n, bool) {
        return {_mm512_maskz_loadu_epi8((__mmask64(1) << n) - 1, end - n)};
    }
    // Those of set bits; zero for the others.
    Codes where(const uint8_t* bits) const {
        uint64_t mask;
        memcpy(&mask, bits, sizeof mask);
        return {_mm512_maskz_mov_epi8(mask, v)};
    }
    static Sum zero() { return _mm512_setzero_si512(); }
    static Sum plus(Sum a, Sum b) { return _mm512_add_epi32(a, b); }

#ifdef __AVX512VNNI__
    static constexpr uint32_t kOffset = 128;
    static Sum dot(Sum s, Codes a, Codes b) {
        return _mm512_dpbusd_epi32(s, a.v, _mm512_xor_si512(b.v, _mm512_set1_epi8(char(0x80))));
    }
    static Sum add(Sum s, Codes a) { return _mm512_dpbusd_epi32(s, a.v, _mm512_set1_epi8(1)); }
    static Sum plus_times_offset(Sum s, Sum a) { return plus(s, _mm512_slli_epi32(a, 7)); }
#else
    static constexpr uint32_t kOffset = 0;
    __m512i even() const { return _mm512_and_si512(v, _mm512_set1_epi16(0xff)); }
    __m512i odd() const { return _mm512_srli_epi16(v, 8); }
    static Sum dot(Sum s, Codes a, Codes b) {
        return plus(plus(s, _mm512_madd_epi16(a.even(), b.even())), _mm512_madd_epi16(a.odd(), b.odd()));
    }
    static Sum add(Sum s, Codes a) {
        return plus(s, _mm512_madd_epi16(_mm512_add_epi16(a.even(), a.odd()), _mm512_set1_epi16(1)));
    }
#endif

    struct Nibbles;
    static Nibbles nibbles(Codes c);
    // b is below 128
#ifdef __AVX512VNNI__
    static Sum dot_small(Sum s, Codes a, Codes b) { return _mm512_dpbusd_epi32(s, a.v, b.v); }
#else
    static Sum dot_small(Sum s, Codes a, Codes b) { return dot(s, a, b); }
#endif

    static __m256i halves(Sum s) {
        return _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
    }
    static __m128i quarters(__m256i s) {
        return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    }
    static uint32_t total(Sum sum) {
        __m128i s = quarters(halves(sum));
        s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
        return uint32_t(_mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)))));
    }
    static void store_totals(uint32_t* out, Sum a, Sum b, Sum c, Sum d, uint32_t offset) {
        const __m256i ab = _mm256_hadd_epi32(halves(a), halves(b)), cd = _mm256_hadd_epi32(halves(c), halves(d));
        const __m128i sums = quarters(_mm256_hadd_epi32(ab, cd));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_add_epi32(sums, _mm_set1_epi32(int32_t(offset))));
    }
};

struct Codes::Nibbles {
    Codes low, high;
};

inline Codes::Nibbles Codes::nibbles(Codes c) {
    const __m512i mask = _mm512_set1_epi8(15);
    return {{_mm512_and_si512(c.v, mask)}, {_mm512_and_si512(_mm512_srli_epi16(c.v, 4), mask)}};
}

#ifdef __AVX512VNNI__
// Sums of products of four codes of a query, repeated, with four signed codes of sixteen rows.
#define VEXT_MATRIX
struct Products {
    static constexpr uint32_t kOffset = 128;  // times the query's codes: what makes the rows' unsigned
    using Row = __m512i;
    __m512i sums;

    static Products all(uint32_t value) { return {_mm512_set1_epi32(int32_t(value))}; }
    static Row load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static Row repeat(uint32_t four) { return _mm512_set1_epi32(int32_t(four)); }
    void add(Row query, Row rows) { sums = _mm512_dpbusd_epi32(sums, query, rows); }
    void store(uint32_t* out) const { _mm512_storeu_si512(out, sums); }
};
#endif

// Sums of table entries chosen by nibbles, 32 rows, four groups (one in each quarter of the registers) a step.
// Each sum of bytes runs in two vectors of 16-bit lanes: one adds whole lanes, into which the odd bytes spill over, the
// other the odd bytes alone, which takes them off again at the end.
#define VEXT_NIBBLES
struct NibbleSums {
    static constexpr size_t kGroups = 4;
    __m512i low, low_odd, high, high_odd;  // of rows 0 to 15 and 16 to 31

    static NibbleSums zero() {
        const __m512i z = _mm512_setzero_si512();
        return {z, z, z, z};
    }
    void add(const uint8_t* bits, const uint8_t* table) {
        const __m512i v = _mm512_loadu_si512(bits), t = _mm512_loadu_si512(table);
        const __m512i mask = _mm512_set1_epi8(15);
        const __m512i a = _mm512_shuffle_epi8(t, _mm512_and_si512(v, mask));
        const __m512i b = _mm512_shuffle_epi8(t, _mm512_and_si512(_mm512_srli_epi16(v, 4), mask));
        low = _mm512_add_epi16(low, a);
        low_odd = _mm512_add_epi16(low_odd, _mm512_srli_epi16(a, 8));
        high = _mm512_add_epi16(high, b);
        high_odd = _mm512_add_epi16(high_odd, _mm512_srli_epi16(b, 8));
    }
    static void store_rows(__m512i all, __m512i odd, uint32_t* sums) {
        const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
        const __m512i first = _mm512_unpacklo_epi16(even, odd), last = _mm512_unpackhi_epi16(even, odd);
        for (const __m512i v : {first, last}) {  // rows 0 to 7, then 8 to 15, of all four groups
            const __m512i wide = _mm512_add_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(v)),
                                                  _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(v, 1)));
            // each half of `wide` has one group's eight rows
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), Codes::halves(wide));
            sums += 8;
        }
    }
    void store(uint32_t* sums) const {
        store_rows(low, low_odd, sums);
        store_rows(high, high_odd, sums + 16);
    }
};

}  // namespace
}  // namespace vext::simd
