#include "ivf/ivf_index.h"

#include "codec/rabitq.h"
#include "index/access_method.h"
#include "index/calibration.h"
#include "index/opclass.h"
#include "pg/guards.h"

namespace vext::ivf {
namespace {

using codec::CodecId;
using page::make_shape;

constexpr uint32 kMeanFloats = page::kSlotArea / sizeof(float);  // of a page

size_t block_bytes(uint32 bits, uint32 attributes) {
    return sizeof(IvfBlock) + (bits > 0 ? codec::bit_block_bytes(bits) : 0) + attributes * format::kIvfAttributeBytes;
}

// So many dimensions are coded by 1 bit that a block fits a page.
uint32 bits_of(uint32 dim, uint32 attributes) {
    constexpr uint32 kStep = 64;
    uint32 bits = codec::bits_for(dim);
    while (block_bytes(bits, attributes) > page::kSlotArea - sizeof(IvfEntries)) bits -= kStep;
    return bits;
}

IvfLayout make_layout(size_t code_bytes, size_t centroid_bytes, uint32 bits, uint32 attributes, uint32 group_bits) {
    IvfLayout layout{};
    size_t block = block_bytes(bits, attributes);
    layout.bits = bits;
    layout.attributes_at = static_cast<uint32>(block_bytes(bits, 0));
    layout.block_bytes = static_cast<uint32>(block);
    layout.blocks_per_page = static_cast<uint32>((page::kSlotArea - sizeof(IvfEntries)) / block);
    layout.entries = make_shape(PageKind::entries, sizeof(IvfEntries) + layout.blocks_per_page * block);
    layout.vectors = make_shape(PageKind::vectors, sizeof(IvfVector) + code_bytes);
    layout.lists = make_shape(PageKind::lists, sizeof(IvfList));
    layout.centroids = make_shape(PageKind::centroids, centroid_bytes);
    layout.mean = make_shape(PageKind::mean, kMeanFloats * sizeof(float));
    layout.groups = make_shape(PageKind::groups, sizeof(IvfGroup) + centroid_bytes);
    layout.group_bits = group_bits;
    layout.group_codes = make_shape(PageKind::group_codes, codec::bit_block_bytes(group_bits));
    return layout;
}

// The codec of rows. With 1-bit codes the finer ones are those of sq8.
bool has_bits(CodecId quantization) { return quantization == CodecId::rabitq || quantization == CodecId::bits; }
CodecId row_codec(CodecId quantization) { return has_bits(quantization) ? CodecId::sq8 : quantization; }

// What vectors pages hold of a row besides its tid.
size_t stored_bytes(CodecId quantization, const codec::Codec* codec, uint32 dim) {
    return quantization == CodecId::bits ? 0 : codec->bytes(dim);
}

// Of fewer dimensions 1-bit codes say little, and finer ones are as fast to scan.
constexpr uint32 kLeastForBits = 64;

CodecId default_quantization(const index::OpclassMeaning& meaning, uint32 dim) {
    if (meaning.element == codec::Element::bit) return CodecId::none;
    return meaning.metric == codec::Metric::l1 || dim < kLeastForBits ? CodecId::sq8 : CodecId::rabitq;
}

IvfLayout layout_for(CodecId quantization, const codec::Codec* codec, const codec::Codec* space, uint32 dim,
                     uint32 attributes) {
    // Centroids are floats or bits, and these are scored as they are.
    bool group_bits = codec->element != codec::Element::bit && dim >= kLeastForBits;
    return make_layout(stored_bytes(quantization, codec, dim), space->bytes(dim),
                       has_bits(quantization) ? bits_of(dim, attributes) : 0, attributes,
                       group_bits ? codec::bits_for(dim) : 0);
}

Space make_space(const IvfMeta& meta) {
    auto element = static_cast<codec::Element>(meta.element);
    auto metric = static_cast<codec::Metric>(meta.metric);
    return {element, space_codec(element, metric), meta.dimensions, is_unit(metric), nullptr};
}

const float* read_mean(const IvfIndex& index) {
    auto* mean = static_cast<float*>(palloc(index.dim() * sizeof(float)));
    for (uint32 at = 0; at < index.dim(); at += kMeanFloats) {
        BlockNumber block = index.meta.first_mean + at / kMeanFloats;
        pg::Pin pin{ReadBuffer(index.rel, block)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        page::check_page(index.rel, block, pin.page(), index.layout.mean);
        memcpy(mean + at, page::slot_at(pin.page(), index.layout.mean, 0),
               std::min(kMeanFloats, index.dim() - at) * sizeof(float));
    }
    return mean;
}

// What the groups themselves say is looked at by who reads them.
bool has_groups_in(const IvfIndex& index, BlockNumber blocks) {
    const IvfMeta& meta = index.meta;
    if (meta.groups == 0) return meta.first_group == 0 && meta.first_group_code == 0;
    if (meta.groups > meta.lists || meta.first_group_code >= blocks) return false;
    if ((meta.first_group_code != 0) != (index.layout.group_bits > 0)) return false;
    return static_cast<uint64>(meta.first_group) + index.layout.groups.block(meta.groups - 1) < blocks;
}

}  // namespace

IvfIndex describe_new_index(Relation rel, const IvfOptions& options) {
    index::OpclassMeaning meaning = index::opclass_meaning(rel);
    if (meaning.element == codec::Element::sparse) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("type not supported for ivfflat index"));
    }
    uint32 dimensions = index::column_dimensions(rel);
    auto quantization =
        options.codec == 0 ? default_quantization(meaning, dimensions) : static_cast<CodecId>(options.codec);
    if (has_bits(quantization) && (meaning.element == codec::Element::bit || meaning.metric == codec::Metric::l1)) {
        ereport(
            ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
            errmsg("quantization \"%s\" is not supported for this operator class", codec::codec_name(quantization)));
    }
    IvfIndex index{};
    index.rel = rel;
    index.codec = index::choose_codec(row_codec(quantization), meaning.element, meaning.metric);
    IvfMeta& meta = index.meta;
    meta.attributes = static_cast<uint8>(index::describe_attributes(rel, meta.attribute));
    const codec::Codec* space = space_codec(meaning.element, meaning.metric);
    uint32 limit = index::most_dimensions(index::max_dimensions(meaning.element), [&](uint32 dim) {
        IvfLayout layout = layout_for(quantization, index.codec, space, dim, meta.attributes);
        return layout.blocks_per_page > 0 && layout.vectors.per_page > 0 && layout.groups.per_page > 0;
    });
    bool sq8_helps = quantization == CodecId::none && meaning.element != codec::Element::bit;
    if (dimensions > limit) index::report_too_wide(limit, "ivfflat", sq8_helps ? "sq8" : nullptr);
    if (is_unit(meaning.metric) && dimensions == 1) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("dimensions must be greater than one for this opclass"));
    }
    index.layout = layout_for(quantization, index.codec, space, dimensions, meta.attributes);

    meta.magic = format::kIvfMagic;
    meta.version = format::kIvfVersion;
    meta.dimensions = dimensions;
    meta.element = static_cast<uint8>(meaning.element);
    meta.metric = static_cast<uint8>(meaning.metric);
    meta.quantization = static_cast<uint8>(quantization);
    meta.bits = index.layout.bits;
    meta.code_bytes = static_cast<uint32>(stored_bytes(quantization, index.codec, dimensions));
    meta.blocks_per_page = index.layout.blocks_per_page;
    meta.first_list = meta.first_centroid = meta.first_mean = InvalidBlockNumber;
    meta.free_entries = meta.free_vectors = InvalidBlockNumber;
    index.space = make_space(meta);
    return index;
}

const char* try_open_index(Relation rel, IvfIndex* index) {
    *index = {};
    index->rel = rel;
    IvfMeta& meta = index->meta;
    if (const char* problem = page::read_meta(rel, format::kIvfMagic, format::kIvfVersion, &meta)) return problem;
    auto quantization = static_cast<CodecId>(meta.quantization);
    auto element = static_cast<codec::Element>(meta.element);
    auto metric = static_cast<codec::Metric>(meta.metric);
    index->codec = codec::find(row_codec(quantization), element, metric);
    const codec::Codec* space = space_codec(element, metric);
    if (index->codec == nullptr || space == nullptr) return "Its codec is not known to this version.";
    index::OpclassMeaning meaning = index::opclass_meaning(rel);
    if (element != meaning.element || metric != meaning.metric) return "It is of another operator class.";
    BlockNumber blocks = RelationGetNumberOfBlocks(rel);
    if (meta.dimensions < 1 || meta.dimensions > index::max_dimensions(element) || meta.lists < 1 ||
        meta.attributes > format::kMaxAttributes || meta.first_list >= blocks || meta.first_centroid >= blocks ||
        (meta.first_mean != InvalidBlockNumber && meta.first_mean >= blocks) || !index::is_count(meta.rows) ||
        !index::is_possible(meta.calibration)) {
        return "Its metapage has values out of range.";
    }
    index->layout = layout_for(quantization, index->codec, space, meta.dimensions, meta.attributes);
    if (meta.bits != index->layout.bits ||
        meta.code_bytes != stored_bytes(quantization, index->codec, meta.dimensions) ||
        meta.blocks_per_page != index->layout.blocks_per_page || meta.blocks_per_page == 0 ||
        index->layout.vectors.per_page == 0 || index->layout.groups.per_page == 0) {
        return "Its pages have another layout.";
    }
    if (!index::has_attributes(rel, meta.attribute, meta.attributes)) {
        return "Its attributes are not those of its columns.";
    }
    uint64 last_list = static_cast<uint64>(meta.first_list) + index->layout.lists.block(meta.lists - 1);
    uint64 last_centroid = static_cast<uint64>(meta.first_centroid) + index->layout.centroids.block(meta.lists - 1);
    if (last_list >= blocks || last_centroid >= blocks || !has_groups_in(*index, blocks)) {
        return "Its metapage has values out of range.";
    }
    index->space = make_space(meta);
    if (meta.first_mean != InvalidBlockNumber) index->space.mean = read_mean(*index);
    return nullptr;
}

IvfIndex open_index(Relation rel) {
    IvfIndex index;
    if (const char* problem = try_open_index(rel, &index)) index::report_not_valid(rel, "ivfflat", problem);
    return index;
}

void put_attributes(const IvfIndex& index, IvfBlock* block, uint32 row, const index::RowAttributes& attributes) {
    char* at = attributes_of(index, block);
    for (uint32 i = 0; i < index.meta.attributes; i++, at += format::kIvfAttributeBytes) {
        auto* header = reinterpret_cast<format::IvfAttribute*>(at);
        header->nulls = (header->nulls & ~(1u << row)) | (attributes.nulls >> i & 1u) << row;
        memcpy(at + sizeof *header + row * sizeof(int64), &attributes.values[i], sizeof(int64));
    }
}

index::RowAttributes get_attributes(const IvfIndex& index, IvfBlock* block, uint32 row) {
    index::RowAttributes attributes{};
    const char* at = attributes_of(index, block);
    for (uint32 i = 0; i < index.meta.attributes; i++, at += format::kIvfAttributeBytes) {
        const auto* header = reinterpret_cast<const format::IvfAttribute*>(at);
        attributes.nulls |= static_cast<uint16>((header->nulls >> row & 1u) << i);
        memcpy(&attributes.values[i], at + sizeof *header + row * sizeof(int64), sizeof(int64));
    }
    return attributes;
}

IvfList read_list(const IvfIndex& index, uint32 list) {
    BlockNumber block = index.block_of_list(list);
    pg::Pin pin{ReadBuffer(index.rel, block)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    page::check_page(index.rel, block, pin.page(), index.layout.lists);
    return *list_at(index, pin.page(), list);
}

}  // namespace vext::ivf
