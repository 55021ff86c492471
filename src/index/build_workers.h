// Parallel workers of an index build, as the access methods use them: a ParallelContext with one struct that all share.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// Enters parallel mode, and gives `bytes` of zeroed shared memory that the workers will see. `function` is a C function
// of this library.
ParallelContext* prepare_workers(const char* function, int workers, size_t bytes, void** shared);
// Starts them. Those who come find the shared memory as it is now, so its barrier is ready, and whoever calls this is
// attached to it. NOTICE when there are fewer than wanted.
void launch_workers(ParallelContext* context);
// Waits for their end and leaves parallel mode.
void end_workers(ParallelContext* context);

// In a worker: says what it does, and gives the shared memory.
void* begin_worker(shm_toc* toc);

// Whether shared memory of this size can be had, with some to spare for the machinery of parallel workers.
bool has_shared_memory(size_t bytes);

}  // namespace vext::index
