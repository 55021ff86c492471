// ArenaVec<T>: a growable array in a MemoryContext. No destructor: a longjmp over it is harmless, and the memory
// goes when its context is reset or deleted.
#pragma once

#include "pg/postgres.h"

#include "base/vec.h"

namespace vext {

struct ContextMemory {
    MemoryContext context = nullptr;

    ContextMemory() = default;
    ContextMemory(MemoryContext c) : context(c) {}

    // Errors: "out of memory", or "invalid memory alloc request size" beyond MaxAllocHugeSize.
    void* resize(void* old, size_t bytes) const {
        return old == nullptr ? MemoryContextAllocHuge(context, bytes) : repalloc_huge(old, bytes);
    }
};

template <typename T>
using ArenaVec = BasicVec<T, ContextMemory>;

static_assert(std::is_trivially_destructible_v<ArenaVec<int>>);

}  // namespace vext
