#include "index/calibration.h"

namespace vext::index {

void define_recall_settings(const char* prefix, const char* width, int samples, double* target, int* samples_setting) {
    // The server copies names, not descriptions.
    MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);
    auto name = [&](const char* setting) { return psprintf("%s.%s", prefix, setting); };
    DefineCustomRealVariable(name("recall_target"),
                             psprintf("Sets the recall that scans choose their %s for", width),
                             psprintf("0 turns it off: %s.%s counts.", prefix, width), target, 0, 0, 0.999, PGC_USERSET,
                             0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(name("calibration_samples"),
                            "Sets the number of samples by which an index measures its recall when it is built",
                            "0 turns it off.", samples_setting, samples, 0, 100000, PGC_USERSET, 0, nullptr, nullptr,
                            nullptr);
    MemoryContextSwitchTo(outer);
}

}  // namespace vext::index
