#include "check/check_findings.h"

#include <cstdarg>
#include <initializer_list>

namespace vext::check {
namespace {

// Of one severity: a file that is damaged all over would fill memory and screen.
constexpr uint64 kMaxRows = 1000;

const char* name_of(Severity severity) {
    switch (severity) {
    case Severity::error:
        return "error";
    case Severity::warning:
        return "warning";
    case Severity::info:
        break;
    }
    return "info";
}

}  // namespace

void Findings::put(Severity severity, BlockNumber block, int64 slot, const char* message) {
    if (result_ == nullptr) return;
    Datum values[] = {CStringGetTextDatum(name_of(severity)), Int64GetDatum(block),
                      Int32GetDatum(static_cast<int32>(slot)), CStringGetTextDatum(message)};
    bool nulls[] = {false, block == InvalidBlockNumber, slot < 0, false};
    tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
}

void Findings::add(Severity severity, BlockNumber block, int64 slot, const char* format, ...) {
    uint64& count = counts_[static_cast<int>(severity)];
    if (count++ >= kMaxRows) return;
    StringInfoData message;
    initStringInfo(&message);
    for (;;) {
        va_list args;
        va_start(args, format);
        int needed = appendStringInfoVA(&message, format, args);
        va_end(args);
        if (needed == 0) break;
        enlargeStringInfo(&message, needed);
    }
    put(severity, block, slot, message.data);
    if (severity != Severity::error || count > 1) return;
    if (block != InvalidBlockNumber) appendStringInfo(&message, " (block %u)", block);
    strlcpy(first_, message.data, sizeof first_);
}

void Findings::finish() {
    for (Severity severity : {Severity::warning, Severity::error}) {
        uint64 all = count(severity);
        if (all <= kMaxRows) continue;
        put(severity, InvalidBlockNumber, -1, psprintf(UINT64_FORMAT " further findings of this severity", all - kMaxRows));
    }
}

}  // namespace vext::check
