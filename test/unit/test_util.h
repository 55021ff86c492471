// The check framework of the unit tests. CHECK evaluates once; a failure prints file, line, the text and whatever
// context() was given last, for the first failures only. main() ends with `return vext::test::finish("name");`.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vext::test {

inline long passed = 0, failed = 0;
inline char where[256] = "";

// What the next checks are about, printf style: costs nothing to read when they pass.
[[gnu::format(printf, 1, 2)]] inline void context(const char* format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(where, sizeof where, format, args);
    va_end(args);
}

[[gnu::format(printf, 5, 6)]] inline bool check(bool ok, const char* file, int line, const char* text,
                                                const char* format = nullptr, ...) {
    if (ok) {
        passed++;
        return true;
    }
    if (failed++ < 20) {
        fprintf(stderr, "%s:%d: failed: %s", file, line, text);
        va_list args;
        va_start(args, format);
        if (format) fputs(" -- ", stderr);
        if (format) vfprintf(stderr, format, args);
        va_end(args);
        fprintf(stderr, "%s%s%s\n", *where ? " [" : "", where, *where ? "]" : "");
    }
    return false;
}

inline int finish(const char* name) {
    printf("%s: %ld passed, %ld failed\n", name, passed, failed);
    return failed ? 1 : 0;
}

// A number stream of one's own, so that every run tests the same values.
struct Random {
    uint64_t state;
    uint64_t next() {  // splitmix64
        uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    double uniform() { return double(next() >> 11) * 0x1p-53; }  // [0, 1)
    double between(double lo, double hi) { return lo + (hi - lo) * uniform(); }
};

// Memory between two pages that fault: a read or write one byte outside [begin, end) of a block that touches an end
// kills the test.
class Guarded {
public:
    explicit Guarded(size_t bytes) {
        const size_t page = size_t(sysconf(_SC_PAGESIZE));
        size_ = (bytes + page - 1) / page * page;
        mapped_ = size_ + 2 * page;
        void* p = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || mprotect(static_cast<char*>(p) + page, size_, PROT_READ | PROT_WRITE) != 0) abort();
        base_ = static_cast<uint8_t*>(p);
        begin_ = base_ + page;
    }
    ~Guarded() { munmap(base_, mapped_); }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    uint8_t* begin() { return begin_; }
    uint8_t* end() { return begin_ + size_; }

    // n elements that end `gap` elements before the page that faults, or that begin right after the other.
    template <class T> T* last(size_t n, size_t gap = 0) { return reinterpret_cast<T*>(end()) - n - gap; }
    template <class T> T* first() { return reinterpret_cast<T*>(begin()); }

private:
    uint8_t *base_, *begin_;
    size_t size_, mapped_;
};

}  // namespace vext::test

#define CHECK(ok, ...) ::vext::test::check(bool(ok), __FILE__, __LINE__, #ok __VA_OPT__(,) __VA_ARGS__)
