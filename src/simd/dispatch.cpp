// Which table this machine can run. Compiled without flags of its own: it runs before anything is known.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "simd/tables.h"

namespace vext::simd {
namespace {

#if defined(__x86_64__)
// One test for each flag that the Makefile gives the file. __builtin_cpu_supports also looks at XCR0, that is, whether
// the system saves the registers; xsimd 8.1 tests the wrong bits.
bool has_f16c() noexcept {  // clang 14 has no name for it
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

bool has_avx2() noexcept {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c() &&
           __builtin_cpu_supports("popcnt");
}

bool has_avx512() noexcept {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

bool has_vnni() noexcept { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

#if defined(VEXT_HAVE_BASELINE)
constexpr const Kernels* baseline = &kernels_baseline;
#else
constexpr const Kernels* baseline = &kernels_scalar;
#endif

constexpr Level kBestFirst[] = {Level::vnni, Level::avx512, Level::avx2};

}  // namespace

const Kernels* active = baseline;

const Kernels* table_for(Level level) noexcept {
    switch (level) {
        case Level::automatic:
            for (Level l : kBestFirst) {
                if (const Kernels* k = table_for(l)) return k;
            }
            return baseline;
        case Level::scalar:
            return &kernels_scalar;
        case Level::baseline:
            return baseline;
#if defined(__x86_64__)
        case Level::avx2:
            return has_avx2() ? &kernels_avx2 : nullptr;
        case Level::avx512:
            return has_avx512() ? &kernels_avx512 : nullptr;
        case Level::vnni:
            return has_vnni() ? &kernels_vnni : nullptr;
#endif
        default:
            return nullptr;
    }
}

bool select(Level level) noexcept {
    const Kernels* k = table_for(level);
    if (k) active = k;
    return k != nullptr;
}

}  // namespace vext::simd
