// Putting the results of several searches together: reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), and
// maximal marginal relevance (Carbonell and Goldstein 1998).
#include <algorithm>
#include <cmath>

#include "pg/arena.h"
#include "pg/postgres.h"
#include "type/cosine.h"
#include "type/entry.h"
#include "type/number_array.h"
#include "type/vector.h"

namespace vext {
namespace {

constexpr int kRrfConstant = 60;  // of the paper

double rrf_score_of(int64 rank, int k) {
    if (rank < 1) ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a rank must be at least 1"));
    return 1.0 / (static_cast<double>(k) + static_cast<double>(rank));
}

// ---- mmr

struct Candidate {
    int place;  // in the array, counted from 1
    const Vector* vector;
    double relevance;   // to the query
    double redundancy;  // to the nearest of those chosen
};

// A zero vector is like nothing.
double similarity(const Vector& a, const Vector& b) {
    if (a.dim != b.dim) fail_different_dims(FloatElement::name, a.dim, b.dim);
    double distance = cosine_distance_of(FloatElement::cosine_sums(a.x, b.x, static_cast<size_t>(a.dim)));
    return std::isnan(distance) ? 0 : 1 - distance;
}

// NULL elements are no candidates.
ArenaVec<Candidate> read_candidates(ArrayType* array, const Vector& query) {
    if (ARR_NDIM(array) > 1) ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"));
    Datum* items;
    bool* nulls;
    int n;
    deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &items, &nulls, &n);
    ArenaVec<Candidate> candidates{CurrentMemoryContext};
    for (int i = 0; i < n; i++) {
        if (nulls[i]) continue;
        const auto* vector = reinterpret_cast<const Vector*>(PG_DETOAST_DATUM(items[i]));
        candidates.push_back({i + 1, vector, similarity(query, *vector), -1});
    }
    return candidates;
}

// Moves the best of those from `chosen` on to the place `chosen`. The first in the array wins a tie.
void choose_next(ArenaVec<Candidate>& all, size_t chosen, double lambda) {
    size_t best = chosen;
    double best_score = -HUGE_VAL;
    for (size_t i = chosen; i < all.size(); i++) {
        double redundancy = chosen == 0 ? 0 : all[i].redundancy;
        double score = lambda * all[i].relevance - (1 - lambda) * redundancy;
        if (score > best_score || (score == best_score && all[i].place < all[best].place)) {
            best = i;
            best_score = score;
        }
    }
    std::swap(all[chosen], all[best]);
    for (size_t i = chosen + 1; i < all.size(); i++) {
        all[i].redundancy = std::max(all[i].redundancy, similarity(*all[chosen].vector, *all[i].vector));
    }
}

}  // namespace
}  // namespace vext

// A document that a search did not find has no rank there, and gets nothing for it.
SQL_FUNCTION(rrf_score) {
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    int k = PG_GETARG_INT32(1);
    if (k < 0) ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k must not be negative"));
    PG_RETURN_FLOAT8(PG_ARGISNULL(0) ? 0 : vext::rrf_score_of(PG_GETARG_INT64(0), k));
}

SQL_FUNCTION(rrf) {
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    ArrayType* ranks = PG_GETARG_ARRAYTYPE_P(0);
    Datum* items;
    bool* nulls;
    int n;
    deconstruct_array(ranks, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &items, &nulls, &n);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        if (!nulls[i]) sum += vext::rrf_score_of(DatumGetInt64(items[i]), vext::kRrfConstant);
    }
    PG_RETURN_FLOAT8(sum);
}

SQL_FUNCTION(mmr) {
    using namespace vext;
    VectorArg query{fcinfo, 0};
    int k = PG_GETARG_INT32(2);
    double lambda = PG_GETARG_FLOAT8(3);
    if (k < 0) ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k must not be negative"));
    if (!(lambda >= 0 && lambda <= 1)) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("lambda must be between 0 and 1"));
    }
    ArenaVec<Candidate> candidates = read_candidates(PG_GETARG_ARRAYTYPE_P(1), *query);
    int chosen = std::min(k, static_cast<int>(candidates.size()));
    if (chosen == 0) PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
    ArrayType* places = new_array<int32>(INT4OID, chosen);
    auto* place = reinterpret_cast<int32*>(ARR_DATA_PTR(places));
    for (int i = 0; i < chosen; i++) {
        CHECK_FOR_INTERRUPTS();
        choose_next(candidates, static_cast<size_t>(i), lambda);
        place[i] = candidates[static_cast<size_t>(i)].place;
    }
    PG_RETURN_ARRAYTYPE_P(places);
}
