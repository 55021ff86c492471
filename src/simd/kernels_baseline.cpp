// SSE2 on x86-64, NEON on aarch64: what every machine of the architecture has. Elsewhere dispatch.cpp uses scalar.
#if defined(__SSE2__)
#define xsimd xsimd_sse2
#define VEXT_ARCH xsimd::sse2
#define VEXT_PRIM "simd/prim_sse2.h"
#elif defined(__aarch64__)
#define xsimd xsimd_neon64
#define VEXT_ARCH xsimd::neon64
#define VEXT_PRIM "simd/prim_neon.h"
#endif

#ifdef VEXT_ARCH
#define VEXT_TABLE kernels_baseline
#define VEXT_NAME "baseline"
#include "simd/kernels-inl.h"
#endif
