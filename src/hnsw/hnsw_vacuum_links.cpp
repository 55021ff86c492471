// Vacuum's second pass: rows of links lose the dead nodes, and get others for them. Neighbouring rows change together,
// since a WAL record costs a look at the whole page.
#include <algorithm>
#include <cstring>

#include "hnsw/hnsw_vacuum.h"

namespace vext::hnsw {
namespace {

using format::HnswLinks;
using format::HnswNode;
using format::PageKind;

// Candidates for the place of lost neighbours; more do not make better graphs.
constexpr size_t kMaxCandidates = 512;
// So many new edges at most wait for their way back.
constexpr size_t kMaxEdges = size_t{1} << 20;
// So many rows change together; in the file's order they are of few pages.
constexpr size_t kTogether = 32;

class Repair {
public:
    explicit Repair(Vacuum& vacuum)
        : v(vacuum), code_(static_cast<uint8*>(palloc(v.index.layout.code_bytes))), torn_(v.context),
          edges_(v.context), owners_(v.context), planned_(v.context) {
        planned_.resize_uninitialized(kTogether);
    }

    void repair_page(BlockNumber block, Buffer buffer, const SlotShape& shape) {
        find_torn_rows(block, buffer, shape);
        auto plan = [&](size_t i, RowChange* change) { return plan_repair(torn_[i], change); };
        change_rows(torn_.size(), plan, [&](size_t i, const RowChange& change) { note_edges(torn_[i], change); });
        if (edges_.size() >= kMaxEdges) add_edges();
    }

    // New edges go both ways, as those of an insert: a row takes all that have come for it at once.
    void add_edges() {
        std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
            if (a.row.level != b.row.level) return a.row.level < b.row.level;
            return a.row.owner != b.row.owner ? a.row.owner < b.row.owner : a.to < b.to;
        });
        owners_.clear();
        for (size_t i = 0; i < edges_.size(); i++) {
            if (i == 0 || !(edges_[i].row == edges_[i - 1].row)) owners_.push_back(i);
        }
        size_t rows = owners_.size();
        owners_.push_back(edges_.size());
        auto plan = [&](size_t i, RowChange* change) {
            return plan_additions(&edges_[owners_[i]], owners_[i + 1] - owners_[i], change);
        };
        change_rows(rows, plan, [](size_t, const RowChange&) {});
        edges_.clear();
    }

private:
    struct Row {
        SlotNumber owner;
        int level;
        bool operator==(const Row& other) const { return owner == other.owner && level == other.level; }
    };
    struct Edge {
        Row row;
        SlotNumber to;
    };

    void find_torn_rows(BlockNumber block, Buffer buffer, const SlotShape& shape);
    bool read_row(const Row& row, RowChange* change);
    void gather(const Row& row, const RowChange& change);
    bool plan_repair(const Row& row, RowChange* change);
    bool plan_additions(const Edge* edges, size_t n, RowChange* change);
    void note_edges(const Row& row, const RowChange& change);
    template <typename Plan, typename Done>
    void change_rows(size_t n, Plan plan, Done done);

    Vacuum& v;
    uint8* code_;
    ArenaVec<Row> torn_;
    ArenaVec<Edge> edges_;
    ArenaVec<size_t> owners_;  // where the edges of each row begin
    ArenaVec<HnswLinker::Planned> planned_;
};

// The rows of a page that name a dead node.
void Repair::find_torn_rows(BlockNumber block, Buffer buffer, const SlotShape& shape) {
    pg::ContentLock lock{buffer, BUFFER_LOCK_SHARE};
    Page page = BufferGetPage(buffer);
    torn_.clear();
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
        if (view.count == nullptr) continue;
        if (std::any_of(view.links, view.links + *view.count, [&](SlotNumber x) { return v.is_dead(x); })) {
            torn_.push_back({row.node, row.level});
        }
    }
}

// What the row is now, and its owner's code. False: the owner is not live.
bool Repair::read_row(const Row& row, RowChange* change) {
    bool live = false;
    v.store.read_code(row.owner, [&](const HnswNode* node, const uint8* there) {
        live = is_live(node) && node->level >= row.level;
        if (live) memcpy(code_, there, v.index.code_size(there));
    });
    if (!live || !v.store.find_row(row.owner, row.level, &change->row)) return false;
    change->seen_count = v.store.read_links(row.owner, row.level, change->seen);
    return true;
}

// Neighbours of a node for the place of those that died: the living ones it has, and those of the dead ones, through
// further dead ones where these knew nobody alive.
void Repair::gather(const Row& row, const RowChange& change) {
    SlotNumber next[kMaxLinks];
    v.candidates.clear();
    v.lists.clear();
    v.seen.reset(kMaxCandidates);
    v.seen.insert(row.owner);
    auto add = [&](SlotNumber node) {
        if (!v.seen.insert(node)) return;
        (v.is_dead(node) ? v.lists : v.candidates).push_back(node);
    };
    for (size_t i = 0; i < change.seen_count; i++) add(change.seen[i]);
    size_t first_hop = v.lists.size();
    for (size_t i = 0; i < v.lists.size(); i++) {
        if (v.candidates.size() >= kMaxCandidates) break;
        if (i >= first_hop && v.candidates.size() >= v.index.max_links(row.level)) break;
        if (v.lists.size() >= 4 * kMaxCandidates) break;
        size_t count = v.store.read_links(v.lists[i], row.level, next);
        for (size_t j = 0; j < count; j++) add(next[j]);
    }
}

bool Repair::plan_repair(const Row& row, RowChange* change) {
    if (!read_row(row, change)) return false;
    SlotNumber* end = change->seen + change->seen_count;
    if (std::none_of(change->seen, end, [&](SlotNumber x) { return v.is_dead(x); })) return false;
    gather(row, *change);
    change->count = v.linker.choose(code_, v.candidates.data(), v.candidates.size(), v.index.max_links(row.level));
    std::copy_n(v.candidates.data(), change->count, change->links);
    return true;
}

void Repair::note_edges(const Row& row, const RowChange& change) {
    const SlotNumber* end = change.seen + change.seen_count;
    for (size_t i = 0; i < change.count; i++) {
        SlotNumber link = change.links[i];
        if (std::find(change.seen, end, link) == end) edges_.push_back({{link, row.level}, row.owner});
    }
}

// Adds what the heuristic chooses of the edges to their row. Nobody is cut off for long by what it drops: pass 5 follows.
bool Repair::plan_additions(const Edge* edges, size_t n, RowChange* change) {
    const Row& row = edges[0].row;
    if (!read_row(row, change)) return false;
    SlotNumber* end = change->seen + change->seen_count;
    auto is_new = [&](SlotNumber x) { return std::find(change->seen, end, x) == end; };
    ArenaVec<SlotNumber>& links = v.candidates;
    links.clear();
    for (const SlotNumber* x = change->seen; x < end; x++) links.push_back(*x);
    for (size_t i = 0; i < n; i++) {
        if (edges[i].to != row.owner && is_new(edges[i].to)) links.push_back(edges[i].to);
    }
    if (links.size() == change->seen_count) return false;
    size_t max = v.index.max_links(row.level);
    change->count = links.size();
    if (change->count > max) {
        change->count = v.linker.choose(code_, links.data(), links.size(), max);
        if (std::none_of(links.data(), links.data() + change->count, is_new)) return false;
    }
    std::copy_n(links.data(), change->count, change->links);
    return true;
}

// Changes rows 0 to n - 1 as plan(i, change) says, which is false where nothing is to be changed; done(i, change). A row
// that has changed since it was read is planned again.
template <typename Plan, typename Done>
void Repair::change_rows(size_t n, Plan plan, Done done) {
    for (size_t begin = 0; begin < n; begin += kTogether) {
        size_t todo[kTogether], left = std::min(kTogether, n - begin);
        for (size_t i = 0; i < left; i++) todo[i] = begin + i;
        while (left > 0) {
            HnswLinker::Planned* rows[kTogether];
            size_t count = 0;
            for (size_t i = 0; i < left; i++) {
                pg::vacuum_delay();
                HnswLinker::Planned& p = planned_[count];
                p.edge = todo[i];
                p.tried = false;
                if (plan(todo[i], &p.change)) rows[count++] = &p;
            }
            v.linker.replace_rows(rows, count);
            left = 0;
            for (size_t i = 0; i < count; i++) {
                if (rows[i]->replaced == HnswLinker::Replaced::done) done(rows[i]->edge, rows[i]->change);
                if (rows[i]->replaced == HnswLinker::Replaced::changed) todo[left++] = rows[i]->edge;
            }
        }
    }
}

}  // namespace

void repair_links(Vacuum& v) {
    Repair repair{v};
    PageKind base = v.index.layout.links_inline ? PageKind::nodes : PageKind::base_links;
    for (PageKind kind : {base, PageKind::upper_links}) {
        for_each_page(v, kind, [&](BlockNumber block, Buffer buffer) {
            repair.repair_page(block, buffer, v.index.shape(kind));
        });
    }
    repair.add_edges();
}

}  // namespace vext::hnsw
