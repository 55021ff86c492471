// What PostgreSQL tells valgrind, told to the address sanitizer: chunks of memory contexts are poisoned once freed and
// around what was asked for, buffers while the process has them not pinned.  Without this the sanitizer would know malloc's blocks
// only, which memory contexts are made of.  test/assert_server builds the server with it, in valgrind's place.
#pragma once

#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) __asan_poison_memory_region((addr), (size))
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) __asan_unpoison_memory_region((addr), (size))
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) __asan_unpoison_memory_region((addr), (size))
#define VALGRIND_MEMPOOL_ALLOC(pool, addr, size) __asan_unpoison_memory_region((addr), (size))
#define VALGRIND_MEMPOOL_CHANGE(pool, old, addr, size) __asan_unpoison_memory_region((addr), (size))
// The allocators poison what they free by the requests above; whether a byte was written to is no matter here.
#define VALGRIND_MEMPOOL_FREE(pool, addr) ((void)0)
#define VALGRIND_CREATE_MEMPOOL(pool, redzone, zeroed) ((void)0)
#define VALGRIND_DESTROY_MEMPOOL(pool) ((void)0)
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size) ((void)0)
