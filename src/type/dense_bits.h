// Dense vectors and bit strings.
#pragma once

#include "pg/postgres.h"
#include "type/dense.h"

namespace vext {

// One bit per element, set for those above zero, the first one highest.
template <class E>
VarBit* sign_bits(const Dense<E>& a) {
    const size_t size = VARBITTOTALLEN(a.dim);
    auto* bits = static_cast<VarBit*>(palloc0(size));
    SET_VARSIZE(bits, size);
    VARBITLEN(bits) = a.dim;
    bits8* out = VARBITS(bits);
    int i = 0;
    for (; i + 8 <= a.dim; i += 8) {
        unsigned byte = 0;
        for (int j = 0; j < 8; j++) byte = byte << 1 | (E::to_float(a.x[i + j]) > 0);
        out[i / 8] = static_cast<bits8>(byte);
    }
    for (; i < a.dim; i++)
        if (E::to_float(a.x[i]) > 0) out[i / 8] |= static_cast<bits8>(0x80 >> (i % 8));
    return bits;
}

// Elements 0 and 1.
template <class E>
Dense<E>* dense_from_bits(VarBit* bits) {
    const int dim = VARBITLEN(bits);
    check_dim(E::name, dim, E::max_dim);
    typename E::Value zero_one[2];
    static_cast<void>(E::from_float(0, &zero_one[0]));
    static_cast<void>(E::from_float(1, &zero_one[1]));
    Dense<E>* out = new_dense<E>(dim);
    const bits8* in = VARBITS(bits);
    for (int i = 0; i < dim; i++) out->x[i] = zero_one[in[i / 8] >> (7 - i % 8) & 1];
    return out;
}

// Casts. One to bit(n) of another length is an error: unlike casts from bit to bit, it never cuts or fills up.

template <class E>
Datum bit_to_dense(FunctionCallInfo fcinfo) {
    VarBit* bits = PG_GETARG_VARBIT_P(0);
    check_expected_dim(PG_GETARG_INT32(1), VARBITLEN(bits));
    PG_RETURN_POINTER(dense_from_bits<E>(bits));
}

template <class E>
Datum dense_to_bit(FunctionCallInfo fcinfo) {
    DenseArg<E> a{fcinfo, 0};
    check_expected_dim(PG_GETARG_INT32(1), a->dim);
    PG_RETURN_VARBIT_P(sign_bits(*a));
}

}  // namespace vext
