// SSE2: what xsimd lacks.
#include <emmintrin.h>

namespace vext::simd {
namespace {

inline F mul_add(F a, F b, F c) { return a * b + c; }  // there is no fused one
inline D mul_add(D a, D b, D c) { return a * b + c; }
inline F neg_mul_add(F a, F b, F c) { return c - a * b; }

inline F load_first(const float* p, size_t n) {  // n = 1, 2, 3
    if (n == 1) return F(_mm_load_ss(p));
    const __m128 two = _mm_castpd_ps(_mm_loadl_pd(_mm_setzero_pd(), reinterpret_cast<const double*>(p)));
    return F(n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2)));
}

inline F codes(const uint8_t* p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    const __m128i zero = _mm_setzero_si128();
    return F(_mm_cvtepi32_ps(_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero), zero)));
}

inline void store_codes(F v, uint8_t* p) {  // rounds half to even, as the control word says by default
    const __m128i i = _mm_cvtps_epi32(v), s = _mm_packs_epi32(i, i);
    const int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(s, s));
    memcpy(p, &four, sizeof four);
}

// half_to_float of base/half.h, four at a time; infinity and NaN take the exponent of floats besides.
inline F halves(const Half* p) {
    const __m128i h = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const __m128i wide = _mm_unpacklo_epi16(h, _mm_setzero_si128());
    const __m128i magnitude = _mm_and_si128(wide, _mm_set1_epi32(0x7FFF));
    const __m128i sign = _mm_slli_epi32(_mm_xor_si128(wide, magnitude), 16);
    const __m128i moved = _mm_slli_epi32(magnitude, 13);
    const __m128 finite = _mm_mul_ps(_mm_castsi128_ps(moved), _mm_set1_ps(0x1p112f));
    const __m128i is_special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7BFF));
    const __m128i is_nan = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7C00));
    const __m128i special = _mm_and_si128(is_special, _mm_set1_epi32(0x7F800000));
    const __m128i quiet = _mm_and_si128(is_nan, _mm_set1_epi32(0x400000));
    const __m128i bits = _mm_or_si128(_mm_or_si128(_mm_castps_si128(finite), special), _mm_or_si128(quiet, sign));
    return F(_mm_castsi128_ps(bits));
}

inline void store_halves(F v, Half* p) {
    float four[4];
    v.store_unaligned(four);
    for (int i = 0; i < 4; i++) p[i] = float_to_half(four[i]);
}

inline uint32_t greater(F a, F b) { return uint32_t(_mm_movemask_ps(_mm_cmpgt_ps(a, b))); }  // a bit for each lane

inline D lower(F v) { return D(_mm_cvtps_pd(v)); }
inline D upper(F v) { return D(_mm_cvtps_pd(_mm_movehl_ps(v, v))); }

// Sixteen codes, split into even and odd ones: cheaper than unpacking halves.
struct Codes {
    static constexpr size_t kWidth = 16;
    static constexpr uint32_t kOffset = 0;
    using Sum = __m128i;
    __m128i even, odd;

    static Codes split(__m128i v) { return {_mm_and_si128(v, _mm_set1_epi16(0xff)), _mm_srli_epi16(v, 8)}; }
    static Codes load(const uint8_t* p) { return split(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
    static Codes load_last(const uint8_t* end, size_t n, bool whole) {
        alignas(16) uint8_t buf[kWidth] = {};
        if (!whole) {
            for (size_t i = 0; i < n; i++) buf[i] = end[i - n];
            return load(buf);
        }
        const __m128i at = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m128i mask = _mm_cmpgt_epi8(at, _mm_set1_epi8(char(kWidth - 1 - n)));
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - kWidth));
        return split(_mm_and_si128(v, mask));
    }
    // Those of set bits; zero for the others.
    Codes where(const uint8_t* bits) const {
        int16_t mask;
        memcpy(&mask, bits, sizeof mask);
        const __m128i spread = _mm_set1_epi16(mask);
        const __m128i bit = _mm_setr_epi16(1, 4, 16, 64, 256, 1024, 4096, 16384), next = _mm_slli_epi16(bit, 1);
        return {_mm_and_si128(even, _mm_cmpeq_epi16(_mm_and_si128(spread, bit), bit)),
                _mm_and_si128(odd, _mm_cmpeq_epi16(_mm_and_si128(spread, next), next))};
    }
    static Sum zero() { return _mm_setzero_si128(); }
    static Sum plus(Sum a, Sum b) { return _mm_add_epi32(a, b); }
    static Sum dot(Sum s, Codes a, Codes b) {
        return plus(plus(s, _mm_madd_epi16(a.even, b.even)), _mm_madd_epi16(a.odd, b.odd));
    }
    static Sum add(Sum s, Codes a) {
        return plus(s, _mm_madd_epi16(_mm_add_epi16(a.even, a.odd), _mm_set1_epi16(1)));
    }
    struct Nibbles;
    static Nibbles nibbles(Codes c);
    static Sum dot_small(Sum s, Codes a, Codes b) { return dot(s, a, b); }
    static uint32_t total(Sum s) {
        s = plus(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
        return uint32_t(_mm_cvtsi128_si32(plus(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)))));
    }
    static void store_totals(uint32_t* out, Sum a, Sum b, Sum c, Sum d, uint32_t) {
        const __m128i ab = plus(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
        const __m128i cd = plus(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
        const __m128i sums = plus(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums);
    }
};

struct Codes::Nibbles {
    Codes low, high;
};

inline Codes::Nibbles Codes::nibbles(Codes c) {
    const __m128i mask = _mm_set1_epi16(15);
    return {{_mm_and_si128(c.even, mask), _mm_and_si128(c.odd, mask)},
            {_mm_srli_epi16(c.even, 4), _mm_srli_epi16(c.odd, 4)}};
}

}  // namespace
}  // namespace vext::simd
