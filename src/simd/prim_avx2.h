// AVX2: what xsimd lacks.
#include <immintrin.h>

namespace vext::simd {
namespace {

inline F mul_add(F a, F b, F c) { return F(_mm256_fmadd_ps(a, b, c)); }
inline D mul_add(D a, D b, D c) { return D(_mm256_fmadd_pd(a, b, c)); }
inline F neg_mul_add(F a, F b, F c) { return F(_mm256_fnmadd_ps(a, b, c)); }

inline F load_first(const float* p, size_t n) {  // lanes that are masked off do not fault (they do in QEMU 7.2)
    static constexpr int32_t mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return F(_mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + 8 - n))));
}

inline F codes(const uint8_t* p) {
    return F(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))));
}

inline void store_codes(F v, uint8_t* p) {  // rounds half to even, as the control word says by default
    const __m256i i = _mm256_cvtps_epi32(v);
    const __m128i s = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(s, s));
}

inline F halves(const Half* p) {
    return F(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

inline void store_halves(F v, Half* p) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

inline uint32_t greater(F a, F b) {  // a bit for each lane
    return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)));
}

inline D lower(F v) { return D(_mm256_cvtps_pd(_mm256_castps256_ps128(v))); }
inline D upper(F v) { return D(_mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))); }

// Thirty-two codes, split into even and odd ones by instructions that run on most ports; vpmovzxbw has only one.
struct Codes {
    static constexpr size_t kWidth = 32;
    static constexpr uint32_t kOffset = 0;
    using Sum = __m256i;
    __m256i even, odd;

    static Codes split(__m256i v) { return {_mm256_and_si256(v, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(v, 8)}; }
    static Codes load(const uint8_t* p) { return split(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
    static Codes load_last(const uint8_t* end, size_t n, bool whole) {
        alignas(32) uint8_t buf[kWidth] = {};
        if (!whole) {
            for (size_t i = 0; i < n; i++) buf[i] = end[i - n];
            return load(buf);
        }
        alignas(32) static constexpr uint8_t position[kWidth] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                                 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                                 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
        const __m256i at = _mm256_load_si256(reinterpret_cast<const __m256i*>(position));
        const __m256i mask = _mm256_cmpgt_epi8(at, _mm256_set1_epi8(char(kWidth - 1 - n)));
        const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(end - kWidth));
        return split(_mm256_and_si256(v, mask));
    }
    // Those of set bits; zero for the others.
    Codes where(const uint8_t* bits) const {
        int32_t mask;
        memcpy(&mask, bits, sizeof mask);
        alignas(32) static constexpr uint16_t of_even[16] = {1, 4, 16, 64, 256, 1024, 4096, 16384,
                                                             1, 4, 16, 64, 256, 1024, 4096, 16384};
        // A half of the bits in each 16-bit lane.
        const __m256i spread = _mm256_inserti128_si256(_mm256_set1_epi16(int16_t(mask)),
                                                       _mm_set1_epi16(int16_t(mask >> 16)), 1);
        const __m256i bit = _mm256_load_si256(reinterpret_cast<const __m256i*>(of_even));
        const __m256i next = _mm256_slli_epi16(bit, 1);
        return {_mm256_and_si256(even, _mm256_cmpeq_epi16(_mm256_and_si256(spread, bit), bit)),
                _mm256_and_si256(odd, _mm256_cmpeq_epi16(_mm256_and_si256(spread, next), next))};
    }
    static Sum zero() { return _mm256_setzero_si256(); }
    static Sum plus(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
    static Sum dot(Sum s, Codes a, Codes b) {
        return plus(plus(s, _mm256_madd_epi16(a.even, b.even)), _mm256_madd_epi16(a.odd, b.odd));
    }
    static Sum add(Sum s, Codes a) {
        return plus(s, _mm256_madd_epi16(_mm256_add_epi16(a.even, a.odd), _mm256_set1_epi16(1)));
    }
    struct Nibbles;
    static Nibbles nibbles(Codes c);
    static Sum dot_small(Sum s, Codes a, Codes b) { return dot(s, a, b); }
    static __m128i halves(Sum s) {
        return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    }
    static uint32_t total(Sum sum) {
        __m128i s = halves(sum);
        s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
        return uint32_t(_mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)))));
    }
    static void store_totals(uint32_t* out, Sum a, Sum b, Sum c, Sum d, uint32_t) {
        const __m128i sums = halves(_mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums);
    }
};

struct Codes::Nibbles {
    Codes low, high;
};

inline Codes::Nibbles Codes::nibbles(Codes c) {
    const __m256i mask = _mm256_set1_epi16(15);
    return {{_mm256_and_si256(c.even, mask), _mm256_and_si256(c.odd, mask)},
            {_mm256_srli_epi16(c.even, 4), _mm256_srli_epi16(c.odd, 4)}};
}

// Sums of table entries chosen by nibbles, 32 rows, two groups (one in each half of the registers) a step.
// Each sum of bytes runs in two vectors of 16-bit lanes: one adds whole lanes, into which the odd bytes spill over, the
// other the odd bytes alone, which takes them off again at the end.
#define VEXT_NIBBLES
struct NibbleSums {
    static constexpr size_t kGroups = 2;
    __m256i low, low_odd, high, high_odd;  // of rows 0 to 15 and 16 to 31

    static NibbleSums zero() {
        const __m256i z = _mm256_setzero_si256();
        return {z, z, z, z};
    }
    void add(const uint8_t* bits, const uint8_t* table) {
        const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bits));
        const __m256i t = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table));
        const __m256i mask = _mm256_set1_epi8(15);
        const __m256i a = _mm256_shuffle_epi8(t, _mm256_and_si256(v, mask));
        const __m256i b = _mm256_shuffle_epi8(t, _mm256_and_si256(_mm256_srli_epi16(v, 4), mask));
        low = _mm256_add_epi16(low, a);
        low_odd = _mm256_add_epi16(low_odd, _mm256_srli_epi16(a, 8));
        high = _mm256_add_epi16(high, b);
        high_odd = _mm256_add_epi16(high_odd, _mm256_srli_epi16(b, 8));
    }
    static void store_rows(__m256i all, __m256i odd, uint32_t* sums) {
        const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
        const __m256i first = _mm256_unpacklo_epi16(even, odd), last = _mm256_unpackhi_epi16(even, odd);
        for (const __m256i v : {first, last}) {  // rows 0 to 7, then 8 to 15, of both groups
            const __m256i sum = _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)),
                                                 _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1)));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), sum);
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
