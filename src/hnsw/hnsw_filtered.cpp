#include "hnsw/hnsw_filtered.h"

#include <algorithm>

#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {
namespace {

bool farther_first(const Candidate& a, const Candidate& b) { return a.key > b.key; }

// Of what a search of the graph takes to score a node: the test of a node in a sweep, and the score of one that passes.
constexpr double kTestCost = 0.05;
constexpr double kScoreCost = 0.5;
// An index of more nodes than so many times the limit of scored ones is not gone through as a whole.
constexpr double kSweepLimit = 100;
// What a sweep scores beside what the search did may be so much more than the limit.
constexpr double kOverLimit = 1.25;
constexpr BlockNumber kSampledBlocks = 64;
// A search ends when it has scored about so many times the nodes among which as many as it wants pass.
constexpr double kSurroundings = 8;
// So many nodes tell how often rows pass.
constexpr uint64 kFirstLook = 256;
// Where so many pass there is nothing to gain.
constexpr double kOften = 0.5;
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
        passed_++;
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
        if (should_sweep(enough, limit)) return sweep(limit);
        if (store_.scored() >= limit) return;
        std::pop_heap(frontier_.begin(), frontier_.end(), farther_first);
        SlotNumber node = frontier_.back().node;
        frontier_.pop_back();
        expand(store_, node, 0, *this, seen_);
    }
    exhausted_ = true;
}

// How many nodes a search would still score, if rows keep passing as they did so far.
double FilteredSearch::left_to_score(size_t enough) const {
    auto scored = static_cast<double>(store_.scored());
    return scored * (kSurroundings * static_cast<double>(enough) / (static_cast<double>(passed_) + 1) - 1);
}

// Whether what is left of the search, or all that the limit leaves of it, costs more than a sweep. Rows that pass may be
// far more frequent elsewhere: before a decision pages all over the index are looked at.
bool FilteredSearch::should_sweep(size_t enough, uint64 limit) {
    bool over = store_.scored() >= limit;
    if (over ? best_.size() >= enough : store_.scored() < kFirstLook || share_ > kOften) return false;
    auto all = static_cast<double>(places()), most = static_cast<double>(limit);
    if (all > kSweepLimit * most) return false;
    double left = left_to_score(enough);
    if (!over && left < all * kTestCost) return false;
    if (share_of_all_ < 0) sample();
    double scores = all * share_of_all_;
    if (static_cast<double>(store_.scored()) + scores > most * kOverLimit) return false;
    return over || left > all * kTestCost + scores * kScoreCost;
}

void FilteredSearch::sample() {
    double live = 1, pass = 0;
    for (BlockNumber block = 1; block < blocks_; block += 1 + blocks_ / kSampledBlocks) {
        tested_.clear();
        live += static_cast<double>(store_.test_block(block, &tested_));
        pass += static_cast<double>(tested_.size());
    }
    tested_.clear();
    share_of_all_ = (pass + 1) / live;
}

// All nodes that were not scored yet, in file order. What it finds is exact, unless the limit ends it.
void FilteredSearch::sweep(uint64 limit) {
    constexpr uint32 kSlotsAhead = 32;
    constexpr size_t kScoreTogether = 256;
    BlockNumber ahead = 1 + kSlotsAhead / store_.index().layout.nodes.per_page;
    auto most = static_cast<uint64>(static_cast<double>(limit) * kOverLimit);
    tested_.clear();
    for (BlockNumber block = 1; block < blocks_ && store_.scored() < most; block++) {
        CHECK_FOR_INTERRUPTS();
        store_.prefetch_tests(block + ahead);
        store_.test_block(block, &tested_);
        if (tested_.size() >= kScoreTogether) score_tested();
    }
    score_tested();
    frontier_.clear();
    later_.clear();
    exhausted_ = true;
}

void FilteredSearch::score_tested() {
    size_t fresh = 0;
    for (SlotNumber node : tested_) {
        tested_[fresh] = node;
        fresh += seen_.insert(node);
    }
    struct {
        ArenaVec<Candidate>& found;
        void insert(const Candidate& c) { found.push_back(c); }
    } pool{found_};
    store_.score_into(tested_.data(), fresh, pool);
    tested_.clear();
}

}  // namespace vext::hnsw
