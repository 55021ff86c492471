// The only destructors that release Postgres resources. Each serves the normal path; after an ERROR it is skipped
// and transaction abort frees the same thing, as its comment says.
#pragma once

#include "pg/postgres.h"

namespace vext::pg {

// A pin. On ERROR: the resource owner releases it.
class [[nodiscard]] Pin {
public:
    explicit Pin(Buffer buffer) : buffer_(buffer) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { ReleaseBuffer(buffer_); }
    Buffer buffer() const { return buffer_; }
    Page page() const { return BufferGetPage(buffer_); }

private:
    Buffer buffer_;
};

// A content lock on a buffer that somebody else has pinned. On ERROR: LWLockReleaseAll.
class [[nodiscard]] ContentLock {
public:
    ContentLock(Buffer buffer, int mode) : buffer_(buffer) { LockBuffer(buffer, mode); }
    ContentLock(const ContentLock&) = delete;
    ContentLock& operator=(const ContentLock&) = delete;
    ~ContentLock() { LockBuffer(buffer_, BUFFER_LOCK_UNLOCK); }

private:
    Buffer buffer_;
};

// A stretch in which any ERROR is a PANIC, so there is no abort path. (The server's macros increment a volatile.)
class [[nodiscard]] CriticalSection {
public:
    CriticalSection() { CritSectionCount = CritSectionCount + 1; }
    CriticalSection(const CriticalSection&) = delete;
    CriticalSection& operator=(const CriticalSection&) = delete;
    ~CriticalSection() { CritSectionCount = CritSectionCount - 1; }
};

// A stretch in which interrupts wait. On ERROR: the server's error recovery counts from 0 again.
class [[nodiscard]] HeldInterrupts {
public:
    HeldInterrupts() { InterruptHoldoffCount = InterruptHoldoffCount + 1; }
    HeldInterrupts(const HeldInterrupts&) = delete;
    HeldInterrupts& operator=(const HeldInterrupts&) = delete;
    ~HeldInterrupts() { InterruptHoldoffCount = InterruptHoldoffCount - 1; }
};

// A memory context made current, and deleted at the end. On ERROR: its parent's reset deletes it, and error
// recovery switches contexts.
class [[nodiscard]] ScratchContext {
public:
    explicit ScratchContext(const char* name)
        : context_(AllocSetContextCreateInternal(CurrentMemoryContext, name, ALLOCSET_DEFAULT_SIZES)),
          outer_(MemoryContextSwitchTo(context_)) {}
    ScratchContext(const ScratchContext&) = delete;
    ScratchContext& operator=(const ScratchContext&) = delete;
    ~ScratchContext() {
        MemoryContextSwitchTo(outer_);
        MemoryContextDelete(context_);
    }
    MemoryContext context() const { return context_; }

private:
    MemoryContext context_, outer_;
};

}  // namespace vext::pg
