// Pages of an ivfflat index by themselves.
#include "check/check_ivf.h"

#include <cmath>
#include <utility>

#include "codec/verify.h"
#include "page/page_writer.h"

namespace vext::check {

using ivf::IvfBlock;
using ivf::IvfEntries;
using ivf::IvfList;
using ivf::IvfMeta;
using ivf::IvfVector;

IvfCheck::IvfCheck(const ivf::IvfIndex& index, Pages& pages, bool nearest_lists, MemoryContext context)
    : index_(index), pages_(pages), findings_(pages.findings()), context_(context),
      next_xid_(U64FromFullTransactionId(ReadNextFullTransactionId())), used_(context), named_(context),
      chained_(context), unchained_(context), nearest_lists_(nearest_lists), reader_(index.rel), coder_(index) {
    auto bytes = [&](size_t n) { return static_cast<uint8*>(MemoryContextAllocZero(context, n)); };
    floats_ = reinterpret_cast<float*>(bytes(index.dim() * sizeof(float)));
    code_ = bytes(index.codec->bytes(index.dim()));
    place_ = bytes(index.space.stride());
    centroid_ = bytes(index.space.stride());
    block_ = bytes(2 * index.layout.block_bytes);
}

void IvfCheck::run() {
    check_meta();
    check_slots();
    check_centroids();
    check_groups();
    check_lists();
    check_unnamed();
    check_lost_pages();
    pages_.check_lists([&] { check_page_lists(); });
    findings_.add(Severity::info, InvalidBlockNumber, -1,
                  "%s index, format %u: " UINT64_FORMAT " rows in %u lists on %u pages", "ivfflat",
                  index_.meta.version, all_entries_, index_.meta.lists, RelationGetNumberOfBlocks(pages_.index()));
    if (pages_.empty() > 0) {
        findings_.add(Severity::info, InvalidBlockNumber, -1, UINT64_FORMAT " empty pages", pages_.empty());
    }
}

void IvfCheck::check_meta() {
    const IvfMeta& meta = index_.meta;
    pages_.check_meta(ivf::kMetaShape);
    auto wrong = [&](const char* what) { error(format::kIvfMetaBlock, -1, what); };
    if (meta.dimensions != static_cast<uint32>(TupleDescAttr(index_.rel->rd_att, 0)->atttypmod)) {
        wrong("the index is of other dimensions than its column");
    }
    if (std::any_of(std::begin(meta.reserved), std::end(meta.reserved), [](uint32 x) { return x != 0; })) {
        wrong("what is reserved is not zero");
    }
}

void IvfCheck::check_slots() {
    elog(DEBUG1, "checking pages of index \"%s\"", RelationGetRelationName(pages_.index()));
    const ivf::IvfLayout& l = index_.layout;
    auto shape_of = [&](uint16 kind) -> const SlotShape* {
        for (const SlotShape* shape : {&l.lists, &l.centroids, &l.entries, &l.vectors, &l.mean, &l.groups, &l.group_codes}) {
            if (static_cast<uint16>(shape->kind) == kind) return shape;
        }
        return nullptr;
    };
    pages_.each(true, shape_of, [&](BlockNumber block, Page page, const SlotShape& shape) {
        if (shape.kind == PageKind::vectors) check_vectors_page(block, page);
        if (shape.kind == PageKind::entries) check_entries_page(block, page);
        if (shape.kind != PageKind::mean) return;
        const auto* mean = reinterpret_cast<const float*>(page::slot_at(page, shape, 0));
        bool finite = std::all_of(mean, mean + shape.slot_bytes / sizeof(float), [](float x) { return std::isfinite(x); });
        if (!finite) error(block, 0, "an element of the mean is no number");
    });
}

void IvfCheck::check_vectors_page(BlockNumber block, Page page) {
    for (uint32 i = 0; i < vectors().per_page; i++) {
        IvfVector* vector = ivf::vector_at(index_, page, i);
        if (vector->flags > 1) error(block, i, "a row has impossible flags");
        if (vector->flags != 1) continue;
        used_.insert(vectors().number(block, i));
        rows_++;
        if (!ItemPointerIsValid(&vector->tid)) error(block, i, "a row has no row pointer");
        if (!index_.has_codes()) continue;
        const char* problem = codec::code_problem(*index_.codec, ivf::code_of(vector), index_.dim());
        if (problem != nullptr) findings_.add(Severity::error, block, i, "a code is not valid: %s", problem);
    }
}

void IvfCheck::check_entries_page(BlockNumber block, Page page) {
    const IvfEntries* e = ivf::entries_of(index_, page);
    if (e->list >= index_.meta.lists) error(block, -1, "a page of entries is of no list");
    if (e->empty > 1 || e->reserved != 0) error(block, -1, "a page of entries has an impossible header");
    if (!ivf::is_freed(e)) {
        unchained_.push_back(block);
        return;
    }
    if ((static_cast<uint64>(e->freed_high) << 32 | e->freed_low) > next_xid_) {
        error(block, -1, "a page of entries was freed in the future");
    }
    if (ivf::live_entries(index_, page) > 0) error(block, -1, "a freed page has entries");
    if (!page::tail_of(page)->listed) {
        findings_.add(Severity::warning, block, -1, "a freed page is not in the list of free pages");
    }
}

// Lists and centroids are where the metapage says, and are what they may be.
void IvfCheck::check_centroids() {
    const SlotShape& shape = index_.layout.centroids;
    for (uint32 list = 0; list < index_.meta.lists; list++) {
        IvfList l;
        bool nearest = std::exchange(nearest_lists_, false);
        if (!read_list(list, &l)) return error(index_.block_of_list(list), -1, "the page of a list is missing");
        if (!read_centroid(list, centroid_)) {
            return error(index_.block_of_centroid(list), -1, "the page of a centroid is missing");
        }
        BlockNumber block = index_.block_of_centroid(list);
        const char* problem = codec::code_problem(*index_.space.codec, centroid_, index_.dim());
        if (problem != nullptr) {
            findings_.add(Severity::error, block, shape.slot(list), "a centroid is not valid: %s", problem);
            return;
        }
        nearest_lists_ = nearest;  // where all centroids are there
        index_.space.position(centroid_, floats_);
        auto norm_sq = static_cast<float>(simd::active->norm_sq_f32(floats_, index_.dim()));
        if (!(std::fabs(l.norm_sq - norm_sq) <= 1e-3f * norm_sq)) {
            error(index_.block_of_list(list), index_.layout.lists.slot(list), "the norm of a list is not its centroid's");
        }
        if (!std::isfinite(l.scale) || (!index_.inner_product() && l.scale != 1)) {
            error(index_.block_of_list(list), index_.layout.lists.slot(list), "the scale of a list is out of range");
        }
    }
}

}  // namespace vext::check
