// Subscripts of dense vectors, to read: v[i] is an element as real, v[i:j] a vector of elements i to j, where a bound
// left out is the first or last element. Counted from 1. What lies outside is NULL, or left out of a slice; an empty
// slice is NULL, since no vector is empty.
#pragma once

#include <cstring>

#include "pg/postgres.h"
#include "type/dense.h"
#include "type/dense_ops.h"

namespace vext {

// A bound of a subscript as an expression of type integer; none, if it was left out.
inline Node* subscript_bound(ParseState* parse, Node* bound) {
    if (bound == nullptr) return nullptr;
    Node* typed = transformExpr(parse, bound, parse->p_expr_kind);
    Node* integer = coerce_to_target_type(parse, typed, exprType(typed), INT4OID, -1, COERCION_ASSIGNMENT,
                                          COERCE_IMPLICIT_CAST, -1);
    if (integer == nullptr)
        ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("subscript must have type integer"),
                parser_errposition(parse, exprLocation(typed)));
    return integer;
}

template <class E>
void transform_subscripts(SubscriptingRef* ref, List* indirection, ParseState* parse, bool is_slice,
                          bool is_assignment) {
    auto* indices = linitial_node(A_Indices, indirection);
    if (is_assignment)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("elements of type %s cannot be assigned to", E::name),
                errhint("Put a new value together from slices, with operator ||."));
    if (list_length(indirection) != 1)
        ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                errmsg("type %s takes one subscript, not %d", E::name, list_length(indirection)));
    ref->refupperindexpr = list_make1(subscript_bound(parse, indices->uidx));
    ref->reflowerindexpr = is_slice ? list_make1(subscript_bound(parse, indices->lidx)) : NIL;
    ref->refrestype = is_slice ? ref->refcontainertype : FLOAT4OID;
    ref->reftypmod = -1;
}

// False, and the result NULL, where a subscript is.
inline bool check_subscripts(ExprState*, ExprEvalStep* op, ExprContext*) {
    const SubscriptingRefState* state = op->d.sbsref_subscript.state;
    const bool upper_null = state->upperprovided[0] && state->upperindexnull[0];
    const bool lower_null = state->numlower > 0 && state->lowerprovided[0] && state->lowerindexnull[0];
    if (upper_null || lower_null) *op->resnull = true;
    return !*op->resnull;
}

// Of a value out of line, only the chunks that hold the element are read.
template <class E>
void fetch_element(ExprState*, ExprEvalStep* op, ExprContext*) {
    const int i = DatumGetInt32(op->d.sbsref.state->upperindex[0]) - 1;
    const Datum vector = *op->resvalue;
    *op->resnull = i < 0 || i >= dense_dim<E>(vector);
    if (*op->resnull) return;
    typename E::Value element;
    const size_t offset = kDenseHeader - VARHDRSZ + static_cast<size_t>(i) * sizeof element;
    if (VARATT_IS_EXTERNAL(DatumGetPointer(vector))) {
        struct varlena* bytes = PG_DETOAST_DATUM_SLICE(vector, static_cast<int32>(offset), sizeof element);
        std::memcpy(&element, VARDATA_ANY(bytes), sizeof element);
    } else {
        struct varlena* bytes = PG_DETOAST_DATUM_PACKED(vector);
        std::memcpy(&element, VARDATA_ANY(bytes) + offset, sizeof element);
    }
    *op->resvalue = Float4GetDatum(E::to_float(element));
}

template <class E>
void fetch_slice(ExprState*, ExprEvalStep* op, ExprContext*) {
    const SubscriptingRefState* state = op->d.sbsref.state;
    DenseArg<E> vector{*op->resvalue};
    const int first = state->lowerprovided[0] ? DatumGetInt32(state->lowerindex[0]) : 1;
    const int last = state->upperprovided[0] ? DatumGetInt32(state->upperindex[0]) : vector->dim;
    Dense<E>* slice = elements_between(*vector, first, last);
    *op->resnull = slice == nullptr;
    *op->resvalue = PointerGetDatum(slice);
}

template <class E>
void prepare_subscripts(const SubscriptingRef*, SubscriptingRefState* state, SubscriptExecSteps* steps) {
    steps->sbs_check_subscripts = check_subscripts;
    steps->sbs_fetch = state->numlower > 0 ? fetch_slice<E> : fetch_element<E>;
    steps->sbs_assign = nullptr;
    steps->sbs_fetch_old = nullptr;
}

template <class E>
inline constexpr SubscriptRoutines kSubscripts = {
    .transform = transform_subscripts<E>,
    .exec_setup = prepare_subscripts<E>,
    .fetch_strict = true,     // NULL of a NULL vector or subscript
    .fetch_leakproof = true,  // never an error
    .store_leakproof = false,
};

}  // namespace vext
