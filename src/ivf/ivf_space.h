// Where centroids live: the space in which rows are clustered and lists are chosen. Dense vectors: scaled to length one
// under cosine and inner product, less a mean, coded with 8 bits, compared by Euclidean distance. Bits: themselves. No
// Postgres here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/codec.h"
#include "codec/decode.h"
#include "codec/sq8.h"
#include "simd/kernels.h"

namespace vext::ivf {

// Room for the arithmetic on vectors of extreme size; what lies beyond is moved to the border.
inline constexpr float kBorder = 1e18f;

struct Space {
    codec::Element element;  // of the rows
    const codec::Codec* codec;  // of centroids, and of rows that are compared with them
    uint32_t dim;
    bool unit;  // vectors are scaled to length one
    const float* mean;  // of dense vectors; nullptr: none is subtracted

    bool dense() const { return element != codec::Element::bit; }
    size_t stride() const { return codec->bytes(dim); }

    // The row as floats in the frame of its residual: scaled, the mean not subtracted. False: it has no direction.
    bool frame(const void* values, float* out) const {
        codec::to_floats(element, values, dim, out);
        if (!unit) return true;
        double norm = std::sqrt(simd::active->norm_sq_f32(out, dim));
        if (!(norm > 0)) return false;
        for (uint32_t i = 0; i < dim; i++) out[i] = static_cast<float>(out[i] / norm);
        return true;
    }

    // Codes a row. `scratch` has dim floats.
    void place(const void* values, float* scratch, uint8_t* code) const {
        if (!dense()) {
            codec->encode(values, dim, scratch, code);
            return;
        }
        frame(values, scratch);
        encode(scratch, code);
    }

    // Codes a point given as floats (0 to 1 for bits); destroys them.
    void encode(float* x, uint8_t* code) const {
        if (dense()) {
            for (uint32_t i = 0; i < dim; i++) {
                x[i] = std::clamp(x[i] - (mean != nullptr ? mean[i] : 0), -kBorder, kBorder);
            }
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
    return element == codec::Element::bit
               ? codec::find(codec::CodecId::none, element, metric)
               : codec::find(codec::CodecId::sq8, codec::Element::f32, codec::Metric::l2);
}

inline bool is_unit(codec::Metric metric) {
    return metric == codec::Metric::cosine || metric == codec::Metric::inner_product;
}

// The nearest of many centroids. For 8-bit codes, |x - c|^2 - |x|^2 from the integer products of a batch, in floats.
template <template <typename> class Vec>
class Nearest {
public:
    static constexpr size_t kBatch = 64;

    template <typename Source>
    Nearest(Source source, const Space& space)
        : space_(space), codes_(source), norm_(source), shift_(source), lo_(source), step_(source) {}

    // The codes must outlive the searches.
    void set(const uint8_t* codes, size_t n) {
        codes_.clear();
        for (size_t i = 0; i < n; i++) codes_.push_back(codes + i * space_.stride());
        if (!space_.dense()) return;
        norm_.resize(n);
        shift_.resize(n);
        lo_.resize(n);
        step_.resize(n);
        for (size_t i = 0; i < n; i++) {
            codec::Sq8Factors f;
            memcpy(&f, codes_[i], sizeof f);
            double lo = f.lo, step = f.step;
            norm_[i] = static_cast<float>(space_.dim * lo * lo + 2 * lo * step * f.sum + step * step * f.sum_sq);
            shift_[i] = static_cast<float>(-2 * (space_.dim * lo + step * f.sum));
            lo_[i] = static_cast<float>(-2 * lo);
            step_[i] = static_cast<float>(-2 * step);
        }
    }
    size_t size() const { return codes_.size(); }

    // Its number, and what k-means adds up.
    uint32_t find(const uint8_t* code, double* cost) const {
        return space_.dense() ? find_dense(code, cost) : find_any(code, cost);
    }

private:
    uint32_t find_any(const uint8_t* code, double* cost) const {
        codec::Query query;
        codec::Key keys[kBatch], best = HUGE_VALF;
        uint32_t at = 0;
        space_.codec->prepare(code, space_.dim, &query);
        for (size_t from = 0; from < codes_.size(); from += kBatch) {
            size_t n = std::min(kBatch, codes_.size() - from);
            space_.codec->score(query, codes_.data() + from, n, keys);
            for (size_t i = 0; i < n; i++) {
                if (keys[i] < best) best = keys[i], at = static_cast<uint32_t>(from + i);
            }
        }
        *cost = space_.cost(best);
        return at;
    }

    uint32_t find_dense(const uint8_t* code, double* cost) const {
        codec::Sq8Factors f;
        memcpy(&f, code, sizeof f);
        const auto sum = static_cast<float>(f.sum);
        float best = HUGE_VALF;
        uint32_t at = 0;
        uint32_t dots[kBatch];
        float values[kBatch];
        const uint8_t* bytes[kBatch];
        for (size_t from = 0; from < codes_.size(); from += kBatch) {
            size_t n = std::min(kBatch, codes_.size() - from);
            for (size_t i = 0; i < n; i++) bytes[i] = codes_[from + i] + sizeof f;
            simd::active->dot_u8_many(code + sizeof f, bytes, n, space_.dim, dots);
            const float *norm = &norm_[from], *shift = &shift_[from], *lo = &lo_[from], *step = &step_[from];
            for (size_t i = 0; i < n; i++) {
                values[i] = norm[i] + f.lo * shift[i] +
                            f.step * (lo[i] * sum + step[i] * static_cast<float>(static_cast<int32_t>(dots[i])));
            }
            float least = values[0];
            for (size_t i = 1; i < n; i++) least = std::min(least, values[i]);
            if (!(least < best)) continue;
            best = least;
            for (size_t i = n; i-- > 0;) {
                if (values[i] == least) at = static_cast<uint32_t>(from + i);
            }
        }
        double lo = f.lo, step = f.step;
        double norm = space_.dim * lo * lo + 2 * lo * step * f.sum + step * step * f.sum_sq;
        *cost = std::max(0.0, norm + best);
        return at;
    }

    const Space& space_;
    Vec<const uint8_t*> codes_;
    Vec<float> norm_, shift_, lo_, step_;
};

}  // namespace vext::ivf
