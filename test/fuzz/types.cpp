// Text and binary input of every type.  The first byte says which, and the modifier; the rest is the input.  What is
// accepted must come back the same through text and through the wire.
// Links: src/type/vector.cpp src/type/halfvec.cpp src/type/sparsevec_type.cpp src/type/checks.cpp
#include "server_shim.h"

extern "C" {
Datum vector_in(PG_FUNCTION_ARGS);
Datum vector_out(PG_FUNCTION_ARGS);
Datum vector_recv(PG_FUNCTION_ARGS);
Datum vector_send(PG_FUNCTION_ARGS);
Datum halfvec_in(PG_FUNCTION_ARGS);
Datum halfvec_out(PG_FUNCTION_ARGS);
Datum halfvec_recv(PG_FUNCTION_ARGS);
Datum halfvec_send(PG_FUNCTION_ARGS);
Datum sparsevec_in(PG_FUNCTION_ARGS);
Datum sparsevec_out(PG_FUNCTION_ARGS);
Datum sparsevec_recv(PG_FUNCTION_ARGS);
Datum sparsevec_send(PG_FUNCTION_ARGS);
}

namespace {

struct Type {
    PGFunction in, out, receive, send;
} const types[] = {{vector_in, vector_out, vector_recv, vector_send},
                   {halfvec_in, halfvec_out, halfvec_recv, halfvec_send},
                   {sparsevec_in, sparsevec_out, sparsevec_recv, sparsevec_send}};

Datum call(PGFunction function, Datum argument, int32 typmod) {
    LOCAL_FCINFO(fcinfo, 3);
    InitFunctionCallInfoData(*fcinfo, nullptr, 3, InvalidOid, nullptr, nullptr);
    fcinfo->args[0] = {argument, false};
    fcinfo->args[1] = {ObjectIdGetDatum(InvalidOid), false};
    fcinfo->args[2] = {Int32GetDatum(typmod), false};
    return function(fcinfo);
}

Datum receive(const Type& type, const void* bytes, size_t length, int32 typmod) {
    auto* copy = static_cast<char*>(palloc(length));
    if (length > 0) memcpy(copy, bytes, length);
    StringInfoData message{copy, static_cast<int>(length), static_cast<int>(length), 0};
    return call(type.receive, PointerGetDatum(&message), typmod);
}

void demand_same(Datum a, Datum b) {
    const void *x = DatumGetPointer(a), *y = DatumGetPointer(b);
    if (VARSIZE(x) != VARSIZE(y) || memcmp(x, y, VARSIZE(x)) != 0) abort();
}

void use(const uint8_t* data, size_t size) {
    const Type& type = types[data[0] % 3];
    const int32 typmod = data[0] & 0x80 ? (data[0] >> 2) % 8 + 1 : -1;
    Datum value;
    if (data[0] & 0x40) {
        value = receive(type, data + 1, size - 1, typmod);
    } else {
        value = call(type.in, CStringGetDatum(pnstrdup(reinterpret_cast<const char*>(data + 1), size - 1)), typmod);
    }
    demand_same(value, call(type.in, call(type.out, value, -1), typmod));
    const void* wire = DatumGetPointer(call(type.send, value, -1));
    demand_same(value, receive(type, VARDATA(wire), VARSIZE(wire) - VARHDRSZ, typmod));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 0 && setjmp(shim::on_error) == 0) use(data, size);
    shim::release_all();
    return 0;
}
