#include "hnsw/hnsw_filtered.h"

#include <algorithm>

#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {
namespace {

bool farther_first(const Candidate& a, const Candidate& b) { return a.key > b.key; }

// A test of attributes costs so much of a score: their lines are read one after the other, and nothing is computed.
constexpr double kTestCost = 0.15;
// An index of more nodes than so many times the limit of scored ones is not gone through as a whole.
constexpr uint64 kSweepLimit = 100;
// Shares of rows that pass are of about so many nodes.
constexpr double kRecent = 256;

}  // namespace

// Where few of the nodes pass, the search comes far beyond each of them before it has seen enough, and knows its
// surroundings well: so fewer will do.
size_t FilteredSearch::wanted() const {
    double least = 0.4;
    return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(beam_) * (least + (1 - least) * share_)));
}

void FilteredSearch::keep_best(codec::Key key) {
    if (best_.size() == beam_) {
        if (key >= best_.back()) return;
        best_.pop_back();
    }
    auto at = static_cast<size_t>(std::upper_bound(best_.begin(), best_.end(), key) - best_.begin());
    best_.push_back(key);
    std::copy_backward(best_.begin() + at, best_.end() - 1, best_.end());
    best_[at] = key;
}

void FilteredSearch::insert(const Candidate& c) {
    bool passes = store_.may_pass(c.node);
    share_ += ((passes ? 1 : 0) - share_) / kRecent;
    if (passes) {
        found_.push_back(c);
        keep_best(c.key);
    }
    if (best_.size() < beam_ || c.key < best_.back()) {
        frontier_.push_back(c);
        std::push_heap(frontier_.begin(), frontier_.end(), farther_first);
    } else {
        later_.push_back(c);
    }
}

void FilteredSearch::search(size_t beam, uint64 limit) {
    if (exhausted_) return;
    beam_ = beam;
    best_.clear();
    for (const Candidate& c : found_) keep_best(c.key);
    for (const Candidate& c : later_) frontier_.push_back(c);
    later_.clear();
    std::make_heap(frontier_.begin(), frontier_.end(), farther_first);
    while (!frontier_.empty()) {
        size_t enough = wanted();
        if (best_.size() >= enough && frontier_[0].key > best_[enough - 1]) return;
        bool over = store_.scored() >= limit;
        const HnswIndex& index = store_.index();
        if ((over && best_.size() < enough) || sweep_is_cheaper()) {
            uint64 nodes = uint64{RelationGetNumberOfBlocks(index.rel)} * index.layout.nodes.per_page;
            if (nodes <= kSweepLimit * limit) return sweep();
        }
        if (over) return;
        std::pop_heap(frontier_.begin(), frontier_.end(), farther_first);
        SlotNumber node = frontier_.back().node;
        frontier_.pop_back();
        expand(store_, node, 0, *this, seen_);
    }
    exhausted_ = true;
}

// Whether what is left of the search, if rows keep passing as they do here, costs more than a test of all nodes.
bool FilteredSearch::sweep_is_cheaper() const {
    const HnswIndex& index = store_.index();
    if (share_ > 0.5) return false;
    double nodes = static_cast<double>(RelationGetNumberOfBlocks(index.rel)) * index.layout.nodes.per_page;
    double scored = static_cast<double>(store_.scored());
    double enough = static_cast<double>(wanted()), have = static_cast<double>(best_.size());
    if (have >= enough) return false;
    return scored * (enough / std::max(have, 1.0) - 1) > nodes * kTestCost + kRecent;
}

// All nodes that were not scored yet, page by page. What it finds is exact.
void FilteredSearch::sweep() {
    for (BlockNumber block = 1; block < RelationGetNumberOfBlocks(store_.index().rel); block++) {
        CHECK_FOR_INTERRUPTS();
        sweep_page(block);
    }
    frontier_.clear();
    later_.clear();
    exhausted_ = true;
}

void FilteredSearch::sweep_page(BlockNumber block) {
    const HnswIndex& index = store_.index();
    const SlotShape& nodes = index.layout.nodes;
    pg::Pin pin{ReadBuffer(index.rel, block)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    if (!page::has_kind(pin.page(), format::PageKind::nodes)) return;
    page::check_page(index.rel, block, pin.page(), nodes);
    for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(pin.page(), nodes, i)) {
        format::HnswNode* node = node_at(index, pin.page(), i);
        if (!is_live(node)) continue;
        SlotNumber number = nodes.number(block, i);
        if (!store_.node_passes(node, number) || !has_node(index, pin.page(), i)) continue;
        if (seen_.insert(number)) found_.push_back({store_.score(code_at(index, node)), number});
    }
}

}  // namespace vext::hnsw
