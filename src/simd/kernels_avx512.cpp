// AVX-512 F, CD, DQ, BW, VL.
#if defined(__x86_64__)
#define xsimd xsimd_avx512
#define VEXT_ARCH xsimd::avx512bw
#define VEXT_PRIM "simd/prim_avx512.h"
#define VEXT_TABLE kernels_avx512
#define VEXT_NAME "avx512"
#include "simd/kernels-inl.h"
#endif
