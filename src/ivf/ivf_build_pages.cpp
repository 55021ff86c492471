// The pages of a build. Where everything goes follows from how many rows the lists have; a partition's vectors pages are
// its own, so that several processes can write.
#include <cstring>

#include "ivf/ivf_build.h"
#include "ivf/ivf_row.h"
#include "page/page_writer.h"
#include "pg/guards.h"

namespace vext::ivf {

using page::blocks_for;
using page::nth_slot;
using page::PageWriter;

namespace {

constexpr uint32 kMeanFloats = page::kSlotArea / sizeof(float);

// What is where: metapage, mean, groups and their 1-bit codes, centroids, lists, entries pages list by list, vectors pages
// by partition.
struct Plan {
    BlockNumber mean, groups, group_codes, centroids, lists, entries, vectors, end;
};

// How many blocks lists or partitions take; checked against what numbers can name.
BlockNumber entries_blocks(const Build& b, uint32 list) {
    uint32 per_page = b.index.layout.entries_per_page();
    return static_cast<BlockNumber>((b.arrays.counts[list].load() + per_page - 1) / per_page);
}
uint64 rows_of(const Build& b, uint32 partition) {
    uint64 rows = 0;
    for (uint32 list = b.first_list(partition); list < b.arrays.partition_ends[partition]; list++) {
        rows += b.arrays.counts[list].load();
    }
    return rows;
}

BlockNumber add_blocks(const Build& b, BlockNumber at, uint64 blocks) {
    if (at + blocks >= b.index.layout.vectors.block_limit()) {
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one index"));
    }
    return static_cast<BlockNumber>(at + blocks);
}

Plan make_plan(const Build& b) {
    const IvfLayout& layout = b.index.layout;
    Plan plan{};
    plan.mean = format::kIvfMetaBlock + 1;
    uint32 mean_pages = b.index.space.dense() ? (b.index.dim() + kMeanFloats - 1) / kMeanFloats : 0;
    plan.groups = plan.mean + mean_pages;
    plan.group_codes = plan.groups + blocks_for(layout.groups, b.shared->groups);
    plan.centroids = plan.group_codes + blocks_for(layout.group_codes, b.shared->group_blocks);
    plan.lists = plan.centroids + blocks_for(layout.centroids, b.shared->lists);
    plan.entries = plan.lists + blocks_for(layout.lists, b.shared->lists);
    plan.vectors = plan.entries;
    for (uint32 list = 0; list < b.shared->lists; list++) {
        plan.vectors = add_blocks(b, plan.vectors, entries_blocks(b, list));
    }
    plan.end = plan.vectors;
    for (uint32 p = 0; p < b.shared->partitions; p++) {
        plan.end = add_blocks(b, plan.end, blocks_for(layout.vectors, rows_of(b, p)));
    }
    return plan;
}

// The first entries block of a partition, and its first vectors block.
struct PartitionPlan {
    BlockNumber entries, vectors;
};
PartitionPlan plan_partition(const Build& b, uint32 partition) {
    Plan plan = make_plan(b);
    PartitionPlan p{plan.entries, plan.vectors};
    for (uint32 list = 0; list < b.first_list(partition); list++) p.entries += entries_blocks(b, list);
    for (uint32 i = 0; i < partition; i++) p.vectors += blocks_for(b.index.layout.vectors, rows_of(b, i));
    return p;
}

void write_meta(Build& b, const Plan& plan, ForkNumber fork) {
    IvfMeta& meta = b.index.meta;
    meta.lists = b.shared->lists;
    meta.rows = 0;
    for (uint32 p = 0; p < b.shared->partitions; p++) meta.rows += static_cast<double>(rows_of(b, p));
    meta.first_mean = plan.groups > plan.mean ? plan.mean : InvalidBlockNumber;
    meta.groups = b.shared->groups;
    meta.first_group = b.shared->groups > 0 ? plan.groups : 0;
    meta.first_group_code = b.shared->group_blocks > 0 ? plan.group_codes : 0;
    meta.first_centroid = plan.centroids;
    meta.first_list = plan.lists;
    Buffer buffer = ReadBufferExtended(b.index.rel, fork, format::kIvfMetaBlock, RBM_ZERO_AND_LOCK, nullptr);
    page::init_meta_page(BufferGetPage(buffer), meta);
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
}

void write_mean(const Build& b, const Plan& plan, ForkNumber fork) {
    const SlotShape& shape = b.index.layout.mean;
    PageWriter writer{b.index.rel, shape, fork};
    for (uint32 at = 0; plan.mean < plan.groups && at < b.index.dim(); at += kMeanFloats) {
        auto* out = writer.next(shape.number(plan.mean + at / kMeanFloats, 0));
        memcpy(out, b.arrays.mean + at, std::min(kMeanFloats, b.index.dim() - at) * sizeof(float));
    }
    writer.finish();
}

void write_groups(const Build& b, const Plan& plan, ForkNumber fork) {
    const SlotShape& shape = b.index.layout.groups;
    PageWriter writer{b.index.rel, shape, fork};
    for (uint32 i = 0; i < b.shared->groups; i++) {
        auto* group = reinterpret_cast<IvfGroup*>(writer.next(nth_slot(shape, plan.groups, i)));
        *group = {b.group_begin(i), b.group_ends[i] - b.group_begin(i)};
        memcpy(code_of(group), b.group_centre(i), b.index.space.stride());
    }
    writer.finish();
}

void write_group_codes(const Build& b, const Plan& plan, ForkNumber fork) {
    if (b.shared->group_blocks == 0) return;
    const SlotShape& shape = b.index.layout.group_codes;
    PageWriter writer{b.index.rel, shape, fork};
    GroupCoder coder{b.index};
    uint32 blocks = 0;
    for (uint32 i = 0; i < b.shared->groups; i++) {
        coder.set_group(b.group_centre(i));
        codec::BitBlock* block = nullptr;
        for (uint32 list = b.group_begin(i); list < b.group_ends[i]; list++) {
            uint32 row = (list - b.group_begin(i)) % kBlockRows;
            if (row == 0) {
                block = reinterpret_cast<codec::BitBlock*>(writer.next(nth_slot(shape, plan.group_codes, blocks++)));
            }
            coder.put(b.centroid(list), block, row);
        }
    }
    writer.finish();
}

void write_centroids(const Build& b, const Plan& plan, ForkNumber fork) {
    const SlotShape& shape = b.index.layout.centroids;
    PageWriter writer{b.index.rel, shape, fork};
    for (uint32 i = 0; i < b.shared->lists; i++) {
        memcpy(writer.next(nth_slot(shape, plan.centroids, i)), b.centroid(i), b.index.space.stride());
    }
    writer.finish();
}

// A partition's last vectors page has room for inserts: the last list gets it.
BlockNumber roomy_page(const Build& b, uint32 partition) {
    uint32 per_page = b.index.layout.vectors.per_page;
    uint64 rows = rows_of(b, partition);
    if (rows % per_page == 0) return InvalidBlockNumber;
    return static_cast<BlockNumber>(plan_partition(b, partition).vectors + rows / per_page);
}

void write_lists(Build& b, const Plan& plan, ForkNumber fork) {
    const SlotShape& shape = b.index.layout.lists;
    PageWriter writer{b.index.rel, shape, fork};
    BlockNumber next = plan.entries;
    uint32 partition = 0;
    for (uint32 i = 0; i < b.shared->lists; i++) {
        BlockNumber pages = entries_blocks(b, i);
        b.index.space.position(b.centroid(i), b.scratch.data());
        IvfList list{};
        list.head = pages == 0 ? InvalidBlockNumber : next;
        list.insert = pages == 0 ? InvalidBlockNumber : next + pages - 1;
        list.roomy = InvalidBlockNumber;
        list.run = pages;
        list.norm_sq = static_cast<float>(simd::active->norm_sq_f32(b.scratch.data(), b.index.dim()));
        list.scale = b.arrays.scales[i];
        if (i + 1 == b.arrays.partition_ends[partition]) list.roomy = roomy_page(b, partition++);
        memcpy(writer.next(nth_slot(shape, plan.lists, i)), &list, sizeof list);
        next += pages;
    }
    writer.finish();
}

// An entries page while it is filled: in memory, so that no lock is held meanwhile.
class EntriesFiller {
public:
    EntriesFiller(const IvfIndex& index, BlockNumber first)
        : index_(index), page_(static_cast<Page>(palloc0(BLCKSZ))), next_(first) {}

    // The next page, of a list that has so many more rows.
    Page open(uint32 list, uint64 left) {
        close();
        page::init_page(page_, index_.layout.entries);
        IvfEntries* entries = entries_of(index_, page_);
        entries->list = list;
        entries->next = left > index_.layout.entries_per_page() ? next_ + 1 : InvalidBlockNumber;
        open_ = true;
        return page_;
    }
    void close() {
        if (!open_) return;
        Buffer buffer = ReadBufferExtended(index_.rel, MAIN_FORKNUM, next_++, RBM_ZERO_AND_LOCK, nullptr);
        memcpy(BufferGetPage(buffer), page_, BLCKSZ);
        MarkBufferDirty(buffer);
        UnlockReleaseBuffer(buffer);
        open_ = false;
    }

private:
    const IvfIndex& index_;
    Page page_;
    BlockNumber next_;
    bool open_ = false;
};

void log_pages(const Build& b, BlockNumber from, BlockNumber end) {
    if (b.shared->sizes.logged && from < end) log_newpage_range(b.index.rel, MAIN_FORKNUM, from, end, true);
}

}  // namespace

void write_frame(Build& b, ForkNumber fork) {
    Plan plan = make_plan(b);
    pg::extend_fork_to(b.index.rel, fork, plan.end);
    write_mean(b, plan, fork);
    write_groups(b, plan, fork);
    write_group_codes(b, plan, fork);
    write_centroids(b, plan, fork);
    write_lists(b, plan, fork);
    write_meta(b, plan, fork);
    if (fork == MAIN_FORKNUM) log_pages(b, format::kIvfMetaBlock, plan.entries);
}

// Rows come list by list.
void write_partition(Build& b, uint32 partition) {
    const SlotShape& shape = b.index.layout.vectors;
    uint32 per_page = b.index.layout.entries_per_page();
    PartitionPlan plan = plan_partition(b, partition);
    PageWriter writer{b.index.rel, shape};
    EntriesFiller filler{b.index, plan.entries};
    RowCoder coder{b.index};
    auto* code = static_cast<uint8*>(palloc(b.index.codec->bytes(b.index.dim())));
    uint32 list = UINT32_MAX, at = 0;
    uint64 left = 0, done = 0;
    Page page = nullptr;
    SortedRows rows = sort_partition(b, partition);
    for (SortedRow row; next_sorted_row(rows, &row); done++, left--, at++) {
        if (row.list != list) {
            list = row.list;
            left = b.arrays.counts[list].load();
            coder.set_centroid(b.centroid(list), b.arrays.scales[list]);
            at = per_page;
        }
        if (at == per_page) {
            page = filler.open(list, left);
            at = 0;
        }
        memcpy(code, row.code, b.index.codec->bytes(b.index.dim()));
        coder.code_bits(code);
        SlotNumber number = nth_slot(shape, plan.vectors, done);
        auto* vector = reinterpret_cast<IvfVector*>(writer.next(number));
        vector->tid = row.tid;
        vector->flags = 1;
        memcpy(code_of(vector), code, b.index.meta.code_bytes);
        coder.put(block_at(b.index, page, at / kBlockRows), at % kBlockRows, number, row.attributes);
        if (done % 256 == 255) {
            uint64 all = b.shared->rows_done.fetch_add(256) + 256;
            if (b.leader) index::set_build_progress(static_cast<int64>(all));
        }
    }
    filler.close();
    writer.finish();
    end_sorted_rows(rows);
    PartitionPlan next = plan_partition(b, partition + 1 < b.shared->partitions ? partition + 1 : partition);
    BlockNumber entries_end = next.entries;
    if (partition + 1 == b.shared->partitions) entries_end = make_plan(b).vectors;
    log_pages(b, plan.entries, entries_end);
    log_pages(b, plan.vectors, plan.vectors + blocks_for(shape, done));
}

}  // namespace vext::ivf
