// BasicVec<T, Source>: a growable array of trivially copyable elements. Source is a small copyable handle with
// `void* resize(void* old, size_t bytes)` that either returns memory or does not return; there is no destructor,
// so a longjmp over a vector is harmless and its memory belongs to whatever Source draws from (a memory context
// in the server, malloc in unit tests).
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

namespace vext {

template <typename T, typename Source>
class BasicVec {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    BasicVec() = default;
    explicit BasicVec(Source source, size_t reserve = 0) : source_(source) { this->reserve(reserve); }

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

    void clear() { size_ = 0; }
    void pop_back() { size_--; }

    void reserve(size_t wanted) {
        if (wanted <= capacity_) return;
        // A product that wraps becomes a request that no source can serve.
        size_t bytes = wanted > static_cast<size_t>(-1) / sizeof(T) ? static_cast<size_t>(-1) : wanted * sizeof(T);
        data_ = static_cast<T*>(source_.resize(data_, bytes));
        capacity_ = wanted;
    }
    void push_back(const T& value) {
        T copy = value;  // value may live in the array that moves
        if (size_ == capacity_) reserve(capacity_ < 8 ? 16 : capacity_ + capacity_ / 2);
        data_[size_++] = copy;
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
    Source source_{};
};

}  // namespace vext
