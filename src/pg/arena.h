// ArenaVec<T>: a growable array whose storage belongs to a MemoryContext. It has no destructor, so a
// longjmp over it is harmless; the memory goes when its context is reset or deleted.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "pg/postgres.h"

namespace vext {

template <typename T>
class ArenaVec {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    ArenaVec() = default;
    explicit ArenaVec(MemoryContext context, size_t reserve = 0) : context_(context) {
        if (reserve > 0) this->reserve(reserve);
    }

    size_t size() const { return size_; }
    size_t capacity() const { return capacity_; }
    size_t bytes() const { return capacity_ * sizeof(T); }
    bool empty() const { return size_ == 0; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& operator[](size_t i) { return data_[i]; }
    const T& operator[](size_t i) const { return data_[i]; }
    T& back() { return data_[size_ - 1]; }
    std::span<T> span() { return {data_, size_}; }
    std::span<const T> span() const { return {data_, size_}; }

    void clear() { size_ = 0; }
    void pop_back() { size_--; }

    // Errors: ERROR "out of memory", or "invalid memory alloc request size" beyond MaxAllocHugeSize.
    void reserve(size_t wanted) {
        if (wanted <= capacity_) return;
        if (wanted > MaxAllocHugeSize / sizeof(T)) elog(ERROR, "vectorext: array of %zu elements is too large", wanted);
        size_t bytes = wanted * sizeof(T);
        data_ = static_cast<T*>(data_ == nullptr ? MemoryContextAllocHuge(context_, bytes) : repalloc_huge(data_, bytes));
        capacity_ = wanted;
    }
    void push_back(const T& value) {
        if (size_ == capacity_) {
            T copy = value;  // value may live in the array that moves
            reserve(capacity_ < 8 ? 16 : capacity_ + capacity_ / 2);
            data_[size_++] = copy;
            return;
        }
        data_[size_++] = value;
    }
    void resize(size_t n, const T& value = T{}) {
        reserve(n);
        for (size_t i = size_; i < n; i++) data_[i] = value;
        size_ = n;
    }
    void resize_uninitialized(size_t n) {
        reserve(n);
        size_ = n;
    }

private:
    T* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
    MemoryContext context_ = nullptr;
};

static_assert(std::is_trivially_destructible_v<ArenaVec<int>>);

}  // namespace vext
