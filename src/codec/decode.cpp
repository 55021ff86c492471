#include "codec/decode.h"

#include <cstring>

#include "codec/affine.h"
#include "simd/kernels.h"

namespace vext::codec {

void to_floats(Element element, const void* values, uint32_t dim, float* out) {
    switch (element) {
    case Element::f32:
        memcpy(out, values, dim * sizeof(float));
        return;
    case Element::f16:
        simd::active->f16_to_f32(static_cast<const Half*>(values), dim, out);
        return;
    case Element::bit: {
        const auto* bytes = static_cast<const uint8_t*>(values);
        for (uint32_t i = 0; i < dim; i++) out[i] = bytes[i / 8] >> (7 - i % 8) & 1;
        return;
    }
    case Element::sparse:
        break;
    }
    memset(out, 0, dim * sizeof(float));
}

void decode(const Codec& codec, const uint8_t* code, uint32_t dim, float* out) {
    if (codec.id != CodecId::sq8) {
        to_floats(codec.element, code, dim, out);
        return;
    }
    AffineFactors f = factors_of(code);
    simd::active->decode_u8(codes_of(code), f.lo, f.step, dim, out);
}

}  // namespace vext::codec
