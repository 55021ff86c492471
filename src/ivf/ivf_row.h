// A row on its way into the index: its codes, and the list it belongs to.
#pragma once

#include "pg/postgres.h"

#include "codec/rotation.h"
#include "ivf/ivf_index.h"

namespace vext::ivf {

// Codes rows against one centroid at a time. Working memory comes from the current context.
class RowCoder {
public:
    explicit RowCoder(const IvfIndex& index)
        : index_(index), rotation_(index.dim(), allocate(codec::Rotation::signs_for(index.dim()))),
          floats_(allocate(codec::rotated_dims(index.dim()))), x_(allocate(codec::rotated_dims(index.dim()))),
          c_(allocate(codec::rotated_dims(index.dim()))),
          bits_(static_cast<uint8*>(palloc0(codec::rotated_dims(index.dim()) / 8))) {}

    // The centroid that the next rows are near to, by its code, and its list's scale.
    void set_centroid(const uint8* code, float scale) {
        if (!index_.has_bits()) return;
        if (index_.inner_product()) {
            index_.space.position(code, floats_);
            for (uint32 i = 0; i < index_.dim(); i++) floats_[i] *= scale;
        } else {
            codec::decode(*index_.space.codec, code, index_.dim(), floats_);
        }
        rotation_.apply(floats_, c_);
    }

    // The 1-bit code of a row by its own code, valid until the next call.
    void code_bits(const uint8* code) {
        if (!index_.has_bits()) return;
        codec::decode(*index_.codec, code, index_.dim(), floats_);
        if (!index_.inner_product()) index_.space.subtract_mean(floats_);
        rotation_.apply(floats_, x_);
        factors_ = codec::encode_bits(x_, c_, codec::rotated_dims(index_.dim()), index_.meta.bits,
                                      index_.inner_product(), bits_);
    }

    // Makes the row an entry of a block.
    void put(IvfBlock* block, uint32 row, SlotNumber vector, const index::RowAttributes& attributes) const {
        block->live |= 1u << row;
        block->vector[row] = vector;
        put_attributes(index_, block, row, attributes);
        if (index_.has_bits()) codec::put_row(bits_of(block), index_.meta.bits, row, factors_, bits_);
    }

private:
    static float* allocate(size_t n) { return static_cast<float*>(palloc(n * sizeof(float))); }

    const IvfIndex& index_;
    codec::Rotation rotation_;
    float *floats_, *x_, *c_;
    uint8* bits_;
    codec::BitFactors factors_{};
};

}  // namespace vext::ivf
