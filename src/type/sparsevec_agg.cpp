// sum and avg over sparsevecs. The state is a float8 array: the number of vectors, their dimensions (0 before the
// first), then for each index that occurred the index and its sum, in the order of indices. It is an ordinary SQL
// value, so that partial aggregates travel between processes as they are.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pg/postgres.h"

#include "type/entry.h"
#include "type/number_array.h"
#include "type/sparsevec.h"

namespace vext {
namespace {

struct IndexSum {
    float8 index, sum;
};

struct SparseSums {
    ArrayType* array;
    float8 *count, *dim;
    IndexSum* sums;
    int n;
};

SparseSums sums_in(ArrayType* array, int n) {
    auto* values = reinterpret_cast<float8*>(ARR_DATA_PTR(array));
    return {array, values, values + 1, reinterpret_cast<IndexSum*>(values + 2), n};
}

SparseSums new_sums(float8 count, float8 dim, int n) {
    SparseSums s = sums_in(new_array<float8>(FLOAT8OID, 2 + 2 * n), n);
    *s.count = count;
    *s.dim = dim;
    return s;
}

// The state in argument n. Anyone may call these functions with any array: one that is no state is an error here or in
// result_of, and what lies between does no harm with wrong indices. `caller` names the SQL function in the error.
SparseSums sums_arg(FunctionCallInfo fcinfo, int arg, const char* caller) {
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(arg);
    const bool shape = ARR_NDIM(array) == 1 && ARR_DIMS(array)[0] >= 2 && ARR_DIMS(array)[0] % 2 == 0 &&
                       !ARR_HASNULL(array) && ARR_ELEMTYPE(array) == FLOAT8OID;
    if (!shape) elog(ERROR, "%s: expected state array", caller);
    SparseSums s = sums_in(array, ARR_DIMS(array)[0] / 2 - 1);
    if (!(*s.dim >= 0 && *s.dim <= kSparseMaxDim && *s.dim == std::floor(*s.dim)))
        elog(ERROR, "%s: expected state array", caller);
    return s;
}

float8 checked(float8 sum) {
    if (unlikely(std::isinf(sum))) float_overflow_error();
    return sum;
}

// What is added to a state: another state, or one vector.
struct FromState {
    const SparseSums& s;
    int n() const { return s.n; }
    float8 index(int i) const { return s.sums[i].index; }
    float8 sum(int i) const { return s.sums[i].sum; }
};
struct FromVector {
    const Sparsevec& v;
    int n() const { return v.nnz; }
    float8 index(int i) const { return v.indices[i]; }
    float8 sum(int i) const { return double{v.values()[i]}; }
};

// The first of [p, end) whose index is not below.
IndexSum* find(IndexSum* p, IndexSum* end, float8 index) {
    return std::lower_bound(p, end, index, [](const IndexSum& s, float8 i) { return s.index < i; });
}

template <class From>
bool has_all(const SparseSums& to, const From& from) {
    IndexSum *p = to.sums, *end = to.sums + to.n;
    for (int j = 0; j < from.n(); j++) {
        p = find(p, end, from.index(j));
        if (p == end || p->index != from.index(j)) return false;
    }
    return true;
}

// In place where the aggregate owns the state and it has the indices already, which costs little even when the state
// is large; else a new one, with room for all of them.
template <class From>
ArrayType* added(FunctionCallInfo fcinfo, const SparseSums& to, float8 count, const From& from) {
    if (may_overwrite_state(fcinfo, 0) && has_all(to, from)) {
        IndexSum *p = to.sums, *end = to.sums + to.n;
        for (int j = 0; j < from.n(); j++) {
            p = find(p, end, from.index(j));
            p->sum = checked(p->sum + from.sum(j));
        }
        *to.count += count;
        return to.array;
    }
    int n = to.n + from.n();  // less what both have; each step takes at least one, even were an index no number
    for (int i = 0, j = 0; i < to.n && j < from.n();) {
        const bool take_a = !(from.index(j) < to.sums[i].index), take_b = !(to.sums[i].index < from.index(j));
        n -= take_a && take_b;
        i += take_a;
        j += take_b;
    }
    if (n > kSparseMaxNnz) fail_too_many_nonzero(kSparseMaxNnz);
    SparseSums out = new_sums(*to.count + count, *to.dim, n);
    for (int i = 0, j = 0, k = 0; k < n; k++) {
        const bool take_a = i < to.n && (j == from.n() || !(from.index(j) < to.sums[i].index));
        const bool take_b = j < from.n() && (i == to.n || !(to.sums[i].index < from.index(j)));
        out.sums[k].index = take_a ? to.sums[i].index : from.index(j);
        out.sums[k].sum = checked((take_a ? to.sums[i].sum : 0) + (take_b ? from.sum(j) : 0));
        i += take_a;
        j += take_b;
    }
    return out.array;
}

// nullptr: of no vectors. divisor: 1 for the sum.
Sparsevec* result_of(const SparseSums& s, float8 divisor, const char* caller) {
    if (*s.count == 0) return nullptr;
    check_dim(kSparseName, static_cast<int>(*s.dim), kSparseMaxDim);
    SparseBuilder out{s.n};
    float8 least = 0;
    for (int i = 0; i < s.n; i++) {
        const float8 index = s.sums[i].index;
        if (!(index >= least && index < *s.dim && index == std::floor(index)))
            elog(ERROR, "%s: expected state array", caller);
        least = index + 1;
        const auto value = static_cast<float>(s.sums[i].sum / divisor);
        if (std::isnan(value)) fail_nan(kSparseName);
        if (std::isinf(value)) float_overflow_error();
        out.add(static_cast<int32>(index), value);
    }
    return out.finish(static_cast<int>(*s.dim));
}

}  // namespace
}  // namespace vext

SQL_FUNCTION(sparsevec_accum) {
    vext::SparseSums state = vext::sums_arg(fcinfo, 0, "sparsevec_accum");
    vext::SparseArg value{fcinfo, 1};
    if (*state.dim == 0) state = vext::new_sums(*state.count, value->dim, 0);
    else vext::check_expected_dim(static_cast<int>(*state.dim), value->dim);
    PG_RETURN_ARRAYTYPE_P(vext::added(fcinfo, state, 1, vext::FromVector{*value}));
}

SQL_FUNCTION(sparsevec_combine) {
    vext::SparseSums a = vext::sums_arg(fcinfo, 0, "sparsevec_combine");
    vext::SparseSums b = vext::sums_arg(fcinfo, 1, "sparsevec_combine");
    if (*a.dim == 0) a = vext::new_sums(*a.count, *b.dim, 0);
    else if (*b.dim != 0) vext::check_expected_dim(static_cast<int>(*a.dim), static_cast<int>(*b.dim));
    PG_RETURN_ARRAYTYPE_P(vext::added(fcinfo, a, *b.count, vext::FromState{b}));
}

SQL_FUNCTION(sparsevec_sum) {
    vext::Sparsevec* sum = vext::result_of(vext::sums_arg(fcinfo, 0, "sparsevec_sum"), 1, "sparsevec_sum");
    if (sum == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(sum);
}

SQL_FUNCTION(sparsevec_avg) {
    const vext::SparseSums state = vext::sums_arg(fcinfo, 0, "sparsevec_avg");
    vext::Sparsevec* mean = vext::result_of(state, *state.count, "sparsevec_avg");
    if (mean == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(mean);
}
