// The ledger's side: what went through this gateway, per day, provider, model, tier and meter, in
// the form of a provider's statement. For a command or the control plane's thread; reads rows, at
// about a second a million.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "reconcile/statement.h"

namespace weir::reconcile {

// The name under which both sides put what a provider's own tools cost: no export tells a model.
inline constexpr std::string_view kTools = "tools";

// Lines of [from_day, to_day). Each has tokens and cost of a meter; what a row cost besides
// (earlier attempts, corrections) is a line without a meter. Errors: io_error, corrupt.
Result<std::vector<Line>> account_of(const std::string& data_dir, int64_t from_day, int64_t to_day);

}  // namespace weir::reconcile
