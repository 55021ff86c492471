// What the pages of all indexes share: slot numbers, kinds, and the special space. README.md beside this file draws
// them.
#pragma once

#include <type_traits>

#include "pg/postgres.h"

namespace vext::format {

// A slot number: block * slots_per_page + slot, for the kind of page at hand. The all-ones value is none.
using SlotNumber = uint32;
inline constexpr SlotNumber kNoSlot = 0xFFFFFFFFu;

// What a page holds: slots of one size. Stored, never renumber.
enum class PageKind : uint16 {
    meta = 0,
    nodes = 1,  // of hnsw: nodes to postings
    base_links = 2,
    upper_links = 3,
    postings = 4,
    lists = 8,  // of ivfflat: lists to group_codes
    centroids = 9,
    entries = 10,
    vectors = 11,
    mean = 12,
    groups = 13,
    group_codes = 14,
};

// Attributes: the key columns of an index behind the vector. A metapage says how the 8 bytes are made that are kept of
// each; index/attributes.h.
inline constexpr int kMaxAttributes = 8;
struct Attribute {
    uint8 kind;  // index::AttributeKind; 0: none
    uint8 flags;
    uint16 reserved;
};
static_assert(sizeof(Attribute) == 4 && std::is_trivially_copyable_v<Attribute>);

// Whether inserts take single slots of such a page, so that pages with free ones are in a list.
inline constexpr bool takes_slots(PageKind kind) {
    return (kind >= PageKind::nodes && kind <= PageKind::postings) || kind == PageKind::vectors;
}

// How wide a search must be to find a share of the ten nearest rows, as an index has measured it on rows of its own.
inline constexpr int kCalibrationSteps = 12;
struct Calibration {
    double rows;     // nodes of the index at that time
    uint64 lives;    // nodes that had begun or ended their lives till then: what has changed since
    uint32 samples;  // rows that were searched for; 0: nothing was measured
    uint32 steps;
    struct Step {
        uint32 width;  // ef_search, ascending
        float recall;
    } step[kCalibrationSteps];
};
static_assert(sizeof(Calibration) == 120 && std::is_trivially_copyable_v<Calibration>);

// The special space of every page.
struct PageTail {
    BlockNumber next_free;  // next page with free slots, while `listed`
    uint16 kind;            // PageKind
    uint8 listed;           // the page is in a list of pages with free slots, or of free pages
    uint8 page_id;          // kPageId, for people with a hex dump
};
static_assert(sizeof(PageTail) == 8 && std::is_trivially_copyable_v<PageTail>);
inline constexpr uint8 kPageId = 0xA7;

}  // namespace vext::format
