// What corrections (rerate.h) came to, for budgets: those of a server that runs learn of them as
// soon as they are written, by itself or by a command beside it. For the control plane's thread;
// reads the day files, a few milliseconds each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/money.h"
#include "base/result.h"
#include "ledger/admission.h"
#include "ledger/log_reader.h"

namespace weir::ledger {

// By subject and day.
using Corrections = std::map<std::pair<std::string, int64_t>, Money>;

// All that the day files hold. Errors: those of the reader.
Result<Corrections> corrections_of(const LogReader& reader);

// Counts in the registry's cells what they do not have yet. A second call changes nothing.
Result<void> recall_corrections(const LogReader& reader, int64_t wall_ms, LimitRegistry& registry);

}  // namespace weir::ledger
