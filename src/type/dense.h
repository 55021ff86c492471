// Dense vectors: the stored form, and how a SQL argument becomes one. An element trait E says what the
// elements are:
//   E::Value                      the stored element
//   E::name, E::max_dim           the SQL type's name, its limit
//   E::to_float(v)                exact
//   E::from_float(f, &v)          rounds; false, and v infinite, when a finite f does not fit
//   E::is_nan(v), E::is_inf(v), E::is_zero(v)
//   E::l2_sq, dot, l1, cosine_sums, norm_sq
//                                 the kernels for such elements (simd/kernels.h)
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "pg/postgres.h"
#include "type/checks.h"
#include "type/detoasted.h"

namespace vext {

// On disk and in memory alike; pgvector's layout, byte for byte.
template <class E>
struct Dense {
    int32 vl_len_;  // varlena header: VARSIZE and SET_VARSIZE only
    int16 dim;
    int16 unused;  // always 0
    typename E::Value x[FLEXIBLE_ARRAY_MEMBER];
};

inline constexpr size_t kDenseHeader = 8;

// dim is at most max_dim, so this cannot overflow.
template <class E>
constexpr size_t dense_size(int dim) {
    return kDenseHeader + static_cast<size_t>(dim) * sizeof(typename E::Value);
}

// The elements are left unset.
template <class E>
Dense<E>* new_dense(int dim) {
    static_assert(offsetof(Dense<E>, x) == kDenseHeader);
    auto* value = static_cast<Dense<E>*>(palloc(dense_size<E>(dim)));
    SET_VARSIZE(value, dense_size<E>(dim));
    value->dim = static_cast<int16>(dim);
    value->unused = 0;
    return value;
}

template <class E>
void check_finite(typename E::Value v) {
    if (E::is_nan(v)) fail_nan(E::name);
    if (E::is_inf(v)) fail_infinite(E::name);
}

// One loop without a branch that leaves it, so that it vectorizes; the slow second pass names the first culprit.
template <class E>
void check_all_finite(const typename E::Value* x, int dim) {
    bool bad = false;
    for (int i = 0; i < dim; i++) bad |= E::is_nan(x[i]) || E::is_inf(x[i]);
    if (bad)
        for (int i = 0; i < dim; i++) check_finite<E>(x[i]);
}

// An argument. A comparison function must call release() (Detoasted says why).
template <class E>
class DenseArg {
public:
    DenseArg(FunctionCallInfo fcinfo, int n) : DenseArg(PG_GETARG_DATUM(n)) {}
    explicit DenseArg(Datum datum) : bytes_(datum), value_(static_cast<Dense<E>*>(bytes_.get())) {
        const int dim = value_->dim;
        if (unlikely(dim < 1 || bytes_.size() != dense_size<E>(dim)))
            ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("%s of %d dimensions has a wrong length of %zu bytes", E::name, dim, bytes_.size()));
    }

    const Dense<E>* operator->() const { return value_; }
    const Dense<E>& operator*() const { return *value_; }
    Dense<E>* writable() { return value_; }
    size_t dim() const { return static_cast<size_t>(value_->dim); }
    void release() { bytes_.release(); }

private:
    Detoasted bytes_;
    Dense<E>* value_;
};

template <class E>
void check_same_dim(const DenseArg<E>& a, const DenseArg<E>& b) {
    static_assert(std::is_trivially_destructible_v<DenseArg<E>>);
    if (a->dim != b->dim) fail_different_dims(E::name, a->dim, b->dim);
}

// The number of dimensions alone: of a value out of line, only the first chunk is read.
template <class E>
int dense_dim(Datum datum) {
    if (VARATT_IS_EXTERNAL(DatumGetPointer(datum))) {
        struct varlena* head = PG_DETOAST_DATUM_SLICE(datum, 0, kDenseHeader - VARHDRSZ);
        int16 dim;
        std::memcpy(&dim, VARDATA_ANY(head), sizeof dim);
        return dim;
    }
    return DenseArg<E>(datum)->dim;
}

}  // namespace vext
