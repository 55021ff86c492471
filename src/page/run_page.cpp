#include "page/run_page.h"

#include <cstring>

namespace vext::page {

void place_run(Page page, const SlotShape& shape, uint32 first, uint32 need) {
    uint64* starts = run_map(page)->starts;
    uint32 end = first + need, next = first;
    while (next < end) next = next_entry(page, shape, next);
    for (uint32 i = first; i < end; i++) starts[i / 64] &= ~(uint64{1} << i % 64);
    starts[first / 64] |= uint64{1} << first % 64;
    memset(slot_at(page, shape, first), 0, sizeof(format::HnswNode));
    if (end == next) return;
    starts[end / 64] |= uint64{1} << end % 64;
    memset(slot_at(page, shape, end), 0, sizeof(format::HnswNode));
}

}  // namespace vext::page
