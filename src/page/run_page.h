// Pages where each entry takes a run of slots, as many as it needs (format::RunMap). Numbers are found by arithmetic,
// as on other pages. Neighbouring free runs become one when they are used again.
#pragma once

#include <algorithm>
#include <bit>

#include "pg/postgres.h"

#include "page/slot_page.h"

namespace vext::page {

inline constexpr uint32 kFirstRun = 1;
inline constexpr SlotShape kRunShape = {PageKind::nodes, format::kGranule, kSlotArea / format::kGranule, true};
static_assert(kRunShape.per_page <= sizeof(format::RunMap) * 8);

inline format::RunMap* run_map(Page page) {
    return reinterpret_cast<format::RunMap*>(static_cast<char*>(page) + kSlotAreaStart);
}

inline bool starts_run(Page page, uint32 slot) { return run_map(page)->starts[slot / 64] >> slot % 64 & 1; }

inline uint32 run_slots(size_t bytes) { return static_cast<uint32>((bytes + format::kGranule - 1) / format::kGranule); }

// What is on a page, slot by slot or run by run: for (i = first_entry(shape); i < per_page; i = next_entry(...)).
inline uint32 first_entry(const SlotShape& shape) { return shape.runs ? kFirstRun : 0; }
inline uint32 next_entry(Page page, const SlotShape& shape, uint32 slot) {
    if (!shape.runs) return slot + 1;
    const uint64* starts = run_map(page)->starts;
    slot++;
    uint64 word = slot < shape.per_page ? starts[slot / 64] >> slot % 64 << slot % 64 : 0;
    for (uint32 w = slot / 64; w * 64 < shape.per_page; word = ++w * 64 < shape.per_page ? starts[w] : 0) {
        if (word != 0) return w * 64 + static_cast<uint32>(std::countr_zero(word));
    }
    return shape.per_page;
}

// What may be done with a run.
enum class RunState { used, free_later, free_now };

// The first run, or row of runs, of `need` slots that are free now; per_page when there is none, and `widest` is then
// the longest row of free ones, now or later.
template <typename StateOf>
uint32 find_run(Page page, const SlotShape& shape, uint32 need, uint32* widest, StateOf state_of) {
    uint32 first = kFirstRun, first_free = kFirstRun;
    *widest = 0;
    for (uint32 i = first_entry(shape), next; i < shape.per_page; i = next) {
        next = next_entry(page, shape, i);
        RunState state = state_of(slot_at(page, shape, i));
        if (state == RunState::used) first_free = next;
        *widest = std::max(*widest, next - first_free);
        if (state != RunState::free_now) first = next;
        if (next - first >= need) return first;
    }
    return shape.per_page;
}

// Makes one run of `need` slots at `first`, out of runs that find_run() gave. What is left over is a run never used.
void place_run(Page page, const SlotShape& shape, uint32 first, uint32 need);

}  // namespace vext::page
