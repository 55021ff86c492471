// The nearest of all nodes to samples, by their codes, as a search compares them. No Postgres here.
#pragma once

#include <algorithm>
#include <cmath>
#include <new>
#include <span>

#include "codec/affine_matrix.h"
#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {

struct Sample {
    uint32_t node;  // that it is and must not find; kNoNode: none
    const uint8_t* code;
    bool exact;  // compared with all nodes
};

// The nearest that are known, ascending.
struct NearestKeys {
    static constexpr size_t kMost = 10;

    codec::Key keys[kMost];
    uint32_t known;

    bool all_known() const { return known == kMost; }
    codec::Key farthest() const { return keys[known - 1]; }
    void offer(codec::Key key) {
        if (all_known() && !(key < farthest())) return;
        size_t at = all_known() ? known - 1 : known++;
        for (; at > 0 && key < keys[at - 1]; at--) keys[at] = keys[at - 1];
        keys[at] = key;
    }
    void offer_all(const NearestKeys& other) {
        for (uint32_t i = 0; i < other.known; i++) offer(other.keys[i]);
    }
};

template <template <typename> class V, typename Source>
class NearestNodes {
public:
    static constexpr size_t kTogether = codec::AffineMatrix::kPoints;

    // `nearest` gets what is found for the exact samples, in their order.
    NearestNodes(Source source, const codec::Codec& codec, uint32_t dim, std::span<const Sample> samples,
                 NearestKeys* nearest)
        : codec_(codec), dim_(dim), stride_(codec.bytes(dim)), nearest_(nearest), samples_(source), less_(source),
          limit_(source) {
        for (const Sample& s : samples) {
            if (!s.exact) continue;
            samples_.push_back({s.node, {}, V<uint64_t>{source}});
            Known& known = samples_[samples_.size() - 1];
            prepare_query(codec, s.code, dim, &known.query, known.table);
        }
        bool dense = codec.element == codec::Element::f32 || codec.element == codec::Element::f16;
        bool affine = codec.id == codec::CodecId::sq8 && dense && codec.metric != codec::Metric::l1;
        if (affine && !samples_.empty()) make_matrix(source);
    }

    // Whether codes are kept until there are some, to be compared together.
    bool gathers() const { return by_products_; }
    void gather(const uint8_t* code, uint32_t number) {
        codes_[gathered_] = memory_ + gathered_ * stride_;
        memcpy(memory_ + gathered_ * stride_, code, stride_);
        numbers_[gathered_++] = number;
        if (gathered_ == kTogether) compare_gathered();
    }
    // Those that were not compared yet.
    void compare_gathered() {
        size_t n = gathered_;
        gathered_ = 0;
        if (by_products_) {
            compare_by_products(n);
        } else {
            score(codes_, numbers_, n);
        }
    }

    // Compares codes, at most kMostScored.
    static constexpr size_t kMostScored = 512;
    void score(const uint8_t* const* codes, const uint32_t* numbers, size_t n) {
        codec::Key keys[kMostScored];
        for (size_t at = 0; n > 0 && at < samples_.size(); at++) {
            codec_.score(samples_[at].query, codes, n, keys);
            for (size_t i = 0; i < n; i++) {
                if (numbers[i] != samples_[at].node) nearest_[at].offer(keys[i]);
            }
        }
    }

    uint64_t scored() const { return scored_; }

private:
    struct Known {
        uint32_t node;
        codec::Query query;
        V<uint64_t> table;  // of the query
    };

    bool inner_product() const { return codec_.metric == codec::Metric::inner_product; }

    // ---- by products. These give distances that rounding may have moved by doubt() of both codes. A node that may be one
    // of the nearest is scored like any other, so its key is the one that a search sees.

    // Rounding takes less than eight times 2^-24 of (|x| + |r|)^2, where sizes are those of lo and step * code together:
    // of |x|^2 and |r|^2 each 2^-20, and as much to spare. Where products underflow, 1e-45 of the largest factor.
    double doubt(const codec::AffineFactors& f) const {
        double size = std::sqrt(dim_) * std::fabs(f.lo) + f.step * std::sqrt(static_cast<double>(f.sum_sq));
        return 0x1.0p-19 * std::max(size * size, 1e-20);
    }
    // So that squares and their sums are floats.
    static bool is_usual(double doubt) { return doubt < 1e24; }

    void make_matrix(Source source) {
        size_t n = samples_.size();
        Placer size{nullptr};
        matrix_.place(size, n, dim_);
        Placer memory = Placer::aligned(source.resize(nullptr, size.used() + Placer::kAlignment));
        matrix_.place(memory, n, dim_);
        auto* codes = static_cast<uint8_t*>(source.resize(nullptr, n * stride_));
        for (size_t i = 0; i < n; i++) {
            const uint8_t* code = samples_[i].query.code;
            if (!is_usual(doubt(codec::factors_of(code)))) return;
            memcpy(codes + i * stride_, code, stride_);
        }
        matrix_.set(codes, stride_, n, dim_, inner_product());
        less_.resize(simd::packed_rows(n), HUGE_VALF);
        std::fill(less_.data(), less_.data() + n, -HUGE_VALF);
        limit_.resize(n, HUGE_VALF);
        memory_ = static_cast<uint8_t*>(source.resize(nullptr, kTogether * stride_));
        by_products_ = true;
    }

    void compare_by_products(size_t n) {
        float own[kTogether];
        for (size_t i = 0; i < n; i++) {
            codec::AffineFactors f = codec::factors_of(codes_[i]);
            double rounding = doubt(f), square = inner_product() ? 0 : codec::AffineMatrix::norm_sq(f, dim_);
            own[i] = static_cast<float>(square - rounding);
            by_products_ = by_products_ && is_usual(rounding);
        }
        if (!by_products_) {
            score(codes_, numbers_, n);
            return;
        }
        matrix_.each_near(less_.data(), samples_.size(), dim_, {codes_, own, n}, products_,
                          [&](size_t at, size_t i, float distance) {
                              if (distance < limit_[at] && numbers_[i] != samples_[at].node) look_closer(at, codes_[i]);
                          });
        // Where distances are small beside the vectors, products tell little.
        compared_ += n * samples_.size();
        if (scored_ > 100 * samples_.size() + compared_ / 16) by_products_ = false;
    }

    void look_closer(size_t at, const uint8_t* code) {
        const Known& s = samples_[at];
        codec::Key key;
        codec_.score(s.query, &code, 1, &key);
        scored_++;
        nearest_[at].offer(key);
        if (!nearest_[at].all_known()) return;
        double farthest = nearest_[at].farthest();
        if (!inner_product()) farthest *= farthest;
        double limit = farthest + 1e-6 * std::fabs(farthest) + doubt(codec::factors_of(s.query.code));
        limit_[at] = static_cast<float>(limit);
        less_[at] = static_cast<float>(matrix_.base[at] - limit);
    }

    const codec::Codec& codec_;
    uint32_t dim_;
    size_t stride_;
    NearestKeys* nearest_;
    V<Known> samples_;
    bool by_products_ = false;
    codec::AffineMatrix matrix_{};  // of the samples
    V<float> less_, limit_;  // what is nearer to a sample may be one of its nearest; the matrix's base less that
    uint8_t* memory_ = nullptr;
    const uint8_t* codes_[kTogether];
    uint32_t numbers_[kTogether];
    size_t gathered_ = 0;
    uint64_t compared_ = 0, scored_ = 0;
    codec::AffineMatrix::Products products_;
};

}  // namespace vext::hnsw
