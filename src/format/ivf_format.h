// The on-disk structs of an ivfflat index. README.md beside this file draws the pages. Everything is in the machine's
// byte order, 4-byte aligned, without hidden padding.
#pragma once

#include <cstddef>
#include <type_traits>

#include "pg/postgres.h"

#include "format/page_format.h"

namespace vext::format {

inline constexpr uint32 kIvfMagic = 0x56585649;  // "IVXV" in a hex dump
inline constexpr uint32 kIvfVersion = 1;
inline constexpr BlockNumber kIvfMetaBlock = 0;

struct IvfMeta {
    uint32 magic;
    uint32 version;
    uint32 dimensions;
    uint8 element;               // codec::Element
    uint8 metric;                // codec::Metric
    uint8 quantization;          // codec::CodecId: none, sq8 or rabitq
    uint8 attributes;            // number of filter columns
    uint32 lists;                // how many there are
    uint32 bits;                 // of a row's 1-bit code; 0 where there are none
    uint32 code_bytes;           // of a row's code in a vectors page
    uint32 blocks_per_page;      // of 32 entries, of an entries page
    BlockNumber first_list;      // pages of lists, one after the other
    BlockNumber first_centroid;  // likewise
    BlockNumber first_mean;      // likewise; InvalidBlockNumber: nothing is subtracted
    BlockNumber free_entries;    // first page of the list of freed entries pages
    BlockNumber free_vectors;    // first of the list of vectors pages that no list has
    uint32 groups;               // of lists; 0: there are none, and the two blocks below are 0
    double rows;  // indexed by the build
    Attribute attribute[kMaxAttributes];
    BlockNumber first_group;       // pages of groups, one after the other
    BlockNumber first_group_code;  // likewise, of their lists' 1-bit codes; 0: there are none
    uint32 reserved[6];
    Calibration calibration;
    uint64 removed;  // rows, by vacuums
};
static_assert(sizeof(IvfMeta) == 256 && offsetof(IvfMeta, rows) == 56 && offsetof(IvfMeta, attribute) == 64 && offsetof(IvfMeta, calibration) == 128 && std::is_trivially_copyable_v<IvfMeta>);

// A slot of a lists page.
struct IvfList {
    BlockNumber head;    // first entries page; InvalidBlockNumber: none yet
    BlockNumber insert;  // entries page from which on to look for room
    BlockNumber roomy;   // first vectors page with free slots, further ones by PageTail::next_free
    uint32 run;          // so many entries pages followed `head` when the index was built
    float norm_sq;       // of the centroid
    float scale;         // 1-bit codes are of what remains after so many times the centroid: 1, under inner product
                         // the length of the rows along it
};
static_assert(sizeof(IvfList) == 24 && std::is_trivially_copyable_v<IvfList>);

// A slot of a groups page: this header and the code of the group's centre, as a centroid's. Groups follow each other as
// their lists do, and so do their blocks of 1-bit codes: 32 lists in each, of a group its own.
struct IvfGroup {
    uint32 first;  // list
    uint32 lists;
};
static_assert(sizeof(IvfGroup) == 8 && std::is_trivially_copyable_v<IvfGroup>);

// The one slot of an entries page: this header, then blocks of 32 entries.
struct IvfEntries {
    uint32 list;
    BlockNumber next;  // of the same list; kept when the page is freed
    uint32 freed_low;  // transaction id (64 bits) at which the page was freed; 0: in use
    uint32 freed_high;
    uint32 empty;  // the last vacuum found no entry here
    uint32 reserved;
};
static_assert(sizeof(IvfEntries) == 24 && std::is_trivially_copyable_v<IvfEntries>);

// A block: this header; then, with 1-bit codes, codec::BitBlock and the codes; then the attributes, column by column.
struct IvfBlock {
    uint32 live;            // bit i: entry i is in use
    SlotNumber vector[32];  // where the entry's code and row are
};
static_assert(sizeof(IvfBlock) == 132 && std::is_trivially_copyable_v<IvfBlock>);

// One attribute of a block's entries: this header, then 32 values of 8 bytes, aligned to 4.
struct IvfAttribute {
    uint32 nulls;  // bit i: that of entry i is NULL, and its value 0
};
inline constexpr uint32 kIvfAttributeBytes = sizeof(IvfAttribute) + 32 * sizeof(int64);
static_assert(kIvfAttributeBytes == 260);

// A slot of a vectors page: this header and the code.
struct IvfVector {
    ItemPointerData tid;
    uint16 flags;  // 0 free, 1 used
};
static_assert(sizeof(IvfVector) == 8 && std::is_trivially_copyable_v<IvfVector>);

}  // namespace vext::format
