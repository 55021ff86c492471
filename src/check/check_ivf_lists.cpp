// Lists: chains of entries pages, stacks of vectors pages, and their rows.
#include <cmath>

#include "check/check_ivf.h"
#include "codec/verify.h"
#include "ivf/ivf_probe.h"

namespace vext::check {

using ivf::IvfBlock;
using ivf::IvfEntries;
using ivf::IvfList;
using ivf::IvfVector;
using ivf::kBlockRows;

namespace {

// How much nearer than its own list's another centroid may be, by the rounding of 8-bit codes.
constexpr float kNearlyNearest = 1.02f;

}  // namespace

bool IvfCheck::read_list(uint32 list, IvfList* l) {
    return pages_.look(index_.block_of_list(list), index_.layout.lists,
                       [&](Page page) { *l = *ivf::list_at(index_, page, list); });
}

bool IvfCheck::read_centroid(uint32 list, uint8* code) {
    const SlotShape& shape = index_.layout.centroids;
    return pages_.look(index_.block_of_centroid(list), shape, [&](Page page) {
        memcpy(code, page::slot_at(page, shape, shape.slot(list)), index_.space.stride());
    });
}

void IvfCheck::check_lists() {
    elog(DEBUG1, "checking lists of index \"%s\"", RelationGetRelationName(pages_.index()));
    for (uint32 list = 0; list < index_.meta.lists; list++) {
        IvfList l;
        if (!read_list(list, &l)) return;  // reported
        check_list(list, l);
    }
}

// Stacks before the lists of free pages, for inserts move pages from these to those.
void IvfCheck::check_page_lists() {
    IvfList l;
    for (uint32 list = 0; list < index_.meta.lists && read_list(list, &l); list++) {
        pages_.check_list(index_.block_of_list(list), index_.layout.lists, vectors(), "the stack of a list",
                          [&](Page page) { return Pages::Heads{ivf::list_at(index_, page, list)->roomy}; });
    }
    for (const SlotShape* shape : {&entries(), &vectors()}) {
        bool of_entries = shape->kind == PageKind::entries;
        const char* name = of_entries ? "the list of free entries pages" : "the list of free vectors pages";
        pages_.check_list(format::kIvfMetaBlock, ivf::kMetaShape, *shape, name, [&](Page page) {
            const ivf::IvfMeta* meta = ivf::meta_of(page);
            return Pages::Heads{of_entries ? meta->free_entries : meta->free_vectors};
        });
    }
}

void IvfCheck::check_list(uint32 list, const IvfList& l) {
    BlockNumber home = index_.block_of_list(list);
    uint32 slot = index_.layout.lists.slot(list);
    bool has_insert = l.insert == InvalidBlockNumber && l.head == InvalidBlockNumber;
    if (l.run > RelationGetNumberOfBlocks(pages_.index())) error(home, slot, "a list is longer than the index");
    PGAlignedBlock copy;
    for (BlockNumber block = l.head; block != InvalidBlockNumber;) {
        Page page = pages_.copy(block, entries(), &copy);
        if (page == nullptr) return error(home, slot, "the chain of a list leads to no page of entries");
        const IvfEntries* e = ivf::entries_of(index_, page);
        if (e->list != list) return error(block, -1, "a page of entries is in the chain of another list");
        if (ivf::is_freed(e)) return error(block, -1, "a freed page is in the chain of a list");
        if (!chained_.insert(block)) return error(block, -1, "a page of entries is in two places");
        has_insert |= block == l.insert;
        check_entries(block, page);
        block = e->next;
    }
    if (!has_insert) error(home, slot, "the page where inserts begin to look is not in the chain of its list");
}

void IvfCheck::check_entries(BlockNumber block, Page page) {
    for (uint32 i = 0; i < index_.layout.blocks_per_page; i++) {
        const IvfBlock* b = ivf::block_at(index_, page, i);
        for (uint32 live = b->live; live != 0; live &= live - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(live));
            SlotNumber number = b->vector[row];
            int64 entry = i * kBlockRows + row;
            all_entries_++;
            bool used = false;
            bool there = number != format::kNoSlot && pages_.look(vectors().block(number), vectors(), [&](Page v) {
                used = ivf::vector_at(index_, v, vectors().slot(number))->flags != 0;
            });
            if (!there) error(block, entry, "an entry leads to no page of rows");
            else if (!used) error(block, entry, "an entry leads to a free slot");
            else if (!named_.insert(number)) error(block, entry, "two entries have one row");
        }
    }
}

// Rows without entry: no search finds them. The entry was written with the row.
void IvfCheck::check_unnamed() {
    pages_.each_of(vectors(), [&](BlockNumber block, Page) {
        for (uint32 i = 0; i < vectors().per_page; i++) {
            SlotNumber number = vectors().number(block, i);
            if (used_.contains(number) && !named_.contains(number)) error(block, i, "a row has no entry in any list");
        }
    });
}

// A page that was added and not linked when the server stopped stays out of use.
void IvfCheck::check_lost_pages() {
    for (BlockNumber block : unchained_.span()) {
        if (chained_.contains(block)) continue;
        uint32 live = 0;
        bool freed = false;
        IvfEntries e{};
        pages_.look(block, entries(), [&](Page page) {
            e = *ivf::entries_of(index_, page);
            live = ivf::live_entries(index_, page);
            freed = ivf::is_freed(&e);
        });
        if (freed) continue;
        if (live > 0) {
            error(block, -1, "a page of entries is in no list");
            continue;
        }
        // It may have been in somebody's hands who was about to link it.
        IvfList l{};
        bool linked = false;
        PGAlignedBlock copy;
        BitSet seen{context_};
        if (e.list < index_.meta.lists && read_list(e.list, &l)) {
            for (BlockNumber at = l.head; at != InvalidBlockNumber && !linked && seen.insert(at);) {
                Page page = pages_.copy(at, entries(), &copy);
                if (page == nullptr) break;
                linked = at == block;
                at = ivf::entries_of(index_, page)->next;
            }
        }
        if (!linked) findings_.add(Severity::warning, block, -1, "an empty page of entries is in no list");
    }
}

// ---- rows

void IvfCheck::each_row(RowCheck& to) {
    PGAlignedBlock copy;
    for (uint32 list = 0; list < index_.meta.lists; list++) {
        IvfList l;
        if (!read_list(list, &l)) return;
        BitSet seen{context_};
        for (BlockNumber block = l.head; block != InvalidBlockNumber && seen.insert(block);) {
            Page page = pages_.copy(block, entries(), &copy);
            if (page == nullptr) break;
            for (uint32 i = 0; i < index_.layout.entries_per_page(); i++) {
                const IvfBlock* b = ivf::block_at(index_, page, i / kBlockRows);
                if (!(b->live >> i % kBlockRows & 1)) continue;
                IndexedRow row{{}, static_cast<uint16>(i), b->vector[i % kBlockRows], block};
                bool used = false;
                pages_.look(vectors().block(row.at), vectors(), [&](Page v) {
                    const IvfVector* vector = ivf::vector_at(index_, v, vectors().slot(row.at));
                    row.tid = vector->tid;
                    used = vector->flags != 0;
                });
                if (used && ItemPointerIsValid(&row.tid)) to.add_row(row);
            }
            block = ivf::entries_of(index_, page)->next;
        }
    }
}

bool IvfCheck::code_row(const index::VectorValue& value) {
    if (!index_.codec->encode(value.elements, index_.dim(), floats_, code_)) return false;
    if (nearest_lists_) index_.space.place(value.elements, floats_, place_);
    return true;
}

bool IvfCheck::compare(const IndexedRow& row, index::RowAttributes* attributes) {
    PGAlignedBlock copy;
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(&row.tid);
    OffsetNumber item = ItemPointerGetOffsetNumberNoCheck(&row.tid);
    if (index_.has_codes()) {
        Page page = pages_.copy(vectors().block(row.at), vectors(), &copy);
        if (page == nullptr) return false;
        const uint8* there = ivf::code_of(ivf::vector_at(index_, page, vectors().slot(row.at)));
        if (!codec::may_be_of_one_vector(*index_.codec, there, code_, index_.dim())) {
            findings_.add(Severity::error, vectors().block(row.at), vectors().slot(row.at),
                          "the code is not that of row (%u,%u)", block, item);
        }
        // 1-bit codes are those of the finer code, whichever machine has written it.
        memcpy(code_, there, index_.meta.code_bytes);
    }
    Page page = pages_.copy(row.beside, entries(), &copy);
    if (page == nullptr) return false;
    uint32 list = ivf::entries_of(index_, page)->list;
    if (list >= index_.meta.lists) return false;
    IvfBlock* b = ivf::block_at(index_, page, row.part / kBlockRows);
    if (index_.has_bits()) check_bits(row, b, list);
    if (nearest_lists_) check_nearest(row, list);
    *attributes = ivf::get_attributes(index_, b, row.part % kBlockRows);
    return true;
}

// The 1-bit code and its factors, derived again.
void IvfCheck::check_bits(const IndexedRow& row, IvfBlock* block, uint32 list) {
    if (list != coder_list_) {
        IvfList l;
        if (!read_list(list, &l) || !read_centroid(list, centroid_)) return;
        coder_.set_centroid(centroid_, l.scale);
        coder_list_ = list;
    }
    uint32 at = row.part % kBlockRows;
    auto* fresh = reinterpret_cast<IvfBlock*>(block_);
    auto* there = reinterpret_cast<IvfBlock*>(block_ + index_.layout.block_bytes);
    coder_.code_bits(code_);
    coder_.put(fresh, at, row.at, {});
    codec::copy_row(ivf::bits_of(block), at, ivf::bits_of(there), at, index_.meta.bits);
    if (codec::same_row(ivf::bits_of(fresh), ivf::bits_of(there), at, index_.meta.bits)) return;
    findings_.add(Severity::error, row.beside, row.part, "the 1-bit code is not that of row (%u,%u)",
                  ItemPointerGetBlockNumberNoCheck(&row.tid), ItemPointerGetOffsetNumberNoCheck(&row.tid));
}

void IvfCheck::check_nearest(const IndexedRow& row, uint32 list) {
    pg::ScratchContext scratch{"nearest list"};
    codec::Key nearest = ivf::nearest_list(index_, reader_, place_).key, own;
    if (!read_centroid(list, centroid_)) return;
    codec::Query query;
    index_.space.codec->prepare(place_, index_.dim(), &query);
    const uint8* code = centroid_;
    index_.space.codec->score(query, &code, 1, &own);
    if (own <= nearest * kNearlyNearest + 1e-6f) return;
    findings_.add(Severity::warning, row.beside, row.part, "row (%u,%u) is in a list whose centroid is not the nearest",
                  ItemPointerGetBlockNumberNoCheck(&row.tid), ItemPointerGetOffsetNumberNoCheck(&row.tid));
}

}  // namespace vext::check
