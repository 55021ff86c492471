// Reachability while others change the graph: an edge may go at the moment when it is relied on.
#include "hnsw/hnsw_connect.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/vec.h"
#include "test_util.h"

using namespace vext;
using namespace vext::hnsw;

namespace {

struct Malloc {
    void* resize(void* old, size_t bytes) const { return realloc(old, bytes); }
};

struct Graph {
    std::vector<std::vector<uint32_t>> rows, near;
    std::function<void()> meanwhile;  // what an insert does, once, before the first row is changed

    size_t links(uint32_t node, uint32_t* out) {
        std::copy(rows[node].begin(), rows[node].end(), out);
        return rows[node].size();
    }
    size_t max_links() const { return 2; }
    void check_interrupts() {}
    template <typename Use>
    void nearest(uint32_t node, Use use) {
        for (uint32_t from : near[node]) {
            if (use(from)) return;
        }
    }
    bool set_links(uint32_t node, const uint32_t* seen, size_t n, const uint32_t* links, size_t count) {
        if (meanwhile) std::exchange(meanwhile, nullptr)();
        if (!std::equal(rows[node].begin(), rows[node].end(), seen, seen + n)) return false;
        rows[node].assign(links, links + count);
        return true;
    }

    bool leads(uint32_t from, uint32_t to) const {
        std::vector<uint32_t> open{from};
        std::vector<bool> seen(rows.size());
        for (seen[from] = true; !open.empty() && !seen[to];) {
            uint32_t at = open.back();
            open.pop_back();
            for (uint32_t next : rows[at]) {
                if (!seen[next]) open.push_back(next);
                seen[next] = true;
            }
        }
        return seen[to];
    }
};

void connect_all(Graph& graph) {
    Connector<BasicVec<uint32_t, Malloc>, Graph> connector{Malloc{}, graph, graph.rows.size()};
    connector.start(0);
    for (uint32_t node = 0; node < graph.rows.size(); node++) CHECK(connector.connect(node));
    for (uint32_t node = 0; node < graph.rows.size(); node++) CHECK(graph.leads(0, node));
}

// 4 is not reached, and takes the place of 3 in the row of 2: 1 leads to 3, too. While that is done an insert lets 1 lead
// to 5 instead, as 2 led to 3. Whom 3 leads to cannot lead to it instead.
void test_edge_that_goes_meanwhile() {
    Graph graph{{{1, 2}, {0, 3}, {0, 3}, {1, 6}, {2}, {1}, {3}}, {{}, {}, {}, {6, 1}, {2}, {1}, {3}}, {}};
    graph.meanwhile = [&] { graph.rows[1] = {0, 5}; };
    connect_all(graph);
    CHECK(!graph.meanwhile);
    CHECK(graph.rows[2] == (std::vector<uint32_t>{0, 4}));
}

// 3, and 5 which lies past the end of the search, come when all before them were seen to. 1 and 2 lead to them, nobody
// else, and do not give these edges away for 4, which was not reached.
void test_nodes_that_come_later() {
    Graph graph{{{1, 2}, {0}, {0}, {}, {2}, {}}, {{}, {}, {}, {1}, {1, 2, 0}, {2}}, {}};
    constexpr size_t kSearched = 5;
    Connector<BasicVec<uint32_t, Malloc>, Graph> connector{Malloc{}, graph, kSearched};
    connector.start(0);
    for (uint32_t node = 0; node < 3; node++) CHECK(connector.connect(node));
    graph.rows[1].push_back(3);
    graph.rows[2].push_back(5);
    graph.rows[3] = {1};
    graph.rows[5] = {2};
    connector.connect(4);
    CHECK(graph.leads(0, 3));
    CHECK(graph.leads(0, 5));
}

// Nothing happens meanwhile.
void test_unreached() {
    Graph graph{{{1}, {0}, {1}, {2}}, {{}, {}, {1}, {2}}, {}};
    connect_all(graph);
}

}  // namespace

int main() {
    test_unreached();
    test_edge_that_goes_meanwhile();
    test_nodes_that_come_later();
    return vext::test::finish("hnsw_connect_test");
}
