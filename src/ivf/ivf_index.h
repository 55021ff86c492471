// One ivfflat index, opened: its metapage, its codecs and how its pages are laid out.
#pragma once

#include "pg/postgres.h"

#include "codec/codec.h"
#include "codec/rabitq.h"
#include "format/ivf_format.h"
#include "index/attributes.h"
#include "ivf/ivf_space.h"
#include "page/meta_page.h"
#include "page/slot_page.h"

namespace vext::ivf {

using format::IvfBlock;
using format::IvfEntries;
using format::IvfGroup;
using format::IvfList;
using format::IvfMeta;
using format::IvfVector;
using format::PageKind;
using format::SlotNumber;
using page::SlotShape;

inline constexpr uint32 kBlockRows = codec::kBlockRows;

struct IvfOptions {
    int lists;  // 0: as the rows suggest
    int codec;  // codec::CodecId, or 0: what fits the element
};

// Follows from dimensions, quantization and the number of attributes.
struct IvfLayout {
    SlotShape lists, centroids, entries, vectors, mean, groups, group_codes;
    uint32 bits;             // of a row's 1-bit code, or 0
    uint32 group_bits;       // of a centroid's 1-bit code in its group, or 0
    uint32 attributes_at;    // in a block
    uint32 block_bytes;      // of a block of 32 entries
    uint32 blocks_per_page;  // 0: not even one fits

    uint32 entries_per_page() const { return blocks_per_page * kBlockRows; }
};

inline constexpr SlotShape kMetaShape = page::kMetaShape<format::IvfMeta>;

struct IvfIndex {
    Relation rel;
    IvfMeta meta;               // as read when the index was opened
    const codec::Codec* codec;  // of rows, in vectors pages or on the way to 1-bit codes
    IvfLayout layout;
    Space space;

    uint32 dim() const { return meta.dimensions; }
    bool has_bits() const { return meta.bits > 0; }
    // Vectors pages have the finer codes of rows; otherwise rows are looked up in the table.
    bool has_codes() const { return meta.code_bytes > 0; }
    codec::Metric metric() const { return static_cast<codec::Metric>(meta.metric); }
    bool inner_product() const { return metric() == codec::Metric::inner_product; }
    BlockNumber block_of_list(uint32 list) const { return meta.first_list + layout.lists.block(list); }
    BlockNumber block_of_centroid(uint32 list) const { return meta.first_centroid + layout.centroids.block(list); }
    BlockNumber block_of_group(uint32 group) const { return meta.first_group + layout.groups.block(group); }
    BlockNumber block_of_group_code(uint32 block) const {
        return meta.first_group_code + layout.group_codes.block(block);
    }
};

// A fresh metapage for an index whose first column has these dimensions. ERROR for what cannot be indexed.
IvfIndex describe_new_index(Relation rel, const IvfOptions& options);

// Reads and validates the metapage, and the mean into the current memory context. ERROR: no ivfflat index of this
// version (HINT REINDEX).
IvfIndex open_index(Relation rel);
// The same for who must go on: gives what is wrong, as a sentence, or nullptr.
const char* try_open_index(Relation rel, IvfIndex* index);

inline format::IvfMeta* meta_of(Page page) { return page::meta_at<format::IvfMeta>(page); }

// ---- slots and blocks on pages
inline IvfList* list_at(const IvfIndex& index, Page page, uint32 list) {
    const SlotShape& shape = index.layout.lists;
    return reinterpret_cast<IvfList*>(page::slot_at(page, shape, shape.slot(list)));
}
inline IvfGroup* group_at(const IvfIndex& index, Page page, uint32 group) {
    const SlotShape& shape = index.layout.groups;
    return reinterpret_cast<IvfGroup*>(page::slot_at(page, shape, shape.slot(group)));
}
inline uint8* code_of(IvfGroup* group) { return reinterpret_cast<uint8*>(group + 1); }
inline codec::BitBlock* group_code_at(const IvfIndex& index, Page page, uint32 block) {
    const SlotShape& shape = index.layout.group_codes;
    return reinterpret_cast<codec::BitBlock*>(page::slot_at(page, shape, shape.slot(block)));
}
// Blocks of 1-bit codes that a group of so many lists has.
inline uint32 blocks_of_group(uint32 lists) { return (lists + kBlockRows - 1) / kBlockRows; }
inline IvfEntries* entries_of(const IvfIndex& index, Page page) {
    return reinterpret_cast<IvfEntries*>(page::slot_at(page, index.layout.entries, 0));
}
inline IvfBlock* block_at(const IvfIndex& index, Page page, uint32 i) {
    char* first = reinterpret_cast<char*>(entries_of(index, page) + 1);
    return reinterpret_cast<IvfBlock*>(first + static_cast<size_t>(i) * index.layout.block_bytes);
}
inline codec::BitBlock* bits_of(IvfBlock* block) { return reinterpret_cast<codec::BitBlock*>(block + 1); }
// The first attribute of a block; each of the further ones is format::kIvfAttributeBytes behind.
inline char* attributes_of(const IvfIndex& index, IvfBlock* block) {
    return reinterpret_cast<char*>(block) + index.layout.attributes_at;
}
inline IvfVector* vector_at(const IvfIndex& index, Page page, uint32 slot) {
    return reinterpret_cast<IvfVector*>(page::slot_at(page, index.layout.vectors, slot));
}
inline uint8* code_of(IvfVector* vector) { return reinterpret_cast<uint8*>(vector + 1); }

inline bool is_freed(const IvfEntries* e) { return e->freed_low != 0 || e->freed_high != 0; }
inline uint32 live_entries(const IvfIndex& index, Page page) {
    uint32 n = 0;
    for (uint32 i = 0; i < index.layout.blocks_per_page; i++) {
        n += static_cast<uint32>(__builtin_popcount(block_at(index, page, i)->live));
    }
    return n;
}

// ---- attributes of an entry
void put_attributes(const IvfIndex& index, IvfBlock* block, uint32 row, const index::RowAttributes& attributes);
index::RowAttributes get_attributes(const IvfIndex& index, IvfBlock* block, uint32 row);

// A list's slot as of now.
IvfList read_list(const IvfIndex& index, uint32 list);

}  // namespace vext::ivf
