#include "index/scan_explain.h"

#include "index/order_scan.h"

namespace vext::index {
namespace {

void show_number(const char* name, uint64 n, ExplainState* es) {
    if (es->format == EXPLAIN_FORMAT_TEXT) {
        appendStringInfo(es->str, " %s=" UINT64_FORMAT, name, n);
    } else {
        ExplainPropertyUInteger(name, nullptr, n, es);
    }
}

// Of all searches that a node of a plan began in this process: the names of vectorext_last_scan().
void show_counts(const ScanCounts& counts, ExplainState* es) {
    constexpr char kTitle[] = "Vector Search";
    if (es->format == EXPLAIN_FORMAT_TEXT) {
        appendStringInfoSpaces(es->str, es->indent * 2);
        appendStringInfo(es->str, "%s:", kTitle);
    } else {
        ExplainOpenGroup(kTitle, kTitle, true, es);
    }
    show_number("visited", counts.visited, es);
    show_number("scored", counts.scored, es);
    show_number("rechecked", counts.rechecked, es);
    show_number("returned", counts.returned, es);
    show_number("batches", counts.batches, es);
    if (es->format == EXPLAIN_FORMAT_TEXT) {
        appendStringInfoChar(es->str, '\n');
    } else {
        ExplainCloseGroup(kTitle, kTitle, true, es);
    }
}

void explain(PlanState* node, ExplainState* es) {
    const WatchedScan* scan = es->analyze ? watched_scan(node) : nullptr;
    if (scan == nullptr) return;
    ScanTotals totals = static_cast<const CountedScan*>(scan)->earlier;
    totals.add(static_cast<const CountedScan*>(scan)->counts);
    show_counts(totals.counts, es);
    if (scan->unfilled) ExplainPropertyText("Stopped By", scan->stopped_by->setting, es);
}

}  // namespace

void init_scan_explain() { pg::explain_nodes(explain); }

}  // namespace vext::index
