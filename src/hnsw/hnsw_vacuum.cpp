// Vacuum: rows that died leave their nodes; nodes without rows leave the graph, which is repaired around them without
// fresh searches (FreshDiskANN: Singh et al. 2021, section 4.2); their slots are freed. README.md says why concurrent
// inserts and scans are safe.
#include <cstring>
#include <new>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_connect.h"
#include "hnsw/hnsw_vacuum.h"

namespace vext::hnsw {

using format::HnswNode;
using format::kNoSlot;
using format::PageKind;

bool is_wanted(Vacuum& v, Buffer buffer, PageKind kind) {
    pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
    Page page = BufferGetPage(buffer);
    // A page that was added but not initialised when the server crashed stays empty.
    if (!page::has_kind(page, kind)) return false;
    page::check_page(v.index.rel, BufferGetBlockNumber(buffer), page, v.index.shape(kind));
    return true;
}

namespace {

// ---- pass 3: the entry point ---------------------------------------------------------------------

EntryPoint highest_node(Vacuum& v) {
    EntryPoint best{kNoSlot, -1};
    const SlotShape& nodes = v.index.layout.nodes;
    for_each_page(v, PageKind::nodes, [&](BlockNumber block, Buffer buffer) {
        pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
        Page page = BufferGetPage(buffer);
        for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(page, nodes, i)) {
            const HnswNode* node = node_at(v.index, page, i);
            if (!is_live(node) || node->level <= best.level) continue;
            // The rows of its levels are written after the node itself.
            if (node->level > 0 && node->upper == kNoSlot) continue;
            best = {nodes.number(block, i), node->level};
        }
    });
    return best;
}

// Replaces an entry point that is dead, or missing although there are nodes.
void replace_entry(Vacuum& v) {
    auto wrong = [&](SlotNumber entry) { return entry == kNoSlot || v.is_dead(entry); };
    if (!wrong(read_entry(v.index.rel).node)) return;
    EntryPoint best = highest_node(v);
    pg::Pin pin{ReadBuffer(v.index.rel, format::kHnswMetaBlock)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    if (!wrong(meta_of(pin.page())->entry)) return;
    GenericXLogState* record = GenericXLogStart(v.index.rel);
    format::HnswMeta* meta = meta_of(GenericXLogRegisterBuffer(record, pin.buffer(), 0));
    meta->entry = best.node;
    meta->entry_level = best.node == kNoSlot ? 0 : static_cast<uint32>(best.level);
    GenericXLogFinish(record);
}

// ---- pass 5: reachability ------------------------------------------------------------------------

struct PageGraph {
    Vacuum& v;
    Pool<ArenaVec> pool;
    uint8* code;

    size_t links(SlotNumber node, SlotNumber* out) { return v.store.read_links(node, 0, out); }
    size_t max_links() const { return v.index.max_links(0); }
    void check_interrupts() { pg::vacuum_delay(); }

    template <typename Use>
    void nearest(SlotNumber node, Use use) {
        EntryPoint entry = read_entry(v.index.rel);
        if (entry.node == kNoSlot) return;
        v.store.read_code(node, [&](const HnswNode*, const uint8* there) {
            memcpy(code, there, v.index.code_size(there));
        });
        v.store.set_query(code, *v.index.codec);
        search_from_top(v.store, entry.node, entry.level, std::max<size_t>(v.index.meta.ef_construction, 200), 0, pool,
                        v.seen);
        for (size_t i = 0; i < pool.size(); i++) {
            if (use(pool[i].node)) return;
        }
    }
    void sort_links(SlotNumber node, SlotNumber* links, size_t n) {
        v.store.read_code(node, [&](const HnswNode*, const uint8* there) {
            memcpy(code, there, v.index.code_size(there));
        });
        v.linker.sort_links(code, links, n);
    }
    bool set_links(SlotNumber node, const SlotNumber* seen, size_t n, const SlotNumber* links, size_t count) {
        RowChange change;
        if (!v.store.find_row(node, 0, &change.row)) return false;
        change.seen_count = n;
        change.count = count;
        std::copy_n(seen, n, change.seen);
        std::copy_n(links, count, change.links);
        return v.linker.replace_row(change) == HnswLinker::Replaced::done;
    }
};

void reconnect(Vacuum& v) {
    // A row inserted while all others were dying may not have become the entry point.
    replace_entry(v);
    EntryPoint entry = read_entry(v.index.rel);
    if (entry.node == kNoSlot) return;
    const SlotShape& nodes = v.index.layout.nodes;
    size_t limit = static_cast<size_t>(RelationGetNumberOfBlocks(v.index.rel)) * nodes.per_page;
    // What the search takes at most, beside a bit for each slot that this vacuum has marked.
    if (limit * 2 * sizeof(SlotNumber) > static_cast<size_t>(maintenance_work_mem) * 1024) limit = 0;
    PageGraph graph{v, Pool<ArenaVec>{v.context}, static_cast<uint8*>(palloc(v.index.layout.code_bytes))};
    Connector<ArenaVec<SlotNumber>, PageGraph> connector{v.context, graph, limit};
    connector.start(entry.node);
    ArenaVec<SlotNumber> live{v.context};
    for_each_page(v, PageKind::nodes, [&](BlockNumber block, Buffer buffer) {
        live.clear();
        {
            pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
            Page page = BufferGetPage(buffer);
            for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(page, nodes, i)) {
                if (is_live(node_at(v.index, page, i))) live.push_back(nodes.number(block, i));
            }
        }
        for (SlotNumber node : live) connector.connect(node);
    });
    elog(DEBUG1, "index \"%s\": %zu nodes reconnected%s", RelationGetRelationName(v.index.rel), connector.added(),
         limit == 0 ? ", looking at neighbours only" : "");
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* state) {
    stats = index::start_bulk_delete(stats);
    // An index that cannot be read must not stop the vacuum of its table.
    HnswIndex index;
    if (const char* problem = try_open_index(info->index, &index)) {
        index::warn_not_valid(info->index, "hnsw", problem);
        return stats;
    }
    pg::ScratchContext scratch{"hnsw vacuum"};
    auto* v = new (palloc(sizeof(Vacuum))) Vacuum(index, info, stats, is_dead, state, scratch.context());
    remove_rows(*v);
    if (v->dead_count > 0) {
        repair_links(*v);
        replace_entry(*v);
        free_slots(*v);
        reconnect(*v);
    }
    return stats;
}

}  // namespace vext::hnsw
