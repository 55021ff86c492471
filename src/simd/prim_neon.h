// NEON on aarch64: what xsimd lacks.
#include <arm_neon.h>

namespace vext::simd {
namespace {

inline F mul_add(F a, F b, F c) { return F(vfmaq_f32(c, a, b)); }
inline D mul_add(D a, D b, D c) { return D(vfmaq_f64(c, a, b)); }
inline F neg_mul_add(F a, F b, F c) { return F(vfmsq_f32(c, a, b)); }

inline F load_first(const float* p, size_t n) {  // n = 1, 2, 3
    float buf[4] = {p[0], n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f};
    return F(vld1q_f32(buf));
}

inline F codes(const uint8_t* p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return F(vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))))));
}

inline void store_codes(F v, uint8_t* p) {
    const uint16x4_t s = vmovn_u32(vcvtnq_u32_f32(v));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(s, s))), 0);
    memcpy(p, &four, sizeof four);
}

inline F halves(const Half* p) {
    return F(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p)))));
}

inline void store_halves(F v, Half* p) {
    vst1_u16(reinterpret_cast<uint16_t*>(p), vreinterpret_u16_f16(vcvt_f16_f32(v)));
}

inline uint32_t greater(F a, F b) {  // a bit for each lane
    static constexpr uint32_t kBits[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgtq_f32(a, b), vld1q_u32(kBits)));
}

inline D lower(F v) { return D(vcvt_f64_f32(vget_low_f32(v))); }
inline D upper(F v) { return D(vcvt_high_f64_f32(v)); }

// Sixteen codes.
struct Codes {
    static constexpr size_t kWidth = 16;
    static constexpr uint32_t kOffset = 0;
    using Sum = uint32x4_t;
    uint8x16_t v;

    static Codes load(const uint8_t* p) { return {vld1q_u8(p)}; }
    static Codes load_last(const uint8_t* end, size_t n, bool whole) {
        uint8_t buf[kWidth] = {};
        if (!whole) {
            for (size_t i = 0; i < n; i++) buf[i] = end[i - n];
            return load(buf);
        }
        static constexpr uint8_t position[kWidth] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        return {vandq_u8(vld1q_u8(end - kWidth), vcgeq_u8(vld1q_u8(position), vdupq_n_u8(uint8_t(kWidth - n))))};
    }
    // Those of set bits; zero for the others.
    Codes where(const uint8_t* bits) const {
        static constexpr uint8_t bit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
        const uint8x16_t spread = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
        return {vandq_u8(v, vtstq_u8(spread, vld1q_u8(bit)))};
    }
    static Sum zero() { return vdupq_n_u32(0); }
    static Sum plus(Sum a, Sum b) { return vaddq_u32(a, b); }
#ifdef __ARM_FEATURE_DOTPROD
    static Sum dot(Sum s, Codes a, Codes b) { return vdotq_u32(s, a.v, b.v); }
#else
    static Sum dot(Sum s, Codes a, Codes b) {
        s = vpadalq_u16(s, vmull_u8(vget_low_u8(a.v), vget_low_u8(b.v)));
        return vpadalq_u16(s, vmull_high_u8(a.v, b.v));
    }
#endif
    static Sum add(Sum s, Codes a) { return vpadalq_u16(s, vpaddlq_u8(a.v)); }
    struct Nibbles;
    static Nibbles nibbles(Codes c);
    static Sum dot_small(Sum s, Codes a, Codes b) { return dot(s, a, b); }
    static uint32_t total(Sum s) { return vaddvq_u32(s); }
    static void store_totals(uint32_t* out, Sum a, Sum b, Sum c, Sum d, uint32_t) {
        vst1q_u32(out, vpaddq_u32(vpaddq_u32(a, b), vpaddq_u32(c, d)));
    }
};

struct Codes::Nibbles {
    Codes low, high;
};

inline Codes::Nibbles Codes::nibbles(Codes c) { return {{vandq_u8(c.v, vdupq_n_u8(15))}, {vshrq_n_u8(c.v, 4)}}; }

// Sums of table entries chosen by nibbles, 32 rows, one group a step.
#define VEXT_NIBBLES
struct NibbleSums {
    static constexpr size_t kGroups = 1;
    uint16x8_t rows[4];

    static NibbleSums zero() {
        const uint16x8_t z = vdupq_n_u16(0);
        return {{z, z, z, z}};
    }
    void add(const uint8_t* bits, const uint8_t* table) {
        const uint8x16_t v = vld1q_u8(bits), t = vld1q_u8(table);
        const uint8x16_t a = vqtbl1q_u8(t, vandq_u8(v, vdupq_n_u8(15))), b = vqtbl1q_u8(t, vshrq_n_u8(v, 4));
        rows[0] = vaddw_u8(rows[0], vget_low_u8(a));
        rows[1] = vaddw_high_u8(rows[1], a);
        rows[2] = vaddw_u8(rows[2], vget_low_u8(b));
        rows[3] = vaddw_high_u8(rows[3], b);
    }
    void store(uint32_t* sums) const {
        for (int i = 0; i < 4; i++) {
            vst1q_u32(sums + 8 * i, vmovl_u16(vget_low_u16(rows[i])));
            vst1q_u32(sums + 8 * i + 4, vmovl_high_u16(rows[i]));
        }
    }
};

}  // namespace
}  // namespace vext::simd
