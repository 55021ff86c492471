// Memory that is read in no order, in pages of 2 MB where Linux gives these to who asks (transparent_hugepage): the
// processor then finds where it lies without looking for that, too. Where there are none, nothing happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace vext {

inline constexpr size_t kHugePage = size_t{2} << 20;

// What of a piece of memory are whole pages of that size.
inline std::span<char> whole_huge_pages(void* from, size_t bytes) {
    auto* start = static_cast<char*>(from);
    size_t before = -reinterpret_cast<uintptr_t>(start) % kHugePage;
    if (before >= bytes) return {};
    return {start + before, (bytes - before) / kHugePage * kHugePage};
}

// For whole pages that are not written yet.
inline void prefer_huge_pages([[maybe_unused]] std::span<char> pages) {
#ifdef MADV_HUGEPAGE
    if (!pages.empty()) madvise(pages.data(), pages.size(), MADV_HUGEPAGE);
#endif
}

// For whole pages that are: they are copied, from Linux 6.1 on.
inline void make_huge_pages([[maybe_unused]] std::span<char> pages) {
#ifdef __linux__
    constexpr int kCollapse = 25;  // MADV_COLLAPSE; older headers lack it
    if (!pages.empty()) madvise(pages.data(), pages.size(), kCollapse);
#endif
}

}  // namespace vext
