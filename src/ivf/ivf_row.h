// A row on its way into the index: its codes, and the list it belongs to.
#pragma once

#include "pg/postgres.h"

#include "codec/rotation.h"
#include "ivf/ivf_index.h"

namespace vext::ivf {

// Makes 1-bit codes of vectors beside one centre at a time. Working memory comes from the current context.
class BitCoder {
public:
    BitCoder(uint32 dim, uint32 bits)
        : bits_(bits), dims_(codec::rotated_dims(dim)), rotation_(dim, allocate(codec::Rotation::signs_for(dim))),
          floats_(allocate(dims_)), x_(allocate(dims_)), c_(allocate(dims_)),
          code_(static_cast<uint8*>(palloc0(dims_ / 8))) {}

    // Where the centre, or the vector, is put first.
    float* floats() { return floats_; }
    void set_centre() { rotation_.apply(floats_, c_); }
    void code(bool inner_product) {
        rotation_.apply(floats_, x_);
        factors_ = codec::encode_bits(x_, c_, dims_, bits_, inner_product, code_);
    }
    void put(codec::BitBlock* block, uint32 row) const { codec::put_row(block, bits_, row, factors_, code_); }

private:
    static float* allocate(size_t n) { return static_cast<float*>(palloc(n * sizeof(float))); }

    uint32 bits_, dims_;
    codec::Rotation rotation_;
    float *floats_, *x_, *c_;
    uint8* code_;
    codec::BitFactors factors_{};
};

// Codes rows against one centroid at a time. Working memory comes from the current context.
class RowCoder {
public:
    explicit RowCoder(const IvfIndex& index) : index_(index), coder_(index.dim(), index.meta.bits) {}

    // The centroid that the next rows are near to, by its code, and its list's scale.
    void set_centroid(const uint8* code, float scale) {
        if (!index_.has_bits()) return;
        if (index_.inner_product()) {
            index_.space.position(code, coder_.floats());
            for (uint32 i = 0; i < index_.dim(); i++) coder_.floats()[i] *= scale;
        } else {
            codec::decode(*index_.space.codec, code, index_.dim(), coder_.floats());
        }
        coder_.set_centre();
    }

    // The 1-bit code of a row by its own code, valid until the next call.
    void code_bits(const uint8* code) {
        if (!index_.has_bits()) return;
        codec::decode(*index_.codec, code, index_.dim(), coder_.floats());
        if (!index_.inner_product()) index_.space.subtract_mean(coder_.floats());
        coder_.code(index_.inner_product());
    }

    // Makes the row an entry of a block.
    void put(IvfBlock* block, uint32 row, SlotNumber vector, const index::RowAttributes& attributes) const {
        block->live |= 1u << row;
        block->vector[row] = vector;
        put_attributes(index_, block, row, attributes);
        if (index_.has_bits()) coder_.put(bits_of(block), row);
    }

private:
    const IvfIndex& index_;
    BitCoder coder_;
};

// Codes the centroids of a group beside its centre.
class GroupCoder {
public:
    explicit GroupCoder(const IvfIndex& index) : index_(index), coder_(index.dim(), index.layout.group_bits) {}

    void set_group(const uint8* code) {
        codec::decode(*index_.space.codec, code, index_.dim(), coder_.floats());
        coder_.set_centre();
    }
    void put(const uint8* centroid, codec::BitBlock* block, uint32 row) {
        codec::decode(*index_.space.codec, centroid, index_.dim(), coder_.floats());
        coder_.code(false);
        coder_.put(block, row);
    }

private:
    const IvfIndex& index_;
    BitCoder coder_;
};

}  // namespace vext::ivf
