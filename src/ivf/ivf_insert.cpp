// INSERT: the row's code goes into a vectors page of its list, its entry into the first free place of an entries page.
// README.md says in which order pages are locked, and what a crash in between leaves.
#include <cstring>
#include <new>

#include "index/opclass.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_pages.h"
#include "ivf/ivf_probe.h"
#include "ivf/ivf_row.h"

namespace vext::ivf {
namespace {

struct Row {
    ItemPointerData tid;
    const uint8* code;
    index::RowAttributes attributes;
};

// The first free entry of a page; entries_per_page: there is none.
uint32 free_entry(const IvfIndex& index, Page page) {
    for (uint32 i = 0; i < index.layout.blocks_per_page; i++) {
        uint32 live = block_at(index, page, i)->live;
        if (live != UINT32_MAX) return i * kBlockRows + static_cast<uint32>(__builtin_ctz(~live));
    }
    return index.layout.entries_per_page();
}

enum class Tried { done, no_entry, no_vector, moved };

// Writes the row into a pair of pages, in one record. The entries page is locked before the vectors page.
Tried try_pages(const IvfIndex& index, uint32 list, BlockNumber block, BlockNumber roomy, const RowCoder& coder,
                const Row& row, BlockNumber* next) {
    LockedPage entries{index, block, index.layout.entries};
    const IvfEntries* e = entries_of(index, entries.page());
    if (e->list != list || is_freed(e)) return Tried::moved;
    *next = e->next;
    uint32 entry = free_entry(index, entries.page());
    if (entry == index.layout.entries_per_page()) return Tried::no_entry;
    if (roomy == InvalidBlockNumber) return Tried::no_vector;
    LockedPage vectors{index, roomy, index.layout.vectors};
    uint32 slot = free_slot(index, vectors.page());
    if (slot == index.layout.vectors.per_page) return Tried::no_vector;
    GenericXLogState* record = GenericXLogStart(index.rel);
    IvfVector* vector = vector_at(index, vectors.copy(record), slot);
    vector->tid = row.tid;
    vector->flags = 1;
    memcpy(code_of(vector), row.code, index.meta.code_bytes);
    coder.put(block_at(index, entries.copy(record), entry / kBlockRows), entry % kBlockRows,
              index.layout.vectors.number(roomy, slot), row.attributes);
    GenericXLogFinish(record);
    return Tried::done;
}

void insert_into_list(const IvfIndex& index, uint32 list, const RowCoder& coder, const Row& row) {
    // A page leaves the list while an insert is on its way to it, but not again and again.
    constexpr int kMaxMoves = 100;
    page::ChainGuard pages;
    for (int moves = 0;;) {
        IvfList l = read_list(index, list);
        pages.step(index.rel, l.insert, index.layout.entries);
        BlockNumber block = l.insert, last = InvalidBlockNumber, next = InvalidBlockNumber;
        Tried tried = Tried::no_entry;
        page::ChainGuard chain;
        // Full pages are passed for good: the next insert begins where this one ends.
        while (block != InvalidBlockNumber && tried == Tried::no_entry) {
            CHECK_FOR_INTERRUPTS();
            chain.step(index.rel, block, index.layout.entries);
            last = block;
            tried = try_pages(index, list, block, l.roomy, coder, row, &next);
            block = next;
        }
        if (tried != Tried::moved && last != l.insert) set_insert_page(index, list, l.insert, last);
        switch (tried) {
        case Tried::done:
            return;
        case Tried::no_entry:
            add_entries_page(index, list, last);
            break;
        case Tried::no_vector:
            if (l.roomy == InvalidBlockNumber) {
                add_vectors_page(index, list);
            } else {
                pop_vectors_page(index, list, l.roomy);
            }
            break;
        case Tried::moved:
            if (++moves > kMaxMoves) page::report_corrupted(index.rel, last, "a page of another list");
            break;
        }
    }
}

}  // namespace

bool insert_row(Relation rel, Datum* values, bool* is_null, ItemPointer tid) {
    if (is_null[0]) return false;
    pg::ScratchContext scratch{"ivfflat insert"};
    auto* index = new (palloc(sizeof(IvfIndex))) IvfIndex(open_index(rel));
    index::VectorValue value = index::value_to_index(index->codec->element, values[0], index->dim());
    auto* floats = static_cast<float*>(palloc(index->dim() * sizeof(float)));
    auto* code = static_cast<uint8*>(palloc0(index->codec->bytes(index->dim())));
    if (!index->codec->encode(value.elements, index->dim(), floats, code)) return false;
    auto* place = static_cast<uint8*>(palloc0(index->space.stride()));
    index->space.place(value.elements, floats, place);

    page::PageReader reader{rel};
    uint32 list = nearest_list(*index, reader, place).list;
    auto* centroid = static_cast<uint8*>(palloc(index->space.stride()));
    read_centroid(*index, reader, list, centroid);
    RowCoder coder{*index};
    coder.set_centroid(centroid, read_list(*index, list).scale);
    coder.code_bits(code);
    insert_into_list(*index, list, coder, {*tid, code, index::AttributeEncoder{rel}.encode(values, is_null)});
    return false;
}

}  // namespace vext::ivf
