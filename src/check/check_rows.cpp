#include "check/check_rows.h"

#include "pg/guards.h"

namespace vext::check {
namespace {

int compare_tids(const ItemPointerData& a, const ItemPointerData& b) {
    BlockNumber block_a = ItemPointerGetBlockNumberNoCheck(&a), block_b = ItemPointerGetBlockNumberNoCheck(&b);
    if (block_a != block_b) return block_a < block_b ? -1 : 1;
    return static_cast<int>(ItemPointerGetOffsetNumberNoCheck(&a)) - ItemPointerGetOffsetNumberNoCheck(&b);
}

}  // namespace

RowCheck::RowCheck(Relation heap, Relation index, Snapshot snapshot, bool all_indexed, Findings& findings,
                   RowSource& source, MemoryContext context)
    : heap_(heap), index_(index), snapshot_(snapshot), all_indexed_(all_indexed), findings_(findings), source_(source),
      is_heap_(heap->rd_tableam == GetHeapamTableAmRoutine()),
      row_context_(AllocSetContextCreate(context, "index check row", ALLOCSET_DEFAULT_SIZES)), encoder_(index),
      element_(index::opclass_meaning(index).element),
      dim_(static_cast<uint32>(TupleDescAttr(index->rd_att, 0)->atttypmod)), rows_(context), seen_(context) {}

// What maintenance_work_mem holds of the index's rows at a time: those of a part of the table's blocks. So a large index
// is read several times, and the table once.
void RowCheck::run() {
    uint64 bytes = source_.rows() * sizeof(IndexedRow), room = static_cast<uint64>(maintenance_work_mem) * 1024;
    BlockNumber blocks = RelationGetNumberOfBlocks(heap_);
    auto parts = static_cast<BlockNumber>(std::min<uint64>(bytes / room + 1, is_heap_ ? std::max(blocks, 1u) : 1));
    BlockNumber each = blocks / parts + 1;
    for (BlockNumber part = 0; part < parts; part++) {
        from_ = part * each;
        count_ = part + 1 < parts ? each : uint64{1} << 32;  // whatever a damaged pointer says
        elog(DEBUG1, "checking rows of index \"%s\": part %u of %u", RelationGetRelationName(index_), part + 1, parts);
        rows_.clear();
        seen_.clear();
        source_.each_row(*this);
        sort_rows();
        scan_table(parts > 1);
        if (is_heap_) check_pointers();
    }
}

void RowCheck::sort_rows() {
    CHECK_FOR_INTERRUPTS();
    std::sort(rows_.begin(), rows_.end(),
              [](const IndexedRow& a, const IndexedRow& b) { return compare_tids(a.tid, b.tid) < 0; });
    for (size_t i = 1; i < rows_.size(); i++) {
        const IndexedRow& row = rows_[i];
        if (compare_tids(rows_[i - 1].tid, row.tid) != 0) continue;
        findings_.add(Severity::error, source_.block_of(row), source_.slot_of(row),
                      "row (%u,%u) of the table is in the index twice", ItemPointerGetBlockNumberNoCheck(&row.tid),
                      ItemPointerGetOffsetNumberNoCheck(&row.tid));
    }
}

void RowCheck::scan_table(bool part) {
    BlockNumber blocks = RelationGetNumberOfBlocks(heap_);
    if (from_ >= blocks) return;
    IndexInfo* info = BuildIndexInfo(index_);
    info->ii_Concurrent = true;  // what a snapshot sees
    TableScanDesc scan = table_beginscan_strat(heap_, snapshot_, 0, nullptr, true, false);
    if (part) heap_setscanlimits(scan, from_, static_cast<BlockNumber>(std::min<uint64>(count_, blocks - from_)));
    table_index_build_scan(heap_, index_, info, true, false, row_callback, this, scan);
}

void RowCheck::row_callback(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state) {
    CHECK_FOR_INTERRUPTS();
    if (is_null[0]) return;
    auto& check = *static_cast<RowCheck*>(state);
    MemoryContext outer = MemoryContextSwitchTo(check.row_context_);
    check.check_row(tid, values, is_null);
    MemoryContextSwitchTo(outer);
    MemoryContextReset(check.row_context_);
}

void RowCheck::check_row(ItemPointer tid, const Datum* values, const bool* nulls) {
    bool indexed = source_.code_row(index::value_to_index(element_, values[0], dim_));
    auto* row = std::lower_bound(rows_.begin(), rows_.end(), *tid, [](const IndexedRow& a, const ItemPointerData& b) {
        return compare_tids(a.tid, b) < 0;
    });
    bool found = row != rows_.end() && compare_tids(row->tid, *tid) == 0;
    if (found) seen_.insert(static_cast<uint64>(row - rows_.begin()));
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
    OffsetNumber item = ItemPointerGetOffsetNumberNoCheck(tid);
    if (found && indexed) {
        check_attributes(*row, values, nulls);
    } else if (found) {
        findings_.add(Severity::error, source_.block_of(*row), source_.slot_of(*row),
                      "row (%u,%u) of the table is in the index, but its vector is not one to be indexed", block, item);
    } else if (indexed && all_indexed_) {
        findings_.add(Severity::error, InvalidBlockNumber, -1, "row (%u,%u) of the table is not in the index", block,
                      item);
    }
}

void RowCheck::check_attributes(const IndexedRow& row, const Datum* values, const bool* nulls) {
    index::RowAttributes there{}, here = encoder_.encode(values, nulls);
    if (!source_.compare(row, &there)) return;
    for (int i = 0; i < encoder_.count(); i++) {
        if (there.values[i] == here.values[i] && ((there.nulls ^ here.nulls) >> i & 1) == 0) continue;
        findings_.add(Severity::error, source_.block_of(row), source_.slot_of(row),
                      "column %d is not that of row (%u,%u)", i + 2, ItemPointerGetBlockNumberNoCheck(&row.tid),
                      ItemPointerGetOffsetNumberNoCheck(&row.tid));
    }
}

// Of rows that the snapshot does not see: that their line pointers are in use. Only vacuum frees one, when the index has
// forgotten it.
void RowCheck::check_pointers() {
    BlockNumber blocks = RelationGetNumberOfBlocks(heap_);
    for (size_t i = 0; i < rows_.size();) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = ItemPointerGetBlockNumberNoCheck(&rows_[i].tid);
        size_t end = i;
        bool all_seen = true;
        for (; end < rows_.size() && ItemPointerGetBlockNumberNoCheck(&rows_[end].tid) == block; end++) {
            all_seen &= seen_.contains(end);
        }
        PGAlignedBlock copy;
        PageInit(copy.data, BLCKSZ, 0);
        if (block >= blocks) blocks = RelationGetNumberOfBlocks(heap_);
        if (!all_seen && block < blocks) {
            pg::Pin pin{ReadBuffer(heap_, block)};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            memcpy(copy.data, pin.page(), BLCKSZ);
        }
        for (; i < end; i++) {
            if (seen_.contains(i)) continue;
            OffsetNumber item = ItemPointerGetOffsetNumberNoCheck(&rows_[i].tid);
            Page page = copy.data;
            bool there = block < blocks && !PageIsNew(page) && item >= FirstOffsetNumber &&
                         item <= PageGetMaxOffsetNumber(page) && ItemIdIsUsed(PageGetItemId(page, item));
            if (there) continue;
            findings_.add(Severity::error, source_.block_of(rows_[i]), source_.slot_of(rows_[i]),
                          "row (%u,%u) is in the index, but not in the table", block, item);
        }
    }
}

}  // namespace vext::check
