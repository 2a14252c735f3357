// What finance takes away: the ledger's rows as CSV or JSON lines, one a request, and as a FOCUS
// cost and usage table (FinOps Open Cost and Usage Specification 1.2 or 1.4), one line per day and
// meter of a key, project, deployment and price: tokens are meters, as FOCUS 1.5 drafts them. Money
// is exact decimals; the lines of a day add up to its rows' costs. Reads page by page; one day's
// FOCUS lines are held in memory. For a command or a job's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/log_reader.h"

namespace weir::ledger {

enum class ExportFormat : uint8_t { csv, jsonl, focus_1_2, focus_1_4 };
std::optional<ExportFormat> export_format_of(std::string_view text);
std::string_view to_string(ExportFormat format);

struct ExportQuery {
  int64_t since_ms = 0;  // start of a request, inclusive
  int64_t until_ms = 0;  // exclusive
  ExportFormat format = ExportFormat::csv;
  RowFilter only = {};  // whose rows; time, order and corrections are the export's own affair
  std::string organization = "Weir";  // FOCUS: the billing account's name
  std::string currency = "USD";       // FOCUS: what it is billed in
  // Units of the currency for a dollar, in billionths, from a wall time on; ascending. Days before
  // the first have its rate.
  std::vector<std::pair<int64_t, int64_t>> currency_rates = {};
  // Hears after each page how many rows were read; its errors end the export.
  std::function<Result<void>(int64_t rows)> progress = {};
};

// As many rows as the sums say, in whole hours: at least those of the export.
Result<int64_t> rows_about(const LogReader& reader, const ExportQuery& query);

// Hands the text over in pieces, its head first. Errors: of the reader, and those `write` gives,
// which end it.
using ExportWrite = std::function<Result<void>(std::string_view piece)>;
Result<void> export_rows(const LogReader& reader, const ExportQuery& query,
                         const ExportWrite& write);

}  // namespace weir::ledger
