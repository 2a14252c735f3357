// Reads the request log for the admin API and for seeding budgets: read-only connections, kept
// open between calls, beside the running writer (WAL readers never block it). For control-plane
// threads; a query may take milliseconds. Limits: 1,000 rows per page, 400 days per query; a search
// among rows is given its time (RowFilter::budget_us).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/log_files.h"
#include "ledger/row.h"

namespace weir::ledger {

struct RowFilter {
  std::string key_id = {};  // empty: all, here and below
  std::string team = {};
  std::string project = {};
  std::string model = {};  // the configured name
  std::string deployment = {};
  std::string provider = {};
  std::string user = {};
  std::string endpoint = {};
  std::string dialect = {};
  std::string error_code = {};
  int64_t total_us_min = 0;  // took at least that long
  std::optional<Outcome> outcome = std::nullopt;
  int status_class = 0;      // 2, 4, 5, ...; 0: all
  bool corrections = false;  // rows that correct the cost of others, too
  int64_t since_ms = 0;      // start time, inclusive
  int64_t until_ms = 0;      // exclusive; 0: now and later
  uint32_t limit = 100;
  std::optional<Id> before = std::nullopt;  // cursor: rows older than this one
  // A search that has taken longer ends with what it has found, and `next` where it stopped.
  int64_t budget_us = 0;  // 0: to the end
};

struct RowPage {
  std::vector<RequestRow> rows;  // newest first
  std::optional<Id> next;        // cursor of the next page; none: this was the last
  bool partial = false;          // the budget was used up; rows before `next` were not looked at
};

enum class SumBy : uint8_t {
  none,
  key,
  team,
  project,
  model,
  deployment,
  provider,
  tag,
  hour,
  day
};

struct SumQuery {
  int64_t since_ms = 0;  // whole hours: rounded down
  int64_t until_ms = 0;  // exclusive, rounded up to an hour
  SumBy by = SumBy::none;
  SumBy then_by = SumBy::none;
  std::string tag = {};     // by tag: its name; then no other grouping or filter but time
  std::string key_id = {};  // filters, empty: all
  std::string team = {};
  std::string project = {};
  std::string model = {};
  std::string provider = {};
  uint32_t limit = 1000;
  size_t days_max = 400;  // day files that are read, newest first
};

struct Sums {
  std::string group;  // the key, model, ... or the ISO hour or day
  std::string then_group;
  int64_t requests = 0;
  int64_t errors = 0;  // status >= 400 or outcome other than ok
  int64_t aborted = 0;
  int64_t denied = 0;
  int64_t unpriced = 0;
  int64_t estimated = 0;
  int64_t input_tokens = 0;  // total input
  int64_t cache_read_tokens = 0;
  int64_t cache_write_tokens = 0;
  int64_t output_tokens = 0;  // total output
  int64_t reasoning_tokens = 0;
  Money cost;
  int64_t total_us = 0;  // summed: divide by requests
  int64_t ttft_us = 0;   // summed over requests that sent a byte
  int64_t ttft_count = 0;
};

struct StoredCapture {
  std::string request;
  std::string response;
  std::string request_content_type;
  std::string response_content_type;
  int64_t request_bytes = 0;  // whole size; larger than the text when it was cut
  int64_t response_bytes = 0;
};

class LimitRegistry;

class LogReader {
 public:
  explicit LogReader(std::string data_dir)
      : data_dir_(std::move(data_dir)), files_(std::make_shared<LogFiles>(data_dir_)) {}

  const std::string& data_dir() const { return data_dir_; }
  LogFiles& files() const { return *files_; }

  // Errors of all: io_error, corrupt. Days without a file are skipped.
  Result<RowPage> list(const RowFilter& filter) const;
  Result<RequestRow> get(Id id) const;             // not_found
  Result<StoredCapture> get_capture(Id id) const;  // not_found
  // invalid_argument: by tag and by something else.
  Result<std::vector<Sums>> sums(const SumQuery& query) const;
  // The names of the tags that occurred on those days.
  Result<std::vector<std::string>> tag_names(int64_t since_ms, int64_t until_ms) const;

 private:
  std::string data_dir_;
  std::shared_ptr<LogFiles> files_;  // copies of a reader share them
};

// Tells the registry what every key, project, team and all together have spent, day by day as far
// back as a window reaches and in all, so that budgets hold across a restart. Once at start, before
// the first snapshot is built.
Result<void> remember_spending(const LogReader& reader, int64_t wall_ms, LimitRegistry& registry);

}  // namespace weir::ledger
