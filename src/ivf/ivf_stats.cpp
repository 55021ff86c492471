// vectorext_index_stats(regclass) of ivfflat: how even its lists are, what its parts take, and a fingerprint.
#include <new>

#include "base/hash.h"
#include "index/calibration.h"
#include "ivf/ivf_am.h"
#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::ivf {
namespace {

// So uneven, or so much added, that searching the same share of the rows finds less than after a build.
constexpr double kUneven = 1.5;  // against what the rows of the build alone are
constexpr double kAdded = 0.5;   // share of the rows

// Counts of one index. Pages are looked at one by one, under a share lock each: while the index changes, the sums may
// be of different moments.
struct IndexStats {
    uint64 rows = 0, added = 0;  // of them since the build, at least
    uint64 entries_pages = 0, vectors_pages = 0, free_pages = 0, other_pages = 0, new_pages = 0;
    uint64 vector_slots = 0;     // in use
    double squares = 0;          // of rows by list
    double built_squares = 0;    // the same of the pages of the build
    uint64 built_rows = 0;
    uint64 fingerprint = 0;

    // Rows that have come and gone since the build.
    uint64 changes(const IvfIndex& index) const {
        auto built = static_cast<uint64>(index.meta.rows);
        uint64 removed = index.meta.removed, ever = rows + removed;
        return (ever > built ? ever - built : 0) + removed;
    }
};

class Inspector {
public:
    Inspector(const IvfIndex& index, MemoryContext context)
        : index_(index), strategy_(GetAccessStrategy(BAS_BULKREAD)), ids_(context), sizes_(context) {}

    IndexStats run() {
        blocks_ = RelationGetNumberOfBlocks(index_.rel);
        ids_.resize(static_cast<size_t>(blocks_) * index_.layout.vectors.per_page, 0);
        for (BlockNumber block = format::kIvfMetaBlock + 1; block < blocks_; block++) count_page(block);
        // The entries pages of the build lie together, behind the lists.
        first_built_ = index_.meta.first_list +
                       (index_.meta.lists + index_.layout.lists.per_page - 1) / index_.layout.lists.per_page;
        end_built_ = first_built_;
        for (uint32 list = 0; list < index_.meta.lists; list++) end_built_ += read_list(index_, list).run;
        for (uint32 list = 0; list < index_.meta.lists; list++) count_list(list);
        // Pages of the build have taken some, too.
        auto built = static_cast<uint64>(index_.meta.rows);
        if (s_.rows > built) s_.added = std::max(s_.added, s_.rows - built);
        std::sort(sizes_.begin(), sizes_.end());
        return s_;
    }
    uint64 rows_of_list(double quantile) const {
        return sizes_[static_cast<size_t>(quantile * static_cast<double>(sizes_.size() - 1))];
    }
    // Lists that have from least to most rows.
    uint64 lists_of(uint64 least, uint64 most) const {
        auto below = [&](uint64 rows) { return std::lower_bound(sizes_.begin(), sizes_.end(), rows) - sizes_.begin(); };
        return static_cast<uint64>(below(most + 1) - below(least));
    }

private:
    // Calls use(page) for a page under a share lock.
    template <typename Use>
    void look_at(BlockNumber block, Use use) {
        CHECK_FOR_INTERRUPTS();
        pg::Pin pin{ReadBufferExtended(index_.rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy_)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        use(pin.page());
    }

    void count_page(BlockNumber block) {
        look_at(block, [&](Page page) {
            if (PageIsNew(page)) {
                s_.new_pages++;
            } else if (page::has_kind(page, PageKind::vectors)) {
                page::check_page(index_.rel, block, page, index_.layout.vectors);
                s_.vectors_pages++;
                count_vectors(block, page);
            } else if (page::has_kind(page, PageKind::entries)) {
                page::check_page(index_.rel, block, page, index_.layout.entries);
                (is_freed(entries_of(index_, page)) ? s_.free_pages : s_.entries_pages)++;
            } else {
                s_.other_pages++;
            }
        });
    }

    // What a slot is called in the fingerprint, wherever it lies.
    void count_vectors(BlockNumber block, Page page) {
        const SlotShape& shape = index_.layout.vectors;
        for (uint32 i = 0; i < shape.per_page; i++) {
            IvfVector* vector = vector_at(index_, page, i);
            if (vector->flags == 0) continue;
            s_.vector_slots++;
            uint64 row = static_cast<uint64>(ItemPointerGetBlockNumberNoCheck(&vector->tid)) << 16 |
                         ItemPointerGetOffsetNumberNoCheck(&vector->tid);
            ids_[shape.number(block, i)] = mix64(row ^ hash_bytes64(code_of(vector), index_.meta.code_bytes));
        }
    }

    // Lists have their numbers in the fingerprint, rows their order.
    void count_list(uint32 list) {
        uint64 hash = mix64(list), rows = 0, built = 0;
        look_at(index_.block_of_centroid(list), [&](Page page) {
            const SlotShape& shape = index_.layout.centroids;
            page::check_page(index_.rel, index_.block_of_centroid(list), page, shape);
            hash = mix64(hash ^ hash_bytes64(page::slot_at(page, shape, shape.slot(list)), index_.space.stride()));
        });
        IvfList l = read_list(index_, list);
        BlockNumber steps = 0;
        for (BlockNumber block = l.head; block != InvalidBlockNumber && steps < blocks_; steps++) {
            if (block >= blocks_) page::check_exists(index_.rel, block);
            look_at(block, [&](Page page) {
                page::check_page(index_.rel, block, page, index_.layout.entries);
                const IvfEntries* e = entries_of(index_, page);
                uint64 here = hash_entries(page, &hash);
                rows += here;
                if (block >= first_built_ && block < end_built_) built += here;
                block = e->next;
            });
        }
        s_.fingerprint += hash;
        s_.rows += rows;
        s_.added += rows - built;
        s_.built_rows += built;
        s_.squares += static_cast<double>(rows) * static_cast<double>(rows);
        s_.built_squares += static_cast<double>(built) * static_cast<double>(built);
        sizes_.push_back(rows);
    }

    // Gives how many there are.
    uint64 hash_entries(Page page, uint64* hash) const {
        uint64 n = 0;
        for (uint32 i = 0; i < index_.layout.blocks_per_page; i++) {
            IvfBlock* block = block_at(index_, page, i);
            for (uint32 live = block->live; live != 0; live &= live - 1, n++) {
                auto row = static_cast<uint32>(__builtin_ctz(live));
                SlotNumber vector = block->vector[row];
                *hash = mix64(*hash ^ (vector < ids_.size() ? ids_[vector] : 0));
                if (uint32 count = index_.meta.attributes; count > 0) {
                    index::RowAttributes a = get_attributes(index_, block, row);
                    *hash = mix64(*hash ^ hash_bytes64(a.values, count * sizeof(int64)) ^ a.nulls);
                }
                if (!index_.has_bits()) continue;
                const codec::BitBlock* bits = bits_of(block);
                *hash = mix64(*hash ^ hash_bytes64(&bits->add[row], sizeof bits->add[row]) ^
                              (static_cast<uint64>(bits->scale[row]) << 16 | bits->error[row]));
            }
        }
        return n;
    }

    const IvfIndex& index_;
    BufferAccessStrategy strategy_;
    BlockNumber blocks_ = 0, first_built_ = 0, end_built_ = 0;
    ArenaVec<uint64> ids_;    // by slot of a vectors page, 0 where there is none
    ArenaVec<uint64> sizes_;  // of lists
    IndexStats s_;
};

// How many times as many rows a search of the same number of lists sees as if all were of one size, on average over the
// rows.
double unevenness(double squares, uint64 rows, uint32 lists) {
    return rows == 0 ? 1 : squares * lists / (static_cast<double>(rows) * static_cast<double>(rows));
}

const char* advice(const IvfIndex& index, const IndexStats& s) {
    constexpr uint64 kFewRows = 1000;
    if (s.rows < kFewRows) return "none";
    if (index.meta.lists == 1) return "REINDEX: the index was made of too few rows to have lists";
    double added = static_cast<double>(s.added) / static_cast<double>(s.rows);
    if (added > kAdded) return "REINDEX: most rows are in lists that were made without them";
    double now = unevenness(s.squares, s.rows, index.meta.lists);
    double before = unevenness(s.built_squares, s.built_rows, index.meta.lists);
    if (now > kUneven * before) return "REINDEX: lists have become uneven";
    return "none";
}

// Each class of sizes twice as wide as the one before.
void report_sizes(const Inspector& lists, index::NameValueRows& out) {
    uint64 most = lists.rows_of_list(1);
    if (lists.lists_of(0, 0) > 0) out.add("lists of no rows", lists.lists_of(0, 0));
    for (uint64 low = 1; low <= most; low *= 2) {
        uint64 high = low * 2 - 1;
        if (lists.lists_of(1, high) == 0) continue;
        out.add(psprintf("lists of " UINT64_FORMAT " to " UINT64_FORMAT " rows", low, high), lists.lists_of(low, high));
    }
}

void report(const IvfIndex& index, const IndexStats& s, const Inspector& lists, index::NameValueRows& out) {
    uint64 pages = RelationGetNumberOfBlocks(index.rel);
    uint64 slots = s.vector_slots * index.layout.vectors.slot_bytes;
    uint64 attributes = s.entries_pages * index.layout.blocks_per_page * index.meta.attributes * format::kIvfAttributeBytes;
    uint64 entries = s.entries_pages * BLCKSZ - attributes, lists_bytes = (s.other_pages + 1) * BLCKSZ;
    out.add("format version", index.meta.version);
    out.add("dimensions", index.dim());
    out.add("metric", codec::metric_name(index.metric()));
    out.add("quantization", codec::codec_name(static_cast<codec::CodecId>(index.meta.quantization)));
    out.add("attributes", index.meta.attributes);
    out.add("lists", index.meta.lists);
    out.add("groups of lists", index.meta.groups);
    out.add("rows", s.rows);
    out.add("rows of the build", static_cast<uint64>(index.meta.rows));
    out.add("rows added since, per cent", psprintf("%.1f", s.rows == 0 ? 0.0 : 100.0 * static_cast<double>(s.added) /
                                                                              static_cast<double>(s.rows)));
    out.add("rows of the smallest list", lists.rows_of_list(0));
    out.add("rows of the median list", lists.rows_of_list(0.5));
    out.add("rows of the largest list", lists.rows_of_list(1));
    report_sizes(lists, out);
    out.add("unevenness", psprintf("%.2f", unevenness(s.squares, s.rows, index.meta.lists)));
    out.add("advice", advice(index, s));
    index::report_calibration(out, index.meta.calibration, "rows", s.changes(index) - std::min(s.changes(index), index.meta.calibration.lives));
    out.add("pages", pages);
    out.add("pages of entries", s.entries_pages);
    out.add("pages of vectors", s.vectors_pages);
    out.add("pages of lists", s.other_pages);
    out.add("free pages of entries", s.free_pages);
    out.add("empty pages", s.new_pages);
    out.add("bytes per row", pages * BLCKSZ, s.rows);
    out.add("bytes per row: entries", entries, s.rows);
    out.add("bytes per row: attributes", attributes, s.rows);
    out.add("bytes per row: vectors", slots, s.rows);
    out.add("bytes per row: lists", lists_bytes, s.rows);
    out.add("bytes per row: free", pages * BLCKSZ - std::min(pages * BLCKSZ, entries + attributes + slots + lists_bytes), s.rows);
    // The macro of the server for this went with PostgreSQL 18, and PRIx64 may be of another type than uint64 before.
    out.add("fingerprint", psprintf("%016llx", static_cast<unsigned long long>(s.fingerprint)));
}

}  // namespace

uint64 count_changes(const IvfIndex& index) {
    pg::ScratchContext scratch{"ivfflat index changes"};
    auto* inspector = new (palloc(sizeof(Inspector))) Inspector(index, scratch.context());
    return inspector->run().changes(index);
}

void index_stats(Relation rel, index::NameValueRows& out) {
    pg::ScratchContext scratch{"ivfflat index stats"};
    IvfIndex index = open_index(rel);
    auto* inspector = new (palloc(sizeof(Inspector))) Inspector(index, scratch.context());
    report(index, inspector->run(), *inspector, out);
}

}  // namespace vext::ivf
