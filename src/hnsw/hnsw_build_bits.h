// One-bit codes beside the codes of a build. Three of four nodes that a search comes upon are farther than what it has
// found: what a few bytes estimate shows it of most, without waiting for the codes. No Postgres here.
#pragma once

#include <algorithm>
#include <cmath>

#include "codec/decode.h"
#include "codec/rotation.h"
#include "hnsw/hnsw_memory.h"
#include "simd/kernels.h"

namespace vext::hnsw {

// Makes them: one of each participant.
template <template <typename> class V>
class BitCoder {
public:
    template <typename Source>
    BitCoder(Source source, const MemoryGraph& graph)
        : graph_(graph),
          dims_(graph.bits > 0 ? codec::rotated_dims(graph.p.dim) : 0),
          signs_(source),
          values_(source),
          rotated_(source),
          zero_(source),
          rotation_(graph.bits > 0 ? graph.p.dim : 0, room(signs_, codec::Rotation::signs_for(dims_))) {
        room(values_, dims_);
        room(rotated_, dims_);
        std::fill_n(room(zero_, dims_), dims_, 0.0f);
    }

    // What all codes are relative to, once: the mean of some nodes.
    void find_center() {
        constexpr uint32_t kSome = 4096;
        std::fill_n(rotated_.data(), dims_, 0.0f);
        uint32_t step = std::max<uint32_t>(1, graph_.n / kSome), n = 0;
        for (uint32_t node = 0; node < graph_.n; node += step, n++) {
            decode(node);
            for (uint32_t i = 0; i < graph_.p.dim; i++) rotated_[i] += values_[i];
        }
        simd::active->scale_f32(rotated_.data(), 1 / static_cast<float>(n), nullptr, HUGE_VALF, dims_, values_.data());
        rotation_.apply(values_.data(), graph_.center);
    }

    void encode(uint32_t node) {
        rotate(node);
        codec::encode_row(rotated_.data(), by_product() ? graph_.center : zero_.data(), dims_, graph_.bits, by_product(),
                          graph_.bit_code(node));
    }

    // For estimates from a node. `values` has a byte for each bit.
    simd::RowTerms prepare(uint32_t node, uint8_t* values) {
        const simd::Kernels& k = *simd::active;
        rotate(node);
        const float* x = rotated_.data();
        auto base = by_product() ? -k.dot_f32(x, graph_.center, dims_) : static_cast<float>(k.norm_sq_f32(x, dims_));
        float apart = by_product() ? k.l2_sq_f32(x, graph_.center, dims_) : base;
        return codec::prepare_for_rows(x, graph_.bits, base, kDeviations * std::sqrt(apart), values);
    }

    // What an estimate has to exceed for the node to be farther than a key, as good as surely.
    float limit(codec::Key key) const { return by_product() ? key : key * key; }

private:
    // Where a search is wrong about a node now and then, its neighbours lead there too.
    static constexpr float kDeviations = 1.25f;

    static float* room(V<float>& v, size_t n) {
        v.resize_uninitialized(n);
        return v.data();
    }
    bool by_product() const { return graph_.p.codec->metric == codec::Metric::inner_product; }
    void decode(uint32_t node) { codec::decode(*graph_.p.codec, graph_.code(node), graph_.p.dim, values_.data()); }

    // Distances may be taken less a common vector, which leaves the bytes of a query more to say.
    void rotate(uint32_t node) {
        decode(node);
        rotation_.apply(values_.data(), rotated_.data());
        if (!by_product()) simd::active->scale_f32(rotated_.data(), 1, graph_.center, HUGE_VALF, dims_, rotated_.data());
    }

    const MemoryGraph& graph_;
    uint32_t dims_;  // rotated
    V<float> signs_, values_, rotated_, zero_;
    codec::Rotation rotation_;
};

}  // namespace vext::hnsw
