#include "hnsw/hnsw_index.h"

#include "index/access_method.h"
#include "index/attribute_sketch.h"
#include "index/calibration.h"
#include "index/opclass.h"
#include "pg/guards.h"

namespace vext::hnsw {
namespace {

using format::HnswMeta;
using format::PageKind;
using page::make_shape;

// Makes room for sketches in front of the nodes. On pages of runs there are none: of so many slots few begin a node.
void add_sketches(HnswLayout& layout, uint32 attributes) {
    SlotShape& nodes = layout.nodes;
    if (nodes.runs || attributes == 0) return;
    while (nodes.per_page > 0 &&
           attributes * format::sketch_bytes(nodes.per_page) + nodes.per_page * nodes.slot_bytes > page::kSlotArea) {
        nodes.per_page--;
    }
    layout.sketch_bytes = format::sketch_bytes(nodes.per_page);
    nodes.front = attributes * layout.sketch_bytes;
}

// What a sketch is to know of the nodes of a page.
struct NodeValues {
    const HnswIndex& index;
    Page page;
    uint32 attribute;

    index::SketchedValue operator()(uint32 slot) const {
        const format::HnswNode* node = node_at(index, page, slot);
        int64 value;
        memcpy(&value, reinterpret_cast<const char*>(node + 1) + attribute * sizeof value, sizeof value);
        return {is_live(node), (node->null_attributes >> attribute & 1) != 0 || node->posting != format::kNoSlot, value};
    }
};

// The slots of an index with these parameters; nodes.per_page is 0 when not even one fits a page.
HnswLayout make_layout(const codec::Codec* codec, uint32 dimensions, uint32 m, uint32 attributes) {
    HnswLayout layout{};
    size_t code_bytes = codec->bytes(dimensions);
    size_t attribute_bytes = attributes * sizeof(int64);
    size_t code_offset = sizeof(format::HnswNode) + attribute_bytes;
    size_t links_offset = code_offset + code_bytes;
    size_t inline_bytes = links_offset + 2 * m * sizeof(SlotNumber);
    layout.attribute_bytes = static_cast<uint32>(attribute_bytes);
    layout.code_offset = static_cast<uint32>(code_offset);
    layout.code_bytes = static_cast<uint32>(code_bytes);
    layout.links_offset = static_cast<uint32>(links_offset);
    layout.links_inline = inline_bytes <= page::kSlotArea;
    layout.nodes = make_shape(PageKind::nodes, layout.links_inline ? inline_bytes : links_offset + sizeof(SlotNumber));
    if (codec->size != nullptr) {
        // What differs in size comes last. These nodes always have room for their links.
        layout.links_offset = static_cast<uint32>(code_offset);
        layout.code_offset = static_cast<uint32>(inline_bytes - code_bytes);
        layout.links_inline = true;
        layout.nodes = page::kRunShape;
        if (page::kFirstRun + page::run_slots(inline_bytes) > layout.nodes.per_page) layout.nodes.per_page = 0;
    }
    add_sketches(layout, attributes);
    layout.base_links = make_shape(PageKind::base_links, sizeof(format::HnswLinks) + 2 * m * sizeof(SlotNumber));
    layout.upper_links = make_shape(PageKind::upper_links, sizeof(format::HnswLinks) + m * sizeof(SlotNumber));
    layout.posting_entry_bytes = format::posting_entry_bytes(attributes);
    layout.posting_capacity = format::posting_capacity(attributes);
    layout.postings = make_shape(PageKind::postings, format::posting_slot_bytes(attributes));
    return layout;
}

// The most dimensions whose code leaves room for a node's slot.
uint32 max_dimensions(const codec::Codec* codec, uint32 attributes) {
    return index::most_dimensions(index::max_dimensions(codec->element), [&](uint32 dim) {
        return make_layout(codec, dim, 2, attributes).nodes.per_page > 0;
    });
}

// The name of a codec with shorter codes for the same vectors, or nullptr.
const char* smaller_codec(const codec::Codec& codec) {
    for (auto id : {codec::CodecId::sq8, codec::CodecId::sq4}) {
        const codec::Codec* other = codec::find(id, codec.element, codec.metric);
        if (other != nullptr && other->bytes(1000) < codec.bytes(1000)) return codec::codec_name(id);
    }
    return nullptr;
}

}  // namespace

void sketch_node(const HnswIndex& index, Page page, uint32 slot) {
    for (uint32 i = 0; i < index.sketches(); i++) {
        index::change_sketch(sketch_at(index, page, i), index.layout.nodes.per_page, slot, NodeValues{index, page, i});
    }
}

void sketch_nodes(const HnswIndex& index, Page page) {
    for (uint32 i = 0; i < index.sketches(); i++) {
        index::make_sketch(sketch_at(index, page, i), index.layout.nodes.per_page, NodeValues{index, page, i});
    }
}

bool is_sketched(const HnswIndex& index, Page page, uint32 slot) {
    for (uint32 i = 0; i < index.sketches(); i++) {
        if (!index::is_sketched(sketch_at(index, page, i), slot, NodeValues{index, page, i}(slot))) return false;
    }
    return true;
}

HnswIndex describe_new_index(Relation rel, const HnswOptions& options) {
    HnswIndex index{};
    HnswMeta& meta = index.meta;
    index::OpclassMeaning meaning = index::opclass_meaning(rel);
    meta.attributes = static_cast<uint8>(index::describe_attributes(rel, meta.attribute));
    uint32 dimensions = index::column_dimensions(rel);
    if (options.ef_construction < 2 * options.m) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("ef_construction must be greater than or equal to 2 * m"));
    }
    index.rel = rel;
    auto id = options.codec == 0 ? codec::default_codec(meaning.element) : static_cast<codec::CodecId>(options.codec);
    index.codec = index::choose_codec(id, meaning.element, meaning.metric);
    uint32 limit = max_dimensions(index.codec, meta.attributes);
    if (dimensions > limit) index::report_too_wide(limit, "hnsw", smaller_codec(*index.codec));
    size_t code_bytes = index.codec->bytes(dimensions);
    index.layout = make_layout(index.codec, dimensions, static_cast<uint32>(options.m), meta.attributes);

    meta.magic = format::kHnswMagic;
    meta.version = format::kHnswVersion;
    meta.dimensions = dimensions;
    meta.element = static_cast<uint8>(meaning.element);
    meta.metric = static_cast<uint8>(meaning.metric);
    meta.codec = static_cast<uint8>(id);
    meta.m = static_cast<uint16>(options.m);
    meta.ef_construction = static_cast<uint16>(options.ef_construction);
    meta.code_bytes = static_cast<uint32>(code_bytes);
    meta.slot_bytes = index.layout.nodes.slot_bytes;
    meta.slots_per_page = static_cast<uint16>(index.layout.nodes.per_page);
    meta.links_inline = index.layout.links_inline;
    meta.sketch_bytes = index.layout.nodes.front;
    meta.entry = format::kNoSlot;
    meta.codec_block = InvalidBlockNumber;
    meta.salt = pg_prng_uint32(&pg_global_prng_state);
    for (BlockNumber& head : meta.free_head) head = InvalidBlockNumber;
    meta.free_large = InvalidBlockNumber;
    return index;
}

const char* try_open_index(Relation rel, HnswIndex* index) {
    *index = {};
    index->rel = rel;
    HnswMeta& meta = index->meta;
    if (const char* problem = page::read_meta(rel, format::kHnswMagic, format::kHnswVersion, &meta)) return problem;
    index->codec = codec::find(static_cast<codec::CodecId>(meta.codec), static_cast<codec::Element>(meta.element),
                               static_cast<codec::Metric>(meta.metric));
    if (index->codec == nullptr) return "Its codec is not known to this version.";
    index::OpclassMeaning meaning = index::opclass_meaning(rel);
    if (index->codec->element != meaning.element || index->codec->metric != meaning.metric) {
        return "It is of another operator class.";
    }
    if (meta.m < 2 || meta.m > kMaxM || meta.ef_construction < kMinEfConstruction ||
        meta.ef_construction > kMaxEfConstruction || meta.dimensions < 1 || meta.dimensions > 1000000000 ||
        meta.attributes > format::kMaxAttributes || meta.entry_level > static_cast<uint32>(kMaxLevel) ||
        meta.code_bytes != index->codec->bytes(meta.dimensions) || !index::is_possible(meta.calibration) ||
        !(meta.growth >= 0 && meta.growth <= kMostGrowth)) {
        return "Its metapage has values out of range.";
    }
    index->layout = make_layout(index->codec, meta.dimensions, meta.m, meta.attributes);
    const SlotShape& nodes = index->layout.nodes;
    if (nodes.per_page == 0 || meta.slot_bytes != nodes.slot_bytes || meta.slots_per_page != nodes.per_page ||
        meta.links_inline != index->layout.links_inline || meta.sketch_bytes != nodes.front) {
        return "Its slots have another layout.";
    }
    if (!index::has_attributes(rel, meta.attribute, meta.attributes)) {
        return "Its attributes are not those of its columns.";
    }
    return nullptr;
}

HnswIndex open_index(Relation rel) {
    HnswIndex index;
    if (const char* problem = try_open_index(rel, &index)) index::report_not_valid(rel, "hnsw", problem);
    return index;
}

EntryPoint read_entry(Relation rel) {
    HnswMeta meta;
    {
        pg::Pin pin{ReadBuffer(rel, format::kHnswMetaBlock)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        meta = *meta_of(pin.page());
    }
    if (meta.entry_level > static_cast<uint32>(kMaxLevel)) {
        page::report_corrupted(rel, format::kHnswMetaBlock, "an entry point of an impossible level");
    }
    return {meta.entry, static_cast<int>(meta.entry_level)};
}

}  // namespace vext::hnsw
