// The rows of a build: coded and assigned by a scan of the table, in pieces; kept by partition, in sorts of their own or,
// with workers, in files that all see; and sorted, partition by partition.
#include <cstring>
#include <new>

#include "index/opclass.h"
#include "ivf/ivf_build.h"

namespace vext::ivf {
namespace {

// Rows are sorted by list and, within it, by their place in the table, in one 64-bit number.
int64 sort_key(uint32 list, ItemPointer tid) {
    uint64 place =
        static_cast<uint64>(ItemPointerGetBlockNumberNoCheck(tid)) << 16 | ItemPointerGetOffsetNumberNoCheck(tid);
    return (static_cast<int64>(list) - kMaxLists) * (int64{1} << 48) + static_cast<int64>(place);
}
uint32 list_of(int64 key) { return static_cast<uint32>((key >> 48) + kMaxLists); }
ItemPointerData tid_of(int64 key) {
    ItemPointerData tid;
    ItemPointerSet(&tid, static_cast<BlockNumber>(key >> 16), static_cast<OffsetNumber>(key));
    return tid;
}

TupleDesc sorted_shape() {
    TupleDesc shape = CreateTemplateTupleDesc(2);
    TupleDescInitEntry(shape, 1, "key", INT8OID, -1, 0);
    TupleDescInitEntry(shape, 2, "code", BYTEAOID, -1, 0);
    return shape;
}

Tuplesortstate* begin_sort(int memory) {
    AttrNumber columns[] = {1};
    Oid operators[] = {Int8LessOperator};
    Oid collations[] = {InvalidOid};
    bool nulls_first[] = {false};
    return tuplesort_begin_heap(sorted_shape(), 1, columns, operators, collations, nulls_first, memory, nullptr,
                                TUPLESORT_NONE);
}

void put(Tuplesortstate* sort, TupleTableSlot* slot, int64 key, bytea* code) {
    ExecClearTuple(slot);
    slot->tts_values[0] = Int64GetDatum(key);
    slot->tts_values[1] = PointerGetDatum(code);
    slot->tts_isnull[0] = slot->tts_isnull[1] = false;
    ExecStoreVirtualTuple(slot);
    tuplesort_puttupleslot(sort, slot);
}

// What is kept of a row: its code, and the attributes behind it.
size_t stored_bytes(const IvfIndex& index) {
    size_t attributes = index.meta.attributes;
    return index.codec->bytes(index.dim()) + (attributes > 0 ? attributes * sizeof(int64) + sizeof(uint16) : 0);
}

// What a shared tuplestore takes for a tuple: it looks at the length alone.
struct StoredCode {
    uint32 length;
    uint32 unused;
    bytea code;
};

// One piece of the scan: rows are compared with the centroids many at a time.
class Scanner {
public:
    Scanner(Build& b, uint32 piece)
        : b_(b), encoder_(b.index.rel),
          entry_bytes_(MAXALIGN(offsetof(StoredCode, code) + VARHDRSZ + stored_bytes(b.index))),
          entries_(static_cast<char*>(palloc0(Nearest::kPoints * entry_bytes_))),
          places_(static_cast<uint8*>(palloc0(Nearest::kPoints * b.index.space.stride()))),
          counts_(static_cast<uint64*>(palloc0(b.shared->lists * sizeof(uint64)))),
          partition_of_(static_cast<uint8*>(palloc(b.shared->lists))), nearest_(new (palloc(sizeof(Nearest))) Nearest),
          slot_(MakeSingleTupleTableSlot(sorted_shape(), &TTSOpsVirtual)) {
        for (uint32 p = 0; p < b.shared->partitions; p++) {
            memset(partition_of_ + b.first_list(p), static_cast<int>(p), b.arrays.partition_ends[p] - b.first_list(p));
            if (b.parallel()) stores_[p] = sts_attach(b.store(p), static_cast<int>(piece), &b.shared->files);
        }
        for (size_t i = 0; i < Nearest::kPoints; i++) {
            entry(i)->length = static_cast<uint32>(entry_bytes_);
            SET_VARSIZE(&entry(i)->code, VARHDRSZ + stored_bytes(b.index));
        }
    }

    void add(ItemPointer tid, const Datum* values, const bool* nulls) {
        index::VectorValue value = index::value_to_index(b_.index.codec->element, values[0], b_.index.dim());
        auto* code = reinterpret_cast<uint8*>(VARDATA(&entry(held_)->code));
        if (!b_.index.codec->encode(value.elements, b_.index.dim(), b_.scratch.data(), code)) return;
        b_.index.space.place(value.elements, b_.scratch.data(), places_ + held_ * b_.index.space.stride());
        if (size_t n = b_.index.meta.attributes; n > 0) {
            index::RowAttributes row = encoder_.encode(values, nulls);
            uint8* at = code + b_.index.codec->bytes(b_.index.dim());
            memcpy(at, row.values, n * sizeof(int64));
            memcpy(at + n * sizeof(int64), &row.nulls, sizeof row.nulls);
        }
        tids_[held_++] = *tid;
    }
    bool full() const { return held_ == Nearest::kPoints; }

    void flush() {
        const uint8* places[Nearest::kPoints];
        Found found[Nearest::kPoints];
        for (size_t i = 0; i < held_; i++) places[i] = places_ + i * b_.index.space.stride();
        nearest_->find(b_.index.space, b_.arrays.kmeans.table, places, held_, found);
        for (size_t i = 0; i < held_; i++) {
            uint32 list = found[i].centre;
            counts_[list]++;
            int64 key = sort_key(list, &tids_[i]);
            if (b_.parallel()) {
                sts_puttuple(stores_[partition_of_[list]], &key, reinterpret_cast<MinimalTuple>(entry(i)));
            } else {
                put(b_.sorts[partition_of_[list]], slot_, key, &entry(i)->code);
            }
        }
        uint64 done = b_.shared->rows_done.fetch_add(held_) + held_;
        held_ = 0;
        if (b_.leader) index::set_build_progress(static_cast<int64>(done));
    }

    void finish() {
        flush();
        for (uint32 list = 0; list < b_.shared->lists; list++) b_.arrays.counts[list].fetch_add(counts_[list]);
        for (uint32 p = 0; b_.parallel() && p < b_.shared->partitions; p++) sts_end_write(stores_[p]);
    }

private:
    StoredCode* entry(size_t i) const { return reinterpret_cast<StoredCode*>(entries_ + i * entry_bytes_); }

    Build& b_;
    index::AttributeEncoder encoder_;
    size_t entry_bytes_;
    char* entries_;
    uint8* places_;
    ItemPointerData tids_[Nearest::kPoints];
    size_t held_ = 0;
    uint64* counts_;
    uint8* partition_of_;
    Nearest* nearest_;
    TupleTableSlot* slot_;
    SharedTuplestoreAccessor* stores_[kMostPartitions];
};

void scan_row(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state) {
    auto& [b, scanner] = *static_cast<std::pair<Build*, Scanner*>*>(state);
    if (is_null[0]) return;
    MemoryContext outer = MemoryContextSwitchTo(b->row_context);
    scanner->add(tid, values, is_null);
    MemoryContextSwitchTo(outer);
    MemoryContextReset(b->row_context);
    if (scanner->full()) scanner->flush();
}

}  // namespace

// Of neighbouring lists with about as many rows each, by the sample.
void choose_partitions(Build& b) {
    constexpr uint32 kSampledRows = 1000;  // of a partition, at least
    SharedBuild& s = *b.shared;
    uint32 by_memory = static_cast<uint32>(maintenance_work_mem) / 256;
    uint32 wanted = std::clamp(std::min(s.sampled / kSampledRows, by_memory), 1u, std::min(kMostPartitions, s.lists));
    auto* sizes = static_cast<uint32*>(palloc0(s.lists * sizeof(uint32)));
    for (uint32 i = 0; i < s.sampled; i++) sizes[std::min(b.arrays.kmeans.assigned[i], s.lists - 1)]++;
    uint64 seen = 0;
    s.partitions = 0;
    for (uint32 list = 0; list < s.lists; list++) {
        seen += sizes[list];
        bool last = list + 1 == s.lists;
        if (last || (seen * wanted >= (s.partitions + 1) * static_cast<uint64>(s.sampled) &&
                     s.partitions + 1 < wanted)) {
            b.arrays.partition_ends[s.partitions++] = list + 1;
        }
    }
    pfree(sizes);
}

void begin_partitions(Build& b) {
    if (!b.parallel()) {
        b.sorts = static_cast<Tuplesortstate**>(palloc(b.shared->partitions * sizeof(Tuplesortstate*)));
        int memory = std::max(b.shared->sort_memory / static_cast<int>(b.shared->partitions), 64);
        for (uint32 p = 0; p < b.shared->partitions; p++) b.sorts[p] = begin_sort(memory);
        return;
    }
    for (uint32 p = 0; p < b.shared->partitions; p++) {
        char name[16];
        snprintf(name, sizeof name, "p%u", p);
        sts_initialize(b.store(p), static_cast<int>(b.shared->sizes.scanners), 0, sizeof(int64), SHARED_TUPLESTORE_SINGLE_PASS,
                       &b.shared->files, name);
    }
}

void scan_piece(Build& b, uint32 piece) {
    auto* scanner = new (palloc(sizeof(Scanner))) Scanner(b, piece);
    std::pair<Build*, Scanner*> state{&b, scanner};
    TableScanDesc scan = nullptr;
    if (b.parallel()) {
        scan = table_beginscan_parallel(b.heap, reinterpret_cast<ParallelTableScanDesc>(b.arrays.scan));
    }
    b.arrays.heap_rows[piece] =
        table_index_build_scan(b.heap, b.index.rel, b.info, b.parallel(), b.leader, scan_row, &state, scan);
    scanner->finish();
    if (b.info->ii_BrokenHotChain) b.shared->broken_hot_chain.store(true);
}

SortedRows sort_partition(Build& b, uint32 partition) {
    Tuplesortstate* sort;
    if (b.parallel()) {
        sort = begin_sort(std::max(b.shared->sort_memory, 64));
        TupleTableSlot* slot = MakeSingleTupleTableSlot(sorted_shape(), &TTSOpsVirtual);
        SharedTuplestoreAccessor* store = sts_attach(b.store(partition), 0, &b.shared->files);
        sts_begin_parallel_scan(store);
        int64 key;
        while (MinimalTuple tuple = sts_parallel_scan_next(store, &key)) {
            CHECK_FOR_INTERRUPTS();
            put(sort, slot, key, &reinterpret_cast<StoredCode*>(tuple)->code);
        }
        sts_end_parallel_scan(store);
    } else {
        sort = b.sorts[partition];
    }
    tuplesort_performsort(sort);
    return {&b.index, sort, MakeSingleTupleTableSlot(sorted_shape(), &TTSOpsMinimalTuple)};
}

bool next_sorted_row(SortedRows& rows, SortedRow* row) {
    if (!tuplesort_gettupleslot(rows.sort, true, false, rows.slot, nullptr)) return false;
    bool is_null;
    int64 key = DatumGetInt64(slot_getattr(rows.slot, 1, &is_null));
    // A short header may have been given to it, so it stands unaligned.
    const char* code = VARDATA_ANY(DatumGetPointer(slot_getattr(rows.slot, 2, &is_null)));
    *row = {list_of(key), tid_of(key), code, {}};
    if (size_t n = rows.index->meta.attributes; n > 0) {
        const char* at = code + rows.index->codec->bytes(rows.index->dim());
        memcpy(row->attributes.values, at, n * sizeof(int64));
        memcpy(&row->attributes.nulls, at + n * sizeof(int64), sizeof row->attributes.nulls);
    }
    return true;
}

void end_sorted_rows(SortedRows& rows) {
    ExecClearTuple(rows.slot);
    tuplesort_end(rows.sort);
}

}  // namespace vext::ivf
