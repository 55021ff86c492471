// Memory that will be read soon. The one home of __builtin_prefetch: g++ takes a function that does nothing else for one
// without effects, and leaves out the calls that it has not inlined by then. The empty statement is an effect.
#pragma once

#include <cstddef>

namespace vext {

inline constexpr size_t kCacheLine = 64;

inline void prefetch(const void* at) {
    __builtin_prefetch(at);
    asm volatile("");
}

inline void prefetch_to_write(const void* at) {
    __builtin_prefetch(at, 1);
    asm volatile("");
}

inline void prefetch(const void* from, size_t bytes) {
    const char* at = static_cast<const char*>(from);
    for (const char* end = at + bytes; at < end; at += kCacheLine) prefetch(at);
}

}  // namespace vext
