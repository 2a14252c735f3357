// What `weir ledger` and the jobs of the admin API share: an export and a re-rating as the
// configuration has its names, currency, prices and deployments. Not for workers.
#pragma once

#include <string>
#include <string_view>

#include "app/config/config.h"
#include "base/json/writer.h"
#include "base/result.h"
#include "ledger/export.h"
#include "ledger/rerate.h"

namespace weir::app {

struct DateRange {
  int64_t since_ms = 0;
  int64_t until_ms = 0;
};

// Two dates or times, in that order; `names` are what they are called. Errors: invalid_argument.
Result<DateRange> parse_period(std::string_view from, std::string_view to, std::string_view names);

// Errors: invalid_argument, where there is no such format.
Result<ledger::ExportQuery> export_query(const Config& config, const DateRange& period,
                                         std::string_view format);

// Errors: those of ledger::rerate() and of the price book.
Result<ledger::RerateReport> rerate_period(const Config& config, const DateRange& period,
                                           bool dry_run,
                                           std::function<Result<void>(int64_t rows)> progress = {});

}  // namespace weir::app
