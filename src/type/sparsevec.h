// Type sparsevec: the indices and values of the elements that are not zero.
#pragma once

#include <cstddef>
#include <cstring>

#include "base/sparse.h"
#include "pg/postgres.h"
#include "type/checks.h"
#include "type/detoasted.h"

namespace vext {

// On disk and in memory alike; pgvector's layout, byte for byte. The values follow the indices. No value is zero.
struct Sparsevec {
    int32 vl_len_;  // varlena header: VARSIZE and SET_VARSIZE only
    int32 dim;
    int32 nnz;
    int32 unused;                           // always 0
    int32 indices[FLEXIBLE_ARRAY_MEMBER];  // from 0, ascending

    float* values() { return reinterpret_cast<float*>(indices + nnz); }
    const float* values() const { return reinterpret_cast<const float*>(indices + nnz); }
    SparseView view() const { return {indices, values(), nnz}; }
};

inline constexpr const char* kSparseName = "sparsevec";
inline constexpr int kSparseMaxDim = 1000000000;
inline constexpr int kSparseMaxNnz = 16000;
inline constexpr size_t kSparseHeader = 16;
static_assert(offsetof(Sparsevec, dim) == 4 && offsetof(Sparsevec, nnz) == 8 && offsetof(Sparsevec, indices) == 16);

// nnz is at most kSparseMaxNnz, so this cannot overflow.
constexpr size_t sparse_size(int nnz) {
    return kSparseHeader + static_cast<size_t>(nnz) * (sizeof(int32) + sizeof(float));
}

// Indices and values are left unset.
inline Sparsevec* new_sparse(int dim, int nnz) {
    auto* value = static_cast<Sparsevec*>(palloc(sparse_size(nnz)));
    SET_VARSIZE(value, sparse_size(nnz));
    value->dim = dim;
    value->nnz = nnz;
    value->unused = 0;
    return value;
}

// An argument. A comparison function must call release() (Detoasted says why).
class SparseArg {
public:
    SparseArg(FunctionCallInfo fcinfo, int n) : SparseArg(PG_GETARG_DATUM(n)) {}
    explicit SparseArg(Datum datum) : bytes_(datum), value_(static_cast<Sparsevec*>(bytes_.get())) {
        const size_t size = bytes_.size();
        if (unlikely(size < kSparseHeader || value_->dim < 1 || value_->nnz < 0 || value_->nnz > kSparseMaxNnz ||
                     size != sparse_size(value_->nnz)))
            ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED), errmsg("sparsevec has a wrong length of %zu bytes", size));
    }

    const Sparsevec* operator->() const { return value_; }
    const Sparsevec& operator*() const { return *value_; }
    void release() { bytes_.release(); }

private:
    Detoasted bytes_;
    Sparsevec* value_;
};

inline void check_same_dim(const SparseArg& a, const SparseArg& b) {
    if (a->dim != b->dim) fail_different_dims(kSparseName, a->dim, b->dim);
}

// Takes the elements of a sparsevec in the order of indices, when their number is not known beforehand, only a bound.
class SparseBuilder {
public:
    explicit SparseBuilder(int capacity)
        : indices_(static_cast<int32*>(palloc(static_cast<size_t>(capacity) * sizeof(int32)))),
          values_(static_cast<float*>(palloc(static_cast<size_t>(capacity) * sizeof(float)))) {}

    // A zero is left out.
    void add(int32 index, float value) {
        indices_[n_] = index;
        values_[n_] = value;
        n_ += value != 0;
    }
    Sparsevec* finish(int dim) {
        if (n_ > kSparseMaxNnz) fail_too_many_nonzero(kSparseMaxNnz);
        Sparsevec* out = new_sparse(dim, n_);
        std::memcpy(out->indices, indices_, static_cast<size_t>(n_) * sizeof(int32));
        std::memcpy(out->values(), values_, static_cast<size_t>(n_) * sizeof(float));
        pfree(indices_);
        pfree(values_);
        return out;
    }

private:
    int32* indices_;
    float* values_;
    int n_ = 0;
};

}  // namespace vext
