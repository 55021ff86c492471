// AVX-512 with VNNI: as kernels_avx512.cpp, but 8-bit products by vpdpbusd (__AVX512VNNI__ in prim_avx512.h).
#if defined(__x86_64__)
#define xsimd xsimd_vnni
#define VEXT_ARCH xsimd::avx512bw
#define VEXT_PRIM "simd/prim_avx512.h"
#define VEXT_TABLE kernels_vnni
#define VEXT_NAME "vnni"
#include "simd/kernels-inl.h"
#endif
