#include "hnsw/hnsw_filtered.h"

#include <algorithm>

#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {
namespace {

bool farther_first(const Candidate& a, const Candidate& b) { return a.key > b.key; }

// Of what a search of the graph takes to score a node: the test of a node in a sweep, and the score of one that passes.
constexpr double kTestCost = 0.02;
constexpr double kScoreCost = 0.5;
// An index of more nodes than so many times the limit of scored ones is not gone through as a whole.
constexpr double kSweepLimit = 100;
// What a sweep scores beside what the search did may be so much more than the limit.
constexpr double kOverLimit = 1.25;
constexpr BlockNumber kSampledBlocks = 64;
// Where rows pass so much more often in the sample than where the search is (what it met is too little to tell, if so
// many more would change that), it leaps to some of those in the sample. For each node of its beam it scores about so
// many; a sweep that costs not much more is preferred, since it is exact.
constexpr double kElsewhere = 4, kByChance = 4;
constexpr double kLeapScores = 20, kExact = 5;
constexpr size_t kLandings = 256;
// What passes in many places far from each other may be near, too: then the search goes on from where it came from,
// over so much of the limit.
constexpr double kAround = 0.1;
// Far from the query rows are about equally far, and neighbours tell less of where the nearest are.
constexpr size_t kFar = 6;
// Where so many pass they lead to each other.
constexpr double kConnected = 0.2;
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
// surroundings well: so fewer will do. Not where it has leapt.
size_t FilteredSearch::wanted() const {
    double least = 0.4;
    if (landed_) return asked_;
    return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(asked_) * (least + (1 - least) * share_)));
}

// A node that passes.
void FilteredSearch::keep(const Candidate& c) {
    if (best_.size() >= beam_) {
        if (c.key >= best_.back().key) return found_.push_back(c);
        found_.push_back(best_.back());
        best_.pop_back();
    }
    best_.push_back(c);
    size_t at = best_.size() - 1;
    for (; at > 0 && c.key < best_[at - 1].key; at--) best_[at] = best_[at - 1];
    best_[at] = c;
}

// Takes the nearest of the others among the best, up to so many.
void FilteredSearch::gather(size_t count) {
    size_t n = std::min(count - std::min(count, best_.size()), found_.size());
    if (n == 0) return;
    auto nearer = [](const Candidate& a, const Candidate& b) { return a.key < b.key; };
    std::nth_element(found_.begin(), found_.begin() + (n - 1), found_.end(), nearer);
    std::sort(found_.begin(), found_.begin() + n, nearer);
    for (size_t i = 0; i < n; i++) best_.push_back(found_[i]);
    std::copy(found_.begin() + n, found_.end(), found_.begin());
    found_.resize_uninitialized(found_.size() - n);
}

void FilteredSearch::push(const Candidate& c) {
    frontier_.push_back(c);
    std::push_heap(frontier_.begin(), frontier_.end(), farther_first);
}

void FilteredSearch::insert(const Candidate& c) {
    share_ += ((c.passes ? 1 : 0) - share_) / kRecent;
    passed_ += c.passes;
    if (leapt_ && !c.passes && (!near_passing_ || share_ > kConnected)) {
        aside_.push_back(c);
    } else if (best_.size() < beam_ || c.key < best_.back().key) {
        push(c);
    } else {
        later_.push_back(c);
    }
    if (c.passes) keep(c);
}

void FilteredSearch::widen(size_t beam) {
    beam_ = beam;
    gather(beam);
}

void FilteredSearch::search(size_t beam, uint64 limit) {
    if (exhausted_) return;
    spent_ = static_cast<double>(store_.scored());
    asked_ = beam;
    widen(landed_ ? beam * kFar : beam);
    for (const Candidate& c : later_) frontier_.push_back(c);
    later_.clear();
    if (landed_) {
        part();
    } else {
        std::make_heap(frontier_.begin(), frontier_.end(), farther_first);
    }
    for (;;) {
        size_t most = enough();
        bool full = best_.size() >= most, done = full && !frontier_.empty() && frontier_[0].key > best_[most - 1].key;
        if (leapt_ && (done || frontier_.empty())) {
            come_back(limit);
            continue;
        }
        if (frontier_.empty()) break;
        if (done || (full && landed_ && !leapt_ && store_.scored() >= look_until_)) return;
        Way way = choose_way(limit);
        if (way == Way::sweep) return sweep(limit);
        if (way == Way::leap) leap();
        if (store_.scored() >= limit) return;
        std::pop_heap(frontier_.begin(), frontier_.end(), farther_first);
        Candidate c = frontier_.back();
        frontier_.pop_back();
        near_passing_ = c.passes;
        expand(store_, c.node, 0, *this, seen_);
    }
    exhausted_ = true;
}

// How many nodes a search would still score, if rows keep passing as they did so far.
double FilteredSearch::left_to_score(size_t enough) const {
    auto scored = static_cast<double>(store_.scored());
    return scored * (kSurroundings * static_cast<double>(enough) / (static_cast<double>(passed_) + 1) - 1);
}

// Whether what is left of the search, or all that the limit leaves of it, costs more than a leap or a sweep. A scan that
// goes on and on would have done better to sweep at once: so what earlier searches cost counts, too, and in the end it has
// cost no more than twice as much. Before a decision pages all over the index are looked at.
FilteredSearch::Way FilteredSearch::choose_way(uint64 limit) {
    size_t enough = this->enough();
    auto scored = static_cast<double>(store_.scored()), all = static_cast<double>(places()), most = static_cast<double>(limit);
    bool over = store_.scored() >= limit;
    if (over ? best_.size() >= enough : store_.scored() < kFirstLook || share_ > kOften) return Way::on;
    double left = left_to_score(enough), leap_cost = kLeapScores * static_cast<double>(kFar * asked_), tests = all * kTestCost;
    bool leaps = !landed_ && left > leap_cost;
    double whole = spent_ + std::max(left, 0.0);
    bool sweeps = (over || (!landed_ && whole > tests)) && all <= kSweepLimit * most;
    if (!leaps && !sweeps) return Way::on;
    if (share_of_all_ < 0) sample();
    double here = (static_cast<double>(passed_) + kByChance) / scored, scores = all * share_of_all_;
    double sweep_cost = tests + scores * kScoreCost;
    sweeps = sweeps && scored + scores <= most * kOverLimit;
    bool elsewhere = !tested_.empty() && share_of_all_ > kElsewhere * here;
    if (leaps && elsewhere && (!sweeps || sweep_cost > kExact * leap_cost)) return Way::leap;
    return sweeps && (over || whole > sweep_cost) ? Way::sweep : Way::on;
}

void FilteredSearch::sample() {
    double tested = 1;
    BlockNumber step = 1 + blocks_ / kSampledBlocks;
    tested_.clear();
    for (BlockNumber block = 1; block < blocks_; block += step) store_.prefetch_tests(block);
    for (BlockNumber block = 1; block < blocks_; block += step) {
        tested += static_cast<double>(store_.test_block(block, &tested_));
    }
    store_.keep_passing(&tested_);
    share_of_all_ = (static_cast<double>(tested_.size()) + 1) / tested;
}

// Rows that pass are elsewhere, behind many that do not: the search goes on among some of those that the sample found,
// from one that passes to the next, over at most one that does not. What it had in hand waits.
void FilteredSearch::leap() {
    landed_ = true;
    widen(asked_ * kFar);
    part();
    size_t step = 1 + tested_.size() / kLandings, n = 0;
    for (size_t i = 0; i < tested_.size(); i += step) tested_[n++] = tested_[i];
    tested_.resize_uninitialized(n);
    near_passing_ = true;
    score_tested(*this);
}

void FilteredSearch::part() {
    leapt_ = true;
    auto others = std::partition(frontier_.begin(), frontier_.end(), [](const Candidate& c) { return c.passes; });
    for (auto c = others; c != frontier_.end(); c++) aside_.push_back(*c);
    frontier_.resize_uninitialized(static_cast<size_t>(others - frontier_.begin()));
    std::make_heap(frontier_.begin(), frontier_.end(), farther_first);
}

void FilteredSearch::come_back(uint64 limit) {
    leapt_ = false;
    for (const Candidate& c : aside_) frontier_.push_back(c);
    aside_.clear();
    std::make_heap(frontier_.begin(), frontier_.end(), farther_first);
    look_until_ = store_.scored() + static_cast<uint64>(kAround * static_cast<double>(limit));
}

// All nodes that were not scored yet, in file order. What it finds is exact, unless the limit ends it.
void FilteredSearch::sweep(uint64 limit) {
    constexpr BlockNumber kAhead = 12;
    constexpr size_t kScoreTogether = 256;
    auto most = static_cast<uint64>(static_cast<double>(limit) * kOverLimit);
    struct {
        FilteredSearch& search;
        void insert(const Candidate& c) { search.keep(c); }
    } pool{*this};
    auto score = [&] {
        store_.keep_passing(&tested_);
        score_tested(pool);
    };
    tested_.clear();
    for (BlockNumber block = 1; block < blocks_ && store_.scored() < most; block++) {
        CHECK_FOR_INTERRUPTS();
        store_.prefetch_tests(block + kAhead);
        store_.test_block(block, &tested_);
        if (tested_.size() >= kScoreTogether) score();
    }
    score();
    frontier_.clear();
    later_.clear();
    aside_.clear();
    exhausted_ = true;
}

template <typename Pool>
void FilteredSearch::score_tested(Pool& pool) {
    size_t fresh = 0;
    for (SlotNumber node : tested_) {
        tested_[fresh] = node;
        fresh += seen_.insert(node);
    }
    store_.score_into(tested_.data(), fresh, pool);
    tested_.clear();
}

}  // namespace vext::hnsw
