// AVX2 with FMA.
#if defined(__x86_64__)
#define xsimd xsimd_avx2
#define VEXT_ARCH xsimd::fma3<xsimd::avx2>
#define VEXT_PRIM "simd/prim_avx2.h"
#define VEXT_TABLE kernels_avx2
#define VEXT_NAME "avx2"
#include "simd/kernels-inl.h"
#endif
