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
        const auto inverse = static_cast<float>(1 / norm);
        for (uint32_t i = 0; i < dim; i++) out[i] *= inverse;
        return norm;
    }

    void subtract_mean(float* x) const {
        for (uint32_t i = 0; mean != nullptr && i < dim; i++) x[i] -= mean[i];
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
            subtract_mean(x);
            for (uint32_t i = 0; i < dim; i++) x[i] = std::clamp(x[i], -kBorder, kBorder);
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
            codec::AffineFactors f;
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
    uint32_t find(const uint8_t* code, double* cost) const { return search(code, nullptr, codes_.size(), cost); }
    // The same of some of them, by their numbers.
    uint32_t find_among(const uint8_t* code, const uint32_t* some, size_t n, double* cost) const {
        return search(code, some, n, cost);
    }

private:
    uint32_t search(const uint8_t* code, const uint32_t* some, size_t n, double* cost) const {
        float best = HUGE_VALF;
        uint32_t at = some != nullptr ? some[0] : 0;
        float values[kBatch];
        codec::Query query;
        space_.codec->prepare(code, space_.dim, &query);
        for (size_t from = 0; from < n; from += kBatch) {
            size_t batch = std::min(kBatch, n - from);
            evaluate(code, query, some != nullptr ? some + from : nullptr, from, batch, values);
            float least = values[0];
            for (size_t i = 1; i < batch; i++) least = std::min(least, values[i]);
            if (!(least < best)) continue;
            best = least;
            size_t i = 0;
            while (values[i] != least) i++;
            at = some != nullptr ? some[from + i] : static_cast<uint32_t>(from + i);
        }
        // query.norm squared would be rounded up.
        double norm = space_.dim * query.lo * query.lo + 2 * query.lo * query.step_sum + query.sq;
        *cost = space_.dense() ? std::max(0.0, norm + best) : space_.cost(best);
        return at;
    }

    // What orders a batch: keys, or |x - c|^2 - |x|^2.
    void evaluate(const uint8_t* code, const codec::Query& query, const uint32_t* some, size_t from, size_t n,
                  float* values) const {
        const uint8_t* codes[kBatch];
        for (size_t i = 0; i < n; i++) codes[i] = codes_[some != nullptr ? some[i] : from + i];
        if (!space_.dense()) {
            space_.codec->score(query, codes, n, values);
            return;
        }
        uint32_t dots[kBatch];
        float gathered[4][kBatch];
        const float *norm = norm_.data() + from, *shift = shift_.data() + from, *lo = lo_.data() + from,
                    *step = step_.data() + from;
        if (some != nullptr) {
            for (size_t i = 0; i < n; i++) {
                gathered[0][i] = norm_[some[i]];
                gathered[1][i] = shift_[some[i]];
                gathered[2][i] = lo_[some[i]];
                gathered[3][i] = step_[some[i]];
            }
            norm = gathered[0], shift = gathered[1], lo = gathered[2], step = gathered[3];
        }
        codec::AffineFactors f;
        memcpy(&f, code, sizeof f);
        for (size_t i = 0; i < n; i++) codes[i] += sizeof f;
        simd::active->dot_u8_many(code + sizeof f, codes, n, space_.dim, dots);
        const auto sum = static_cast<float>(f.sum);
        for (size_t i = 0; i < n; i++) {
            values[i] = norm[i] + f.lo * shift[i] +
                        f.step * (lo[i] * sum + step[i] * static_cast<float>(static_cast<int32_t>(dots[i])));
        }
    }

    const Space& space_;
    Vec<const uint8_t*> codes_;
    Vec<float> norm_, shift_, lo_, step_;
};

}  // namespace vext::ivf
