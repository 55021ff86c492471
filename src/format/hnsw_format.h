// The on-disk structs of an hnsw index. README.md beside this file draws the pages. Everything is in the machine's
// byte order, 4-byte aligned, without hidden padding.
#pragma once

#include <cstddef>
#include <type_traits>

#include "pg/postgres.h"

#include "format/page_format.h"

namespace vext::format {

inline constexpr uint32 kHnswMagic = 0x56585448;  // "HTXV" in a hex dump
inline constexpr uint32 kHnswVersion = 1;
inline constexpr BlockNumber kHnswMetaBlock = 0;

inline constexpr int kSlotKinds = 4;  // nodes to postings

struct HnswMeta {
    uint32 magic;
    uint32 version;
    uint32 dimensions;
    uint8 element;  // codec::Element
    uint8 metric;   // codec::Metric
    uint8 codec;    // codec::CodecId
    uint8 attributes;
    uint16 m;
    uint16 ef_construction;
    uint32 code_bytes;             // factors and code of one vector
    uint32 slot_bytes;             // of a node
    uint16 slots_per_page;         // of node pages
    uint16 links_inline;           // 1: level 0 links are in the node's slot, 0: in base_links pages
    SlotNumber entry;              // entry point, or kNoSlot in an empty index
    uint32 entry_level;
    BlockNumber codec_block;       // first page of codec parameters (a mean, a rotation); none: InvalidBlockNumber
    BlockNumber free_head[kSlotKinds];  // by PageKind - 1
    uint32 salt;                   // random, of this index: see HnswNode.mark
    BlockNumber free_large;        // as free_head: of nodes that take a large part of a page
    BlockNumber passed_last[kSlotKinds + 1];  // by PageKind - 1, then of large nodes: the last of a ring of pages that
                                              // were tried; 0: none
    uint32 sketch_bytes;           // of all attributes, at the beginning of each page of nodes
    float growth;                  // measured with the calibration: how distances grow with the rank (hnsw_horizon.h); 0: not known
    Attribute attribute[kMaxAttributes];
    Calibration calibration;
};
static_assert(sizeof(HnswMeta) == 248 && offsetof(HnswMeta, calibration) == 128 &&
              std::is_trivially_copyable_v<HnswMeta>);

// Flags of a slot. A free slot is all zero here.
inline constexpr uint8 kSlotUsed = 1;
// No row refers to this node any more: searches pass through it, nobody links to it, vacuum is freeing it.
inline constexpr uint8 kNodeDead = 2;

// A node's slot: this header, 8 bytes per attribute of the row, the code, and then either 2m neighbour numbers or one
// base_links slot number.
struct HnswNode {
    ItemPointerData tid;  // a row of this vector; invalid when only postings are left or none. In a freed slot this
                          // and null_attributes hold the 64-bit transaction id at which the slot was freed: it is
                          // used again when nobody can be running that may have seen the node.
    uint8 flags;
    uint8 level;
    uint32 mark;          // says that this is the slot of this number in this index, to who reads without a pin
    uint32 generation;    // counts the slot's lives, 31 bits
    SlotNumber upper;     // links of level 1, or kNoSlot
    SlotNumber posting;   // first chunk of further rows of the same code, or kNoSlot
    uint16 link_count;    // of the inline links
    uint16 null_attributes;  // of the row, a bit each
};
static_assert(sizeof(HnswNode) == 28 && std::is_trivially_copyable_v<HnswNode>);

// The sketch of an attribute: a byte for each slot of the page follows, and zeros up to a multiple of 16. A value's
// code is (value - base) >> shift. Those of free slots and dead nodes mean nothing.
struct AttributeSketch {
    int64 base;
    uint32 changes;  // counts changes of base or shift, for who reads without a lock
    uint8 shift;     // 0 to 63
    uint8 reserved[3];
};
static_assert(sizeof(AttributeSketch) == 16 && std::is_trivially_copyable_v<AttributeSketch>);
// The code of a node that must be looked at: its value is NULL, or it has postings.
inline constexpr uint8 kSketchLook = 255;
constexpr uint32 sketch_bytes(uint32 slots) {
    return static_cast<uint32>(sizeof(AttributeSketch)) + (slots + 15) / 16 * 16;
}

// Nodes of sparse vectors differ in size: each is a run of slots of kGranule bytes, and its number is that of the
// first. Slot 0 of such a page tells where runs start; each reaches up to the next, or to the end of the page. A free
// run may be of any length, and has a node's header.
inline constexpr uint32 kGranule = 32;
struct RunMap {
    uint64 starts[4];  // bit s % 64 of word s / 64
};
static_assert(sizeof(RunMap) == kGranule && std::is_trivially_copyable_v<RunMap>);

// Links of one node on one level, in pages of their own; m (or 2m) neighbour numbers follow.
struct HnswLinks {
    SlotNumber node;   // the owner, so that a reader that comes late sees that the slot changed hands
    SlotNumber above;  // the same node's links one level up, or kNoSlot
    uint8 flags;
    uint8 level;
    uint16 count;
};
static_assert(sizeof(HnswLinks) == 12 && std::is_trivially_copyable_v<HnswLinks>);

// A chunk of further rows of a node; the entries follow. A freed chunk keeps its owner and its next, so that a scan
// that comes late goes on behind it, and holds the transaction id of its freeing where the entries were.
struct HnswPosting {
    SlotNumber node;
    SlotNumber next;
    uint8 flags;
    uint8 count;
    uint8 uniform;  // 1: this chunk and all behind it have one fingerprint
    uint8 reserved;
};
static_assert(sizeof(HnswPosting) == 12 && std::is_trivially_copyable_v<HnswPosting>);

// 8 bytes per attribute follow.
struct HnswPostingEntry {
    ItemPointerData tid;
    uint16 null_attributes;
};
static_assert(sizeof(HnswPostingEntry) == 8 && std::is_trivially_copyable_v<HnswPostingEntry>);
constexpr uint32 posting_entry_bytes(uint32 attributes) {
    return static_cast<uint32>(sizeof(HnswPostingEntry) + attributes * sizeof(int64));
}
// Entries of a chunk: what 112 bytes hold, but no fewer than 4.
constexpr uint32 posting_capacity(uint32 attributes) {
    uint32 fit = 112 / posting_entry_bytes(attributes);
    return fit < 4 ? 4 : fit;
}
inline constexpr uint32 kMaxPostingCapacity = posting_capacity(0);
// Behind the entries, 4 bytes: a hash of the vector that the rows have in common. Rows of one chunk have equal vectors,
// and not only equal codes; 0: that is not known.
constexpr uint32 posting_slot_bytes(uint32 attributes) {
    return static_cast<uint32>(sizeof(HnswPosting) + posting_capacity(attributes) * posting_entry_bytes(attributes) +
                               sizeof(uint32));
}
static_assert(posting_slot_bytes(0) == 128 && posting_slot_bytes(1) == 128 && posting_slot_bytes(kMaxAttributes) == 304);

}  // namespace vext::format
