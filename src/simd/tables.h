// The tables behind table_for(), one per kernels_<level>.cpp. A level that this build does not have stays undefined:
// dispatch.cpp names a table only under the same #if.
#pragma once

#include "simd/kernels.h"

#if defined(__SSE2__) || defined(__aarch64__)
#define VEXT_HAVE_BASELINE 1  // a vector unit that every machine of this architecture has
#endif

namespace vext::simd {

extern const Kernels kernels_scalar, kernels_baseline, kernels_avx2, kernels_avx512, kernels_vnni;

}  // namespace vext::simd
