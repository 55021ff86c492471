// Core's type bit as a vector: its distances, and casts from and to the dense types.
#include "pg/postgres.h"

#include "simd/kernels.h"
#include "type/dense_bits.h"
#include "type/entry.h"
#include "type/halfvec.h"
#include "type/vector.h"

namespace vext {
namespace {

// Two arguments of one length. Bits behind the last one are zero in every value of the type.
struct BitArgs {
    VarBit *a, *b;
    size_t bytes;

    explicit BitArgs(FunctionCallInfo fcinfo)
        : a(PG_GETARG_VARBIT_P(0)), b(PG_GETARG_VARBIT_P(1)), bytes(VARBITBYTES(a)) {
        if (VARBITLEN(a) != VARBITLEN(b))
            ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("different bit lengths %u and %u", static_cast<unsigned>(VARBITLEN(a)),
                           static_cast<unsigned>(VARBITLEN(b))));
    }
};

}  // namespace
}  // namespace vext

SQL_FUNCTION(hamming_distance) {
    const vext::BitArgs args{fcinfo};
    const uint64 bits = vext::simd::active->differing_bits(VARBITS(args.a), VARBITS(args.b), args.bytes);
    PG_RETURN_FLOAT8(static_cast<double>(bits));
}

// The share of the set bits that are not common; 1 where nothing is common, even of two values without a set bit.
SQL_FUNCTION(jaccard_distance) {
    const vext::BitArgs args{fcinfo};
    const vext::simd::BitCounts n = vext::simd::active->common_bits(VARBITS(args.a), VARBITS(args.b), args.bytes);
    if (n.both == 0) PG_RETURN_FLOAT8(1.0);
    PG_RETURN_FLOAT8(1.0 - static_cast<double>(n.both) / static_cast<double>(n.either));
}

SQL_FUNCTION(bit_to_vector) { return vext::bit_to_dense<vext::FloatElement>(fcinfo); }
SQL_FUNCTION(bit_to_halfvec) { return vext::bit_to_dense<vext::HalfElement>(fcinfo); }
SQL_FUNCTION(vector_to_bit) { return vext::dense_to_bit<vext::FloatElement>(fcinfo); }
SQL_FUNCTION(halfvec_to_bit) { return vext::dense_to_bit<vext::HalfElement>(fcinfo); }
