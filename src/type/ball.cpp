// The operators <<->> and their like: does a vector lie within a ball?
#include "type/ball.h"

#include "type/entry.h"

namespace vext {

bool read_ball(Datum datum, Ball* ball) {
    HeapTupleHeader row = DatumGetHeapTupleHeader(datum);
    bool no_center, no_radius;
    ball->center = GetAttributeByNum(row, kBallCenter, &no_center);
    Datum radius = GetAttributeByNum(row, kBallRadius, &no_radius);
    if (no_center || no_radius) return false;
    ball->radius = DatumGetFloat8(radius);
    return true;
}

namespace {

Datum within(FunctionCallInfo fcinfo, PGFunction distance) {
    Ball ball;
    if (!read_ball(PG_GETARG_DATUM(1), &ball)) PG_RETURN_NULL();
    double d = DatumGetFloat8(DirectFunctionCall2(distance, PG_GETARG_DATUM(0), ball.center));
    PG_RETURN_BOOL(float8_le(d, ball.radius));  // as the operator <= of SQL has it: NaN is the greatest
}

}  // namespace
}  // namespace vext

#define WITHIN(name, distance)                          \
    extern "C" Datum distance(PG_FUNCTION_ARGS);        \
    SQL_FUNCTION(name) { return vext::within(fcinfo, distance); }

WITHIN(vector_l2_within, l2_distance)
WITHIN(vector_ip_within, vector_negative_inner_product)
WITHIN(vector_cosine_within, cosine_distance)
WITHIN(vector_l1_within, l1_distance)
WITHIN(halfvec_l2_within, halfvec_l2_distance)
WITHIN(halfvec_ip_within, halfvec_negative_inner_product)
WITHIN(halfvec_cosine_within, halfvec_cosine_distance)
WITHIN(halfvec_l1_within, halfvec_l1_distance)
WITHIN(sparsevec_l2_within, sparsevec_l2_distance)
WITHIN(sparsevec_ip_within, sparsevec_negative_inner_product)
WITHIN(sparsevec_cosine_within, sparsevec_cosine_distance)
WITHIN(sparsevec_l1_within, sparsevec_l1_distance)
WITHIN(bit_hamming_within, hamming_distance)
WITHIN(bit_jaccard_within, jaccard_distance)
