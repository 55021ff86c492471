#include <cstring>
#include <numeric>

#include "hnsw/hnsw_linker.h"
#include "page/page_change.h"

namespace vext::hnsw {

namespace {

// Puts `links` where a row `seen` has them already, and the others into the places that are left: a row that changes
// in few places makes a short WAL record.
void keep_places(const SlotNumber* seen, size_t seen_count, const SlotNumber* links, size_t count, SlotNumber* out) {
    SlotNumber moved[kMaxLinks];
    bool taken[kMaxLinks] = {};
    size_t left = 0;
    const SlotNumber* end = seen + std::min(seen_count, count);
    for (size_t i = 0; i < count; i++) {
        const SlotNumber* place = std::find(seen, end, links[i]);
        if (place == end) {
            moved[left++] = links[i];
        } else {
            out[place - seen] = links[i];
            taken[place - seen] = true;
        }
    }
    for (size_t i = count; i-- > 0 && left > 0;) {
        if (!taken[i]) out[i] = moved[--left];
    }
}

}  // namespace

// Leaves in neighbors_ the live ones of `nodes`, nearest first.
void HnswLinker::sort_by_distance(const uint8* base_code, const SlotNumber* nodes, size_t n) {
    const HnswIndex& index = store_.index();
    codec::Query base;
    index.codec->prepare(base_code, index.dim(), &base);
    size_t stride = index.layout.code_bytes;
    codes_.resize_uninitialized(n * stride);
    neighbors_.clear();
    for (size_t i = 0; i < n; i++) {
        uint8* copy = codes_.data() + i * stride;
        bool live = false;
        store_.read_code(nodes[i], [&](const format::HnswNode* node, const uint8* code) {
            live = is_live(node);
            if (live) memcpy(copy, code, index.code_size(code));
        });
        if (live) neighbors_.push_back({0, nodes[i], copy});
    }
    for (Neighbor& x : neighbors_.span()) index.codec->score(base, &x.code, 1, &x.key);
    std::sort(neighbors_.begin(), neighbors_.end(), nearer);
}

void HnswLinker::sort_links(const uint8* base_code, SlotNumber* nodes, size_t n) {
    sort_by_distance(base_code, nodes, n);
    for (size_t i = 0; i < n && neighbors_.size() == n; i++) nodes[i] = neighbors_[i].node;
}

size_t HnswLinker::choose(const uint8* base_code, SlotNumber* nodes, size_t n, size_t max) {
    const HnswIndex& index = store_.index();
    sort_by_distance(base_code, nodes, n);
    size_t kept = select_neighbors(*index.codec, index.dim(), neighbors_.span(), max, max, neighbors_.data());
    for (size_t i = 0; i < kept; i++) nodes[i] = neighbors_[i].node;
    return kept;
}

// Whether a row is still as it was when the change was decided. The page is exclusively locked.
HnswLinker::Replaced HnswLinker::compare(Page page, const RowChange& change) {
    LinkView view = store_.view_row(page, change.row);
    if (view.count == nullptr) return Replaced::gone;
    bool same = *view.count == change.seen_count &&
                memcmp(view.links, change.seen, change.seen_count * sizeof(SlotNumber)) == 0;
    return same ? Replaced::done : Replaced::changed;
}

void HnswLinker::apply(Page page, const RowChange& change) {
    LinkView view = store_.view_row(page, change.row);
    keep_places(change.seen, change.seen_count, change.links, change.count, view.links);
    *view.count = static_cast<uint16>(change.count);
}

HnswLinker::Replaced HnswLinker::replace_row(const RowChange& change) {
    pg::Pin pin{store_.reader().pin(change.row.block, *change.row.shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_EXCLUSIVE};
    Replaced result = compare(pin.page(), change);
    if (result != Replaced::done) return result;
    page::PageChange record{store_.index().rel, store_.index().logged};
    apply(record.add(pin.buffer()), change);
    record.finish();
    return Replaced::done;
}

// Replaces rows on several pages, as many pages to a WAL record as it takes. Only the first page of a record is waited
// for, with no lock held; one that is not free at once comes in a later record. So no order among pages is needed.
void HnswLinker::replace_rows(Planned** changes, size_t n) {
    std::sort(changes, changes + n,
              [](const Planned* a, const Planned* b) { return a->change.row.block < b->change.row.block; });
    for (size_t first = 0; first < n;) {
        if (changes[first]->tried) {
            first++;
            continue;
        }
        CHECK_FOR_INTERRUPTS();
        struct {
            Buffer buffer;
            size_t begin, end;
        } pages[MAX_GENERIC_XLOG_PAGES];
        int held = 0;
        for (size_t i = first, end; i < n && held < MAX_GENERIC_XLOG_PAGES; i = end) {
            const LinkRow& row = changes[i]->change.row;
            for (end = i + 1; end < n && changes[end]->change.row.block == row.block;) end++;
            if (changes[i]->tried) continue;
            Buffer buffer = store_.reader().pin(row.block, *row.shape);
            if (held == 0) {
                LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
            } else if (!ConditionalLockBuffer(buffer)) {
                ReleaseBuffer(buffer);
                continue;
            }
            pages[held++] = {buffer, i, end};
            for (size_t j = i; j < end; j++) {
                changes[j]->tried = true;
                changes[j]->replaced = compare(BufferGetPage(buffer), changes[j]->change);
            }
        }
        page::PageChange record{store_.index().rel, store_.index().logged};
        for (int p = 0; p < held; p++) {
            Page page = record.add(pages[p].buffer);
            for (size_t j = pages[p].begin; j < pages[p].end; j++) {
                if (changes[j]->replaced == Replaced::done) apply(page, changes[j]->change);
            }
        }
        record.finish();
        for (int p = 0; p < held; p++) UnlockReleaseBuffer(pages[p].buffer);
    }
}

// The row of a node of level 0 as it will be once what is planned is done.
size_t HnswLinker::planned_links(SlotNumber node, SlotNumber* out) {
    for (size_t i = 0; i < planned_; i++) {
        const RowChange& change = changes_[i].change;
        if (change.row.node != node) continue;
        memcpy(out, change.links, change.count * sizeof(SlotNumber));
        return change.count;
    }
    return store_.read_links(node, 0, out);
}

// Notes where the rows of level 0 of some nodes lead: what can be reached from them in one step.
void HnswLinker::look_ahead(const SlotNumber* nodes, size_t n) {
    SlotNumber row[kMaxLinks];
    ahead_.clear();
    for (size_t i = 0; i < n; i++) {
        size_t count = planned_links(nodes[i], row);
        for (size_t j = 0; j < count; j++) ahead_.push_back(uint64{row[j]} << 32 | nodes[i]);
    }
    std::sort(ahead_.begin(), ahead_.end());
}

// One of those nodes that leads to a node, or kNoSlot.
SlotNumber HnswLinker::leads_to(SlotNumber node) const {
    const uint64* at = std::lower_bound(ahead_.begin(), ahead_.end(), uint64{node} << 32);
    return at != ahead_.end() && *at >> 32 == node ? static_cast<SlotNumber>(*at) : format::kNoSlot;
}

bool HnswLinker::is_live_now(SlotNumber node) {
    bool live = false;
    store_.read_code(node, [&](const format::HnswNode* header, const uint8*) { live = is_live(header); });
    return live;
}

// Puts back what the heuristic dropped from a row of level 0 although no node of `links` leads to it. So who
// could be reached from the row's owner still can, in two steps at most. Gives how many links there are then: it may be
// one more than a row has.
size_t HnswLinker::keep_reachable(const RowChange& change, SlotNumber* links, size_t count) {
    look_ahead(links, count);
    size_t chosen = count;
    for (size_t i = 0; i < change.seen_count; i++) {
        SlotNumber node = change.seen[i];
        if (std::find(links, links + chosen, node) != links + chosen) continue;
        SlotNumber through = leads_to(node);
        if (through != format::kNoSlot) {
            drops_.push_back({change.row.node, node, through});
        } else if (is_live_now(node)) {
            links[count++] = node;
        }
    }
    return count;
}

// Puts `to` into a full row that ascends by distance (unless some are dead), in place of the farthest that another
// node of the row, or `to`, leads to, or that is dead. Where there is none the farthest goes, and is returned: `to` has
// to lead to it.
SlotNumber HnswLinker::force(const RowChange& change, SlotNumber to, SlotNumber* links) {
    size_t n = change.seen_count;
    links[n] = to;
    look_ahead(links, n + 1);
    for (size_t victim = n; victim-- > 0;) {
        SlotNumber node = links[victim], through = leads_to(node);
        if (through == format::kNoSlot && is_live_now(node)) continue;
        if (through != format::kNoSlot) drops_.push_back({change.row.node, node, through});
        links[victim] = to;
        return format::kNoSlot;
    }
    std::swap(links[n - 1], links[n]);
    return links[n];
}

// Lets the node that edges are added to lead to what the row of `from` loses, in its own row; where that is full, in
// place of a node that another one of the row leads to. False: there is none.
bool HnswLinker::adopt(SlotNumber from, SlotNumber lost) {
    if (!own_planned_) return false;
    RowChange& own = changes_[0].change;
    SlotNumber* end = own.links + own.count;
    bool done = lost == own.row.node || std::find(own.links, end, lost) != end;
    if (!done && own.count < store_.index().max_links(0)) {
        own.links[own.count++] = lost;
        done = true;
    }
    if (!done) look_ahead(own.links, own.count);
    while (!done && end-- > own.links) {
        SlotNumber through = leads_to(*end);
        if (through == format::kNoSlot) continue;
        drops_.push_back({own.row.node, *end, through});
        *end = lost;
        done = true;
    }
    if (done && lost != own.row.node) drops_.push_back({from, lost, own.row.node});
    return done;
}

// What the edge from -> to makes of the row of `from`, as it is now. False: nothing is to be changed, and `outcome`
// says why.
bool HnswLinker::plan_edge(SlotNumber from, int level, SlotNumber to, Mode mode, RowChange* change, Outcome* outcome) {
    const HnswIndex& index = store_.index();
    size_t max = index.max_links(level);
    base_code_.resize_uninitialized(index.layout.code_bytes);
    bool live = false;
    store_.read_code(from, [&](const format::HnswNode* node, const uint8* code) {
        live = (node->flags & format::kSlotUsed) && node->level >= level;
        if (mode != Mode::even_if_dead) live &= is_live(node);
        if (live) memcpy(base_code_.data(), code, index.code_size(code));
    });
    *outcome = Outcome::gone;
    if (!live || !store_.find_row(from, level, &change->row)) return false;

    size_t drops = drops_.size();
    SlotNumber* seen = change->seen;
    size_t n = change->seen_count = store_.read_links(from, level, seen);
    *outcome = Outcome::added;
    if (std::find(seen, seen + n, to) != seen + n) return false;
    SlotNumber links[kMaxLinks + 1];
    memcpy(links, seen, n * sizeof(SlotNumber));
    links[n] = to;
    size_t count = n + 1;
    if (count > max) {
        count = choose(base_code_.data(), links, count, max);
        bool chosen = std::find(links, links + count, to) != links + count;
        if (chosen && level == 0) count = keep_reachable(*change, links, count);
        if (chosen && count > max) chosen = adopt(from, links[--count]);
        if (!chosen) {
            drops_.resize_uninitialized(drops);
            *outcome = Outcome::refused;
            if (mode == Mode::if_chosen) return false;
            memcpy(links, seen, n * sizeof(SlotNumber));
            sort_links(base_code_.data(), links, n);
            SlotNumber lost = force(*change, to, links);
            bool kept = lost == format::kNoSlot || adopt(from, lost);
            if (!kept && mode == Mode::always) return false;
            *outcome = Outcome::added;
            count = n;
        }
    }
    change->count = count;
    memcpy(change->links, links, count * sizeof(SlotNumber));
    return true;
}

// Plans changes of the rows of from[todo[i]], one after the other, each as if those before were done. The first is of
// the row of `to` itself, on level 0.
void HnswLinker::plan_edges(const SlotNumber* from, const size_t* todo, size_t n, int level, SlotNumber to, Mode mode,
                            Outcome* outcomes) {
    changes_.resize_uninitialized(n + 1);
    drops_.clear();
    RowChange& own = changes_[0].change;
    own_planned_ = level == 0 && store_.find_row(to, 0, &own.row);
    planned_ = own_planned_;
    if (own_planned_) {
        own.count = own.seen_count = store_.read_links(to, 0, own.seen);
        memcpy(own.links, own.seen, own.count * sizeof(SlotNumber));
    }
    for (size_t i = 0; i < n; i++) {
        Planned& p = changes_[planned_];
        p.edge = todo[i];
        p.tried = false;
        if (plan_edge(from[todo[i]], level, to, mode, &p.change, &outcomes[todo[i]])) planned_++;
    }
}

// Changes the row of `to` itself if it is planned to: what other rows lose is found there before they lose it. False:
// it is no longer what it was.
bool HnswLinker::publish_own() {
    const RowChange& own = changes_[0].change;
    const SlotNumber *seen_end = own.seen + own.seen_count, *end = own.links + own.count;
    if (std::equal(own.links, end, own.seen, seen_end)) return true;
    if (replace_row(own) != Replaced::done) return false;
    // Whoever has died meanwhile leaves it again: vacuum has either seen this row or been seen.
    SlotNumber dead[kMaxLinks];
    size_t n = 0;
    for (const SlotNumber* x = own.links; x < end; x++) {
        if (std::find(own.seen, seen_end, *x) == seen_end && !is_live_now(*x)) dead[n++] = *x;
    }
    if (n > 0) drop_links(own.row.node, 0, dead, n);
    return true;
}

void HnswLinker::drop_links(SlotNumber from, int level, const SlotNumber* nodes, size_t n) {
    RowChange change;
    do {
        CHECK_FOR_INTERRUPTS();
        if (!store_.find_row(from, level, &change.row)) return;
        change.seen_count = store_.read_links(from, level, change.seen);
        SlotNumber* end = std::copy_if(change.seen, change.seen + change.seen_count, change.links,
                                       [&](SlotNumber x) { return std::find(nodes, nodes + n, x) == nodes + n; });
        change.count = end - change.links;
    } while (change.count < change.seen_count && replace_row(change) == Replaced::changed);
}

HnswLinker::Outcome HnswLinker::add_edge(SlotNumber from, int level, SlotNumber to, Mode mode) {
    Outcome outcome;
    add_edges(&from, 1, level, to, mode, &outcome);
    return outcome;
}

void HnswLinker::change_edges(const SlotNumber* from, size_t n, int level, SlotNumber to, Mode mode, Outcome* outcomes) {
    size_t todo[kMaxLinks];
    std::iota(todo, todo + n, size_t{0});
    while (n > 0) {
        CHECK_FOR_INTERRUPTS();
        plan_edges(from, todo, n, level, to, mode, outcomes);
        if (own_planned_ && !publish_own()) continue;
        Planned* rows[kMaxLinks];
        size_t first = own_planned_, count = planned_ - first;
        for (size_t i = 0; i < count; i++) rows[i] = &changes_[first + i];
        replace_rows(rows, count);
        n = 0;
        for (size_t i = 0; i < count; i++) {
            if (rows[i]->replaced == Replaced::gone) outcomes[rows[i]->edge] = Outcome::gone;
            if (rows[i]->replaced == Replaced::changed) todo[n++] = rows[i]->edge;
        }
        if (level == 0) doubt();
    }
}

bool HnswLinker::leads(SlotNumber from, SlotNumber to) {
    SlotNumber row[kMaxLinks];
    size_t n = store_.read_links(from, 0, row);
    return std::find(row, row + n, to) != row + n;
}

// Others may have dropped at the same time the edges that a change relied on: two inserts that each drop an edge to one
// node for the sake of the other's would cut it off. So each looks again after it has written: at least the last one
// sees what the others wrote.
void HnswLinker::doubt() {
    for (const Drop& drop : drops_.span()) {
        if (!leads(drop.through, drop.to) && !leads(drop.from, drop.to) && is_live_now(drop.to)) doubts_.push_back(drop);
    }
}

void HnswLinker::add_edges(const SlotNumber* from, size_t n, int level, SlotNumber to, Mode mode, Outcome* outcomes) {
    change_edges(from, n, level, to, mode, outcomes);
    while (!doubts_.empty()) {
        Drop drop = doubts_.back();
        doubts_.pop_back();
        for (SlotNumber again : {drop.from, drop.through}) {
            Outcome outcome;
            change_edges(&again, 1, 0, drop.to, Mode::always, &outcome);
            if (outcome != Outcome::added) continue;
            // Vacuum has either seen the edge or been seen.
            if (!is_live_now(drop.to)) drop_links(again, 0, &drop.to, 1);
            break;
        }
    }
}

}  // namespace vext::hnsw
