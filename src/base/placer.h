// Arrays one after the other in a piece of memory, which may be nullptr to learn its size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vext {

class Placer {
public:
    explicit Placer(char* base) : base_(base) {}
    // In memory of used() + kAlignment bytes, which may begin anywhere.
    static Placer aligned(void* memory) {
        auto start = reinterpret_cast<uintptr_t>(memory) + kAlignment - 1;
        return Placer{reinterpret_cast<char*>(start / kAlignment * kAlignment)};
    }
    static constexpr size_t kAlignment = 64;

    template <typename T>
    void next(T*& array, size_t count) {
        used_ = (used_ + kAlignment - 1) / kAlignment * kAlignment;
        array = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(base_) + used_);
        used_ += count * sizeof(T);
    }
    size_t used() const { return used_; }

private:
    char* base_;
    size_t used_ = 0;
};

}  // namespace vext
