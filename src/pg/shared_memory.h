// What the server does not tell about dynamic shared memory.
#pragma once

#include <sys/statvfs.h>

#include "pg/postgres.h"

namespace vext::pg {

// Bytes that a new segment may have. dsm_create raises an ERROR where there is no room, and in a container /dev/shm is
// often small; so whoever can do without asks first.
inline size_t free_shared_memory() {
    const char* where = dynamic_shared_memory_type == DSM_IMPL_POSIX  ? "/dev/shm"
                        : dynamic_shared_memory_type == DSM_IMPL_MMAP ? PG_DYNSHMEM_DIR
                                                                      : nullptr;
    struct statvfs fs;
    if (where == nullptr || statvfs(where, &fs) != 0) return SIZE_MAX;
    return static_cast<size_t>(fs.f_bavail) * fs.f_frsize;
}

}  // namespace vext::pg
