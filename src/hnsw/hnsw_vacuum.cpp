// Vacuum: rows that died leave their nodes; nodes without rows leave the graph, which is repaired around them without
// fresh searches (FreshDiskANN: Singh et al. 2021, section 4.2); their slots are freed. README.md says why concurrent
// inserts and scans are safe.
#include <cstring>
#include <new>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_connect.h"
#include "hnsw/hnsw_slots.h"
#include "hnsw/hnsw_vacuum.h"

namespace vext::hnsw {

using format::HnswLinks;
using format::HnswNode;
using format::kNoSlot;
using format::PageKind;

Buffer read_vacuum_page(Vacuum& v, BlockNumber block, PageKind kind) {
    pg::vacuum_delay();
    Buffer buffer = ReadBufferExtended(v.index.rel, MAIN_FORKNUM, block, RBM_NORMAL, v.info->strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
    // A page that was added but not initialised when the server crashed stays empty.
    bool wanted = page::has_kind(page, kind);
    if (wanted) page::check_page(v.index.rel, block, page, v.index.shape(kind));
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    if (wanted) return buffer;
    ReleaseBuffer(buffer);
    return InvalidBuffer;
}

namespace {

// Candidates for the place of lost neighbours; more do not make better graphs.
constexpr size_t kMaxCandidates = 512;

// ---- pass 2: rows of links -----------------------------------------------------------------------

// Neighbours of a node for the place of those that died: the living ones it has, and those of the dead ones, through
// further dead ones where these knew nobody alive.
void gather(Vacuum& v, SlotNumber owner, int level, const SlotNumber* links, size_t n) {
    SlotNumber next[kMaxLinks];
    v.candidates.clear();
    v.lists.clear();
    v.seen.reset(kMaxCandidates);
    v.seen.insert(owner);
    auto add = [&](SlotNumber node) {
        if (!v.seen.insert(node)) return;
        (v.is_dead(node) ? v.lists : v.candidates).push_back(node);
    };
    for (size_t i = 0; i < n; i++) add(links[i]);
    size_t first_hop = v.lists.size();
    for (size_t i = 0; i < v.lists.size(); i++) {
        if (v.candidates.size() >= kMaxCandidates) break;
        if (i >= first_hop && v.candidates.size() >= v.index.max_links(level)) break;
        if (v.lists.size() >= 4 * kMaxCandidates) break;
        size_t count = v.store.links(v.lists[i], level, next);
        for (size_t j = 0; j < count; j++) add(next[j]);
    }
}

void repair_row(Vacuum& v, SlotNumber owner, int level) {
    uint8* code = static_cast<uint8*>(palloc(v.index.layout.code_bytes));
    for (;;) {
        pg::vacuum_delay();
        SlotNumber links[kMaxLinks];
        LinkRow row;
        bool live = false;
        v.store.read_code(owner, [&](const HnswNode* node, const uint8* there) {
            live = is_live(node);
            memcpy(code, there, v.index.code_size(there));
        });
        if (!live || !v.store.find_row(owner, level, &row)) break;
        size_t n = v.store.links(owner, level, links);
        if (std::none_of(links, links + n, [&](SlotNumber x) { return v.is_dead(x); })) break;
        gather(v, owner, level, links, n);
        size_t count = v.linker.choose(code, v.candidates.data(), v.candidates.size(), v.index.max_links(level));
        auto replaced = v.linker.replace_row(row, links, n, v.candidates.data(), count);
        if (replaced == HnswLinker::Replaced::changed) continue;
        if (replaced == HnswLinker::Replaced::gone) break;
        // New edges go both ways, as those of an insert.
        SlotNumber chosen[kMaxLinks];
        std::copy(v.candidates.data(), v.candidates.data() + count, chosen);
        for (size_t i = 0; i < count; i++) {
            if (std::find(links, links + n, chosen[i]) != links + n) continue;
            v.linker.add_edge(chosen[i], level, owner, HnswLinker::Mode::if_chosen);
        }
        break;
    }
    pfree(code);
}

// Notes in `found` (pairs of owner and level) the rows of a page that name a dead node.
void find_torn_rows(Vacuum& v, BlockNumber block, Buffer buffer, const SlotShape& shape, ArenaVec<SlotNumber>& found) {
    pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
    Page page = BufferGetPage(buffer);
    found.clear();
    for (uint32 i = page::first_entry(shape); i < shape.per_page; i = page::next_entry(page, shape, i)) {
        LinkRow row{&shape, block, i, shape.number(block, i), 0};
        if (shape.kind == PageKind::nodes) {
            if (!is_live(node_at(v.index, page, i))) continue;
        } else {
            const auto* links = reinterpret_cast<const HnswLinks*>(page::slot_at(page, shape, i));
            if (links->flags == 0) continue;
            row.node = links->node;
            row.level = links->level;
        }
        LinkView view = v.store.view_row(page, row);
        for (uint16 j = 0; view.count != nullptr && j < *view.count; j++) {
            if (!v.is_dead(view.links[j])) continue;
            found.push_back(row.node);
            found.push_back(static_cast<SlotNumber>(row.level));
            break;
        }
    }
}

void repair_links(Vacuum& v) {
    ArenaVec<SlotNumber> found{v.context};
    PageKind base = v.index.layout.links_inline ? PageKind::nodes : PageKind::base_links;
    for (PageKind kind : {base, PageKind::upper_links}) {
        for_each_page(v, kind, [&](BlockNumber block, Buffer buffer) {
            find_torn_rows(v, block, buffer, v.index.shape(kind), found);
            for (size_t i = 0; i < found.size(); i += 2) repair_row(v, found[i], static_cast<int>(found[i + 1]));
        });
    }
}

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

// ---- pass 4: slots -------------------------------------------------------------------------------

void free_page_nodes(Vacuum& v, BlockNumber block, Buffer buffer) {
    const SlotShape& nodes = v.index.layout.nodes;
    GenericXLogState* record = nullptr;
    {
        pg::ContentLock lock{buffer, BUFFER_LOCK_EXCLUSIVE};
        Page page = BufferGetPage(buffer);
        for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(page, nodes, i)) {
            if (!v.is_dead(nodes.number(block, i))) continue;
            if (record == nullptr) record = GenericXLogStart(v.index.rel);
            free_node(node_at(v.index, GenericXLogRegisterBuffer(record, buffer, 0), i));
        }
        if (record != nullptr) GenericXLogFinish(record);
    }
    if (record != nullptr) list_page(v.index, PageKind::nodes, block);
}

// Frees slots of links or postings whose node is free: those of the nodes that have just been freed, and what a crash
// or an ERROR in the middle of an insert left behind. A node that is being inserted is in use before its slots are.
// Also lists a page with free slots that a crash left unlisted.
void sweep_page(Vacuum& v, BlockNumber block, Buffer buffer, PageKind kind) {
    const SlotShape& shape = v.index.shape(kind);
    bool roomy = false;
    {
        pg::ContentLock lock{buffer, BUFFER_LOCK_EXCLUSIVE};
        GenericXLogState* record = nullptr;
        for (uint32 i = 0; i < shape.per_page; i++) {
            char* slot = page::slot_at(BufferGetPage(buffer), shape, i);
            SlotNumber owner;
            if (!slot_owner(kind, slot, &owner)) {
                roomy = true;
                continue;
            }
            bool used = false;
            v.store.read_code(owner, [&](const HnswNode* node, const uint8*) { used = node->flags != 0; });
            if (used) continue;
            if (record == nullptr) record = GenericXLogStart(v.index.rel);
            free_slot(kind, page::slot_at(GenericXLogRegisterBuffer(record, buffer, 0), shape, i));
            roomy = true;
        }
        if (record != nullptr) GenericXLogFinish(record);
        roomy &= !page::tail_of(BufferGetPage(buffer))->listed;
    }
    if (roomy) list_page(v.index, kind, block);
}

void free_slots(Vacuum& v) {
    for_each_page(v, PageKind::nodes, [&](BlockNumber block, Buffer buffer) { free_page_nodes(v, block, buffer); });
    for (PageKind kind : {PageKind::upper_links, PageKind::postings}) {
        for_each_page(v, kind, [&](BlockNumber block, Buffer buffer) { sweep_page(v, block, buffer, kind); });
    }
}

// ---- pass 5: reachability ------------------------------------------------------------------------

struct PageGraph {
    Vacuum& v;
    Pool<ArenaVec> pool;
    uint8* code;

    size_t links(SlotNumber node, SlotNumber* out) { return v.store.links(node, 0, out); }
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
    bool set_links(SlotNumber node, const SlotNumber* seen, size_t n, const SlotNumber* links, size_t count) {
        LinkRow row;
        return v.store.find_row(node, 0, &row) &&
               v.linker.replace_row(row, seen, n, links, count) == HnswLinker::Replaced::done;
    }
};

void reconnect(Vacuum& v) {
    // A row inserted while all others were dying may not have become the entry point.
    replace_entry(v);
    EntryPoint entry = read_entry(v.index.rel);
    if (entry.node == kNoSlot) return;
    const SlotShape& nodes = v.index.layout.nodes;
    BlockNumber blocks = RelationGetNumberOfBlocks(v.index.rel);
    PageGraph graph{v, Pool<ArenaVec>{v.context}, static_cast<uint8*>(palloc(v.index.layout.code_bytes))};
    Connector<ArenaVec<SlotNumber>, PageGraph> connector{v.context, graph,
                                                         static_cast<size_t>(blocks) * nodes.per_page};
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
    elog(DEBUG1, "index \"%s\": %zu nodes reconnected", RelationGetRelationName(v.index.rel), connector.added());
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                   IndexBulkDeleteCallback is_dead, void* state) {
    if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    stats->num_index_tuples = 0;
    // An index that cannot be read must not stop the vacuum of its table.
    HnswIndex index;
    if (const char* problem = try_open_index(info->index, &index)) {
        ereport(WARNING, errcode(ERRCODE_INDEX_CORRUPTED),
                errmsg("hnsw index \"%s\" is not valid", RelationGetRelationName(info->index)),
                errdetail_internal("%s", problem), errhint("REINDEX the index."));
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

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    if (info->analyze_only) return stats;
    if (stats == nullptr) {
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}

}  // namespace vext::hnsw
