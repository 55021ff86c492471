// SQL_FUNCTION(name) { ... }: an entry point that SQL can name, with the server's call record and C linkage.
#pragma once

#include "pg/postgres.h"

#define SQL_FUNCTION(name)             \
    extern "C" {                       \
    PG_FUNCTION_INFO_V1(name);         \
    }                                  \
    extern "C" Datum name([[maybe_unused]] PG_FUNCTION_ARGS)

namespace vext {

// True when argument n is the running state of an aggregate, held plainly in the aggregate's own memory: a
// transition function may then change it in place and return it.
inline bool may_overwrite_state(FunctionCallInfo fcinfo, int n) {
    return AggCheckCallContext(fcinfo, nullptr) != 0 && !VARATT_IS_EXTENDED(DatumGetPointer(PG_GETARG_DATUM(n)));
}

}  // namespace vext
