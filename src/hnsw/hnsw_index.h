// One hnsw index, opened: its metapage, its codec and how its slots are laid out.
#pragma once

#include <cstring>

#include "pg/postgres.h"

#include "codec/codec.h"
#include "format/hnsw_format.h"
#include "hnsw/hnsw_graph.h"
#include "index/attributes.h"
#include "page/run_page.h"
#include "page/meta_page.h"
#include "page/slot_page.h"

namespace vext::hnsw {

using format::SlotNumber;
using page::SlotShape;

inline constexpr int kMinEfConstruction = 4, kMaxEfConstruction = 1000;

struct HnswOptions {
    int m;
    int ef_construction;
    int codec;  // codec::CodecId, or 0: what fits the element
};

// Where things lie in a node's slot; follows from dimensions, codec, m and attributes.
struct HnswLayout {
    uint32 code_offset;
    uint32 code_bytes;  // where codes differ in size: the most there may be
    uint32 links_offset;  // behind the code; in front of it where codes differ in size
    bool links_inline;
    uint32 attribute_bytes;  // of a row
    uint32 posting_entry_bytes, posting_capacity;
    uint32 sketch_bytes;  // of one attribute on a page of nodes; 0: there are no sketches
    SlotShape nodes, base_links, upper_links, postings;
};

// A row to be added besides its code.
struct NewRow {
    ItemPointerData tid;
    uint32 fingerprint;  // of its vector
    index::RowAttributes attributes;
};

struct HnswIndex {
    Relation rel;
    format::HnswMeta meta;  // as read when the index was opened
    const codec::Codec* codec;
    HnswLayout layout;
    bool logged = true;  // false while it is being built: all pages are logged when the build is through

    uint32 dim() const { return meta.dimensions; }
    uint32 m() const { return meta.m; }
    size_t code_size(const uint8* code) const {
        return codec->size == nullptr ? layout.code_bytes : codec->size(code);
    }
    bool same_code(const uint8* a, const uint8* b) const {
        size_t size = code_size(a);
        return code_size(b) == size && memcmp(a, b, size) == 0;
    }
    // Slots of a node.
    uint32 node_slots(const uint8* code) const {
        return layout.nodes.runs ? page::run_slots(layout.code_offset + code_size(code)) : 1;
    }
    // On a page of nodes.
    uint32 sketches() const { return layout.sketch_bytes == 0 ? 0 : meta.attributes; }
    uint32 max_links(int level) const { return level == 0 ? 2u * meta.m : meta.m; }
    const SlotShape& shape(format::PageKind kind) const {
        switch (kind) {
            case format::PageKind::base_links: return layout.base_links;
            case format::PageKind::upper_links: return layout.upper_links;
            case format::PageKind::postings: return layout.postings;
            default: return layout.nodes;
        }
    }
};

// The beam that an ef stands for. Hamming distances are small integers: many nodes are as near as the last of a beam, and
// whether a search passes through them decides what it finds. Twice the beam takes them in, or most.
inline size_t beam_of(const HnswIndex& index, size_t ef) {
    return index.codec->metric == codec::Metric::hamming ? 2 * ef : ef;
}

// A fresh metapage for an index whose first column has these dimensions. ERROR for what cannot be indexed.
HnswIndex describe_new_index(Relation rel, const HnswOptions& options);

// Reads and validates the metapage. ERROR: no hnsw index of this version (HINT REINDEX).
HnswIndex open_index(Relation rel);
// The same for who must go on: gives what is wrong, as a sentence, or nullptr.
const char* try_open_index(Relation rel, HnswIndex* index);

// The entry point as of now.
struct EntryPoint {
    SlotNumber node;
    int level;
};
EntryPoint read_entry(Relation rel);

inline format::HnswMeta* meta_of(Page page) { return page::meta_at<format::HnswMeta>(page); }

// What HnswNode.mark of a node is in all its lives.
inline uint32 mark_of(const HnswIndex& index, SlotNumber number) {
    return number * 0x9E3779B1u ^ index.meta.salt;
}

// Slots on a page.
inline format::HnswNode* node_at(const HnswIndex& index, Page page, uint32 slot) {
    return reinterpret_cast<format::HnswNode*>(page::slot_at(page, index.layout.nodes, slot));
}
// Whether there is a node, live or not. Where nodes are runs of slots a number that vacuum freed may come to lie inside
// another node.
inline bool has_node(const HnswIndex& index, Page page, uint32 slot) {
    const SlotShape& nodes = index.layout.nodes;
    return !nodes.runs || (page::starts_run(page, slot) &&
                           slot + page::run_slots(index.layout.code_offset + codec::kMinSparseCode) <= nodes.per_page);
}
inline uint8* code_at(const HnswIndex& index, format::HnswNode* node) {
    return reinterpret_cast<uint8*>(node) + index.layout.code_offset;
}
// The same, and that its code ends on the page: of a damaged one it need not.
inline bool has_whole_node(const HnswIndex& index, Page page, uint32 slot) {
    return has_node(index, page, slot) &&
           slot + index.node_slots(code_at(index, node_at(index, page, slot))) <= index.layout.nodes.per_page;
}
inline SlotNumber* inline_links(const HnswIndex& index, format::HnswNode* node) {
    return reinterpret_cast<SlotNumber*>(reinterpret_cast<char*>(node) + index.layout.links_offset);
}
// A row of a chunk, by its number.
inline format::HnswPostingEntry* entry_at(const HnswIndex& index, format::HnswPosting* posting, size_t i) {
    return reinterpret_cast<format::HnswPostingEntry*>(reinterpret_cast<char*>(posting + 1) +
                                                       i * index.layout.posting_entry_bytes);
}
inline uint32* fingerprint_of(const HnswIndex& index, format::HnswPosting* posting) {
    return reinterpret_cast<uint32*>(entry_at(index, posting, index.layout.posting_capacity));
}
// A row with its attributes becomes that of a node, or of an entry of a chunk.
template <typename Holder>
void set_row(const HnswIndex& index, Holder* holder, const NewRow& row) {
    holder->tid = row.tid;
    holder->null_attributes = row.attributes.nulls;
    memcpy(static_cast<void*>(holder + 1), row.attributes.values, index.layout.attribute_bytes);
}
// The sketch of an attribute.
inline format::AttributeSketch* sketch_at(const HnswIndex& index, Page page, uint32 attribute) {
    return reinterpret_cast<format::AttributeSketch*>(static_cast<char*>(page) + page::kSlotAreaStart +
                                                      attribute * index.layout.sketch_bytes);
}
// To be called when the row or the postings of a node have changed, on the page that is about to be written; where all are
// new, for none of them.
void sketch_node(const HnswIndex& index, Page page, uint32 slot);
void sketch_nodes(const HnswIndex& index, Page page);
// Whether the sketches of a page lead to the row and the postings of a live node.
bool is_sketched(const HnswIndex& index, Page page, uint32 slot);
// The first chunk of a node becomes this one.
inline void set_posting(const HnswIndex& index, Page page, uint32 slot, SlotNumber chunk) {
    node_at(index, page, slot)->posting = chunk;
    sketch_node(index, page, slot);
}
inline bool is_live(const format::HnswNode* node) {
    return (node->flags & (format::kSlotUsed | format::kNodeDead)) == format::kSlotUsed;
}

}  // namespace vext::hnsw
