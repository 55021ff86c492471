// Vacuum, list by list: entries of dead rows are removed, sparse pages are emptied into the page behind them, and empty
// ones leave the list. README.md says why concurrent scans miss nothing.
#include <new>

#include "ivf/ivf_am.h"
#include "ivf/ivf_pages.h"
#include "page/page_change.h"
#include "pg/arena.h"

namespace vext::ivf {
namespace {

// A page is emptied into the next one only where that stays at most so full, so that the next inserts do not undo it.
constexpr uint32 kRoomLeft = 4;  // a quarter

struct Entry {
    uint32 at;  // on the entries page
    SlotNumber vector;
};

struct Vacuum {
    Vacuum(const IvfIndex& opened, IndexVacuumInfo* vacuum_info, IndexBulkDeleteResult* results,
           IndexBulkDeleteCallback callback, void* callback_state, MemoryContext memory)
        : index(opened), info(vacuum_info), stats(results), row_is_dead(callback), state(callback_state),
          entries(memory), dead(memory), roomy(memory), seen(memory) {
        seen.resize(RelationGetNumberOfBlocks(index.rel), 0);
    }

    IvfIndex index;
    IndexVacuumInfo* info;
    IndexBulkDeleteResult* stats;
    IndexBulkDeleteCallback row_is_dead;
    void* state;
    ArenaVec<Entry> entries, dead;  // of the page at hand
    ArenaVec<BlockNumber> roomy;    // vectors pages with free slots that no stack has
    ArenaVec<uint8> seen;           // by block: a list has led to it
};

Buffer read_page(Vacuum& v, BlockNumber block, const SlotShape& shape, int mode) {
    pg::vacuum_delay();
    page::check_exists(v.index.rel, block);
    Buffer buffer = ReadBufferExtended(v.index.rel, MAIN_FORKNUM, block, RBM_NORMAL, v.info->strategy);
    LockBuffer(buffer, mode);
    page::check_page(v.index.rel, block, BufferGetPage(buffer), shape);
    if (block < v.seen.size()) v.seen[block] = 1;
    return buffer;
}

struct PageState {
    BlockNumber next;
    uint32 live;
    bool was_empty;  // at the last vacuum, too
};

// Notes the entries of a page in v.entries.
PageState read_entries(Vacuum& v, uint32 list, BlockNumber block) {
    Buffer buffer = read_page(v, block, v.index.layout.entries, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
    const IvfEntries* e = entries_of(v.index, page);
    if (e->list != list || is_freed(e)) page::report_corrupted(v.index.rel, block, "a page of another list");
    v.entries.clear();
    for (uint32 i = 0; i < v.index.layout.blocks_per_page; i++) {
        const IvfBlock* b = block_at(v.index, page, i);
        for (uint32 live = b->live; live != 0; live &= live - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(live));
            v.entries.push_back({i * kBlockRows + row, b->vector[row]});
        }
    }
    PageState state{e->next, static_cast<uint32>(v.entries.size()), e->empty != 0};
    UnlockReleaseBuffer(buffer);
    return state;
}

// Which of v.entries are of dead rows, into v.dead. Entries of one vectors page are together.
void find_dead(Vacuum& v) {
    const SlotShape& shape = v.index.layout.vectors;
    v.dead.clear();
    v.roomy.clear();
    std::sort(v.entries.begin(), v.entries.end(), [](const Entry& a, const Entry& b) { return a.vector < b.vector; });
    for (size_t i = 0; i < v.entries.size();) {
        BlockNumber block = shape.block(v.entries[i].vector);
        Buffer buffer = read_page(v, block, shape, BUFFER_LOCK_SHARE);
        bool any = false;
        for (; i < v.entries.size() && shape.block(v.entries[i].vector) == block; i++) {
            IvfVector* vector = vector_at(v.index, BufferGetPage(buffer), shape.slot(v.entries[i].vector));
            if (vector->flags == 0) page::report_corrupted(v.index.rel, block, "an entry without its row");
            if (!index::is_gone(v.row_is_dead, &vector->tid, v.state)) continue;
            v.dead.push_back(v.entries[i]);
            any = true;
        }
        any |= free_slot(v.index, BufferGetPage(buffer)) < shape.per_page;
        if (any && !page::tail_of(BufferGetPage(buffer))->listed) v.roomy.push_back(block);
        UnlockReleaseBuffer(buffer);
    }
}

// Entry and row go in one record, for each vectors page. Nobody but vacuum removes entries, so they are still there.
void remove_dead(Vacuum& v, BlockNumber block) {
    const SlotShape& shape = v.index.layout.vectors;
    for (size_t i = 0; i < v.dead.size();) {
        pg::vacuum_delay();
        LockedPage entries{v.index, block, v.index.layout.entries};
        LockedPage vectors{v.index, shape.block(v.dead[i].vector), shape};
        GenericXLogState* record = GenericXLogStart(v.index.rel);
        Page entries_copy = entries.copy(record), vectors_copy = vectors.copy(record);
        for (; i < v.dead.size() && shape.block(v.dead[i].vector) == vectors.block(); i++) {
            const Entry& dead = v.dead[i];
            block_at(v.index, entries_copy, dead.at / kBlockRows)->live &= ~(1u << dead.at % kBlockRows);
            vector_at(v.index, vectors_copy, shape.slot(dead.vector))->flags = 0;
        }
        GenericXLogFinish(record);
    }
}

void mark_empty(Vacuum& v, BlockNumber block, bool empty) {
    LockedPage entries{v.index, block, v.index.layout.entries};
    GenericXLogState* record = GenericXLogStart(v.index.rel);
    entries_of(v.index, entries.copy(record))->empty = empty;
    GenericXLogFinish(record);
}

// Moves all entries of a page to free places of the next one, if they fit. Rows stay where they are. Forwards only, so
// that a scan that is between the two meets an entry twice, perhaps, but never not at all.
bool move_entries(Vacuum& v, BlockNumber block, BlockNumber next) {
    if (next == block) page::report_corrupted(v.index.rel, block, "a page that leads to itself");
    LockedPage from{v.index, block, v.index.layout.entries};
    LockedPage to{v.index, next, v.index.layout.entries};
    uint32 capacity = v.index.layout.entries_per_page();
    uint32 moving = live_entries(v.index, from.page());
    if (moving == 0 || moving + live_entries(v.index, to.page()) > capacity - capacity / kRoomLeft) return false;
    GenericXLogState* record = GenericXLogStart(v.index.rel);
    Page from_copy = from.copy(record), to_copy = to.copy(record);
    uint32 at = 0;
    for (uint32 i = 0; i < v.index.layout.blocks_per_page; i++) {
        IvfBlock* source = block_at(v.index, from_copy, i);
        for (; source->live != 0; source->live &= source->live - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(source->live));
            IvfBlock* target = block_at(v.index, to_copy, at / kBlockRows);
            while (target->live >> at % kBlockRows & 1) {
                if (++at % kBlockRows == 0) target = block_at(v.index, to_copy, at / kBlockRows);
            }
            target->live |= 1u << at % kBlockRows;
            target->vector[at % kBlockRows] = source->vector[row];
            put_attributes(v.index, target, at % kBlockRows, get_attributes(v.index, source, row));
            if (v.index.has_bits()) {
                codec::copy_row(bits_of(source), row, bits_of(target), at % kBlockRows, v.index.meta.bits);
            }
        }
    }
    GenericXLogFinish(record);
    return true;
}

void clean_list(Vacuum& v, uint32 list) {
    bool has_room = false;
    IvfList l = read_list(v.index, list);
    page::ChainGuard chain;
    for (BlockNumber block = l.head, next; block != InvalidBlockNumber; block = next) {
        chain.step(v.index.rel, block, v.index.layout.entries);
        PageState state = read_entries(v, list, block);
        next = state.next;
        find_dead(v);
        remove_dead(v, block);
        for (BlockNumber roomy : v.roomy) push_vectors_page(v.index, list, roomy);
        uint32 left = state.live - static_cast<uint32>(v.dead.size());
        v.stats->tuples_removed += v.dead.size();
        v.stats->num_index_tuples += left;
        // Inserts look for room from the first page on that has some.
        if (!has_room && left < v.index.layout.entries_per_page()) {
            has_room = true;
            if (block != l.insert) set_insert_page(v.index, list, l.insert, block);
        }
    }
}

// A page that a vacuum finds empty stays for the list's own inserts, and leaves it if the next vacuum still does; one
// whose entries the next page could take leaves at once.
void thin_list(Vacuum& v, uint32 list) {
    BlockNumber previous = InvalidBlockNumber;
    page::ChainGuard chain;
    for (BlockNumber block = read_list(v.index, list).head, next; block != InvalidBlockNumber; block = next) {
        chain.step(v.index.rel, block, v.index.layout.entries);
        PageState state = read_entries(v, list, block);
        next = state.next;
        bool moved = next != InvalidBlockNumber && state.live > 0 && move_entries(v, block, next);
        bool only_one = previous == InvalidBlockNumber && next == InvalidBlockNumber;
        bool unused = moved || (state.live == 0 && state.was_empty && !only_one);
        if (unused && drop_entries_page(v.index, list, previous, block)) {
            v.stats->pages_newly_deleted++;
            v.stats->pages_deleted++;
            continue;
        }
        if ((state.live == 0) != state.was_empty) mark_empty(v, block, state.live == 0);
        previous = block;
    }
}

// Pages that no list has led to: those that a crash has left are freed.
void recover_pages(Vacuum& v) {
    BlockNumber first = v.index.meta.first_list;
    for (BlockNumber block = first; block < v.seen.size(); block++) {
        if (v.seen[block]) continue;
        pg::vacuum_delay();
        if (!recover_page(v.index, block, v.info->strategy)) continue;
        v.stats->pages_newly_deleted++;
        v.stats->pages_deleted++;
    }
}

void count_removed(const IvfIndex& index, uint64 rows) {
    if (rows == 0) return;
    pg::Pin pin{ReadBuffer(index.rel, format::kIvfMetaBlock)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    page::PageChange record{index.rel, true};
    meta_of(record.add(pin.buffer()))->removed += rows;
    record.finish();
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback is_dead,
                                   void* state) {
    stats = index::start_bulk_delete(stats);
    pg::ScratchContext scratch{"ivfflat vacuum"};
    // An index that cannot be read must not stop the vacuum of its table.
    IvfIndex index;
    if (const char* problem = try_open_index(info->index, &index)) {
        index::warn_not_valid(info->index, "ivfflat", problem);
        return stats;
    }
    double removed_before = stats->tuples_removed;
    auto* v = new (palloc(sizeof(Vacuum))) Vacuum(index, info, stats, is_dead, state, scratch.context());
    for (uint32 list = 0; list < index.meta.lists; list++) {
        clean_list(*v, list);
        thin_list(*v, list);
        stats->pages_free += give_back_vectors_pages(index, list);
    }
    recover_pages(*v);
    count_removed(index, static_cast<uint64>(stats->tuples_removed - removed_before));
    return stats;
}

}  // namespace vext::ivf
