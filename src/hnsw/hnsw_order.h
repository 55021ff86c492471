// The order in which a finished graph is laid out on pages: neighbours share pages, pages near each other are near in
// the graph. No Postgres here.
#pragma once

#include "hnsw/hnsw_memory.h"

namespace vext::hnsw {

// order[i] is the node at place i. Breadth first from the entry point, page by page: a page is filled with a node,
// its neighbours, theirs, and so on. `queue` and `placed` are working memory; `step()` is called page by page.
template <typename Numbers, typename Marks, typename Step>
void page_order(const MemoryGraph& graph, size_t per_page, Numbers& order, Numbers& queue, Marks& placed, Step step) {
    size_t n = graph.n;
    order.clear();
    queue.clear();
    placed.resize(n, 0);
    auto place = [&](uint32_t node) {
        placed[node] = 1;
        order.push_back(node);
    };
    auto fill_page = [&](uint32_t seed) {
        step();
        size_t head = order.size(), end = head + per_page;
        place(seed);
        for (size_t at = head; at < order.size(); at++) {
            const uint32_t* row = graph.row(order[at], 0);
            for (size_t i = 1; i <= MemoryGraph::count(row); i++) {
                if (placed[row[i]]) continue;
                if (order.size() < end) {
                    place(row[i]);
                } else {
                    queue.push_back(row[i]);
                }
            }
        }
    };
    if (graph.entry() != kNoNode) fill_page(graph.entry());
    for (size_t head = 0; head < queue.size(); head++) {
        if (!placed[queue[head]]) fill_page(queue[head]);
    }
    for (uint32_t node = 0; node < n; node++) {
        if (!placed[node]) fill_page(node);
    }
}

}  // namespace vext::hnsw
