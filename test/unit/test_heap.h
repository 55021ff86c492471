// Memory for BasicVec from malloc, left to the end of the process.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "base/vec.h"

namespace vext::test {

struct Heap {
    void* resize(void* old, size_t bytes) const {
        if (bytes > PTRDIFF_MAX) abort();
        return realloc(old, bytes);
    }
};
template <typename T>
using Vec = BasicVec<T, Heap>;

}  // namespace vext::test
