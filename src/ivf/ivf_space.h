// Where centroids live: the space in which rows are clustered and lists are chosen. Dense vectors: scaled to length one
// under cosine and inner product, less a mean, coded with 8 bits, compared by Euclidean distance. Bits: themselves. No
// Postgres here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/codec.h"
#include "codec/decode.h"
#include "codec/affine.h"
#include "simd/kernels.h"

namespace vext::ivf {

// Room for the arithmetic on vectors of extreme size; what lies beyond is moved to the border.
inline constexpr float kBorder = 1e18f;

struct Space {
    codec::Element element;     // of the rows
    const codec::Codec* codec;  // of centroids, and of rows that are compared with them
    uint32_t dim;
    bool unit;          // vectors are scaled to length one
    const float* mean;  // of dense vectors; nullptr: none is subtracted

    bool dense() const { return element != codec::Element::bit; }
    size_t stride() const { return codec->bytes(dim); }

    // The row as floats, scaled to length one where that is asked for. Gives the length it had then, else 1.
    double frame(const void* values, float* out) const {
        codec::to_floats(element, values, dim, out);
        if (!unit) return 1;
        double norm = std::sqrt(simd::active->norm_sq_f32(out, dim));
        if (!(norm > 0)) return 0;
        // The inverse of a float may be none.
        float nearer = norm < 1e-30 ? 0x1p100f : norm > 1e30 ? 0x1p-100f : 1;
        if (nearer != 1) simd::active->scale_f32(out, nearer, nullptr, HUGE_VALF, dim, out);
        simd::active->scale_f32(out, static_cast<float>(1 / (norm * nearer)), nullptr, HUGE_VALF, dim, out);
        return norm;
    }

    void subtract_mean(float* x, float border = HUGE_VALF) const {
        simd::active->scale_f32(x, 1, mean, border, dim, x);
    }

    // Codes a row; gives its length as frame() does. `scratch` has dim floats.
    double place(const void* values, float* scratch, uint8_t* code) const {
        if (!dense()) {
            codec->encode(values, dim, scratch, code);
            return 1;
        }
        double norm = frame(values, scratch);
        encode(scratch, code);
        return norm;
    }

    // Codes a point given as floats (0 to 1 for bits); destroys them.
    void encode(float* x, uint8_t* code) const {
        if (dense()) {
            subtract_mean(x, kBorder);
            codec->encode(x, dim, x, code);
            return;
        }
        memset(code, 0, stride());
        for (uint32_t i = 0; i < dim; i++) code[i / 8] |= static_cast<uint8_t>((x[i] > 0.5f) << (7 - i % 8));
    }

    // The point that a code stands for, mean included.
    void position(const uint8_t* code, float* out) const {
        codec::decode(*codec, code, dim, out);
        if (dense() && mean != nullptr) {
            for (uint32_t i = 0; i < dim; i++) out[i] += mean[i];
        }
    }

    // Codes the centre of points: the sum of their positions, less the mean each.
    void centre(float* sums, double count, uint8_t* code) const {
        for (uint32_t i = 0; i < dim; i++) {
            sums[i] = static_cast<float>(sums[i] / count) + (dense() && mean != nullptr ? mean[i] : 0);
        }
        if (unit) {
            double norm = std::sqrt(simd::active->norm_sq_f32(sums, dim));
            for (uint32_t i = 0; norm > 0 && i < dim; i++) sums[i] = static_cast<float>(sums[i] / norm);
        }
        encode(sums, code);
    }

    // What k-means adds up: the square of a Euclidean distance.
    double cost(codec::Key key) const {
        return codec->metric == codec::Metric::hamming ? key : static_cast<double>(key) * key;
    }
};

inline const codec::Codec* space_codec(codec::Element element, codec::Metric metric) {
    return element == codec::Element::bit ? codec::find(codec::CodecId::none, element, metric)
                                          : codec::find(codec::CodecId::sq8, codec::Element::f32, codec::Metric::l2);
}

inline bool is_unit(codec::Metric metric) {
    return metric == codec::Metric::cosine || metric == codec::Metric::inner_product;
}

}  // namespace vext::ivf
