// Series: what the overview plots. Requests, errors, tokens, cost and percentiles of times, in
// equal steps over a range. Read from the rows while they are few (kRowsMax), so that every number
// is exact; beyond that from the tallies (tally.h), by whole minutes or hours. Sums stay exact;
// percentiles come from histograms, or with a filter by key or team from a sample that is spread
// evenly over the range. The answer tells which.
//
// For control-plane threads: some 50 ms. Limits: kRowsMax rows, kPointsMax steps, kSampleUs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "ledger/log_reader.h"

namespace weir::ledger {

struct SeriesQuery {
  static constexpr int64_t kPointsMax = 400;
  static constexpr int64_t kRowsMax = 20'000;
  static constexpr int64_t kSampleUs = 40'000;

  int64_t since_ms = 0;  // inclusive; rounded down to a step
  int64_t until_ms = 0;  // exclusive
  int64_t points = 120;  // steps at most
  std::string key_id = {};
  std::string team = {};
  std::string model = {};
  int64_t rows_max = kRowsMax;  // smaller in tests
};

// Microseconds. Zero where nothing was measured.
struct Percentiles {
  int64_t p50 = 0;
  int64_t p95 = 0;
  int64_t p99 = 0;
  int64_t count = 0;  // measured ones
};

struct SeriesPoint {
  int64_t requests = 0;
  int64_t errors = 0;  // as Sums counts them
  int64_t denied = 0;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  Money cost;
  Percentiles total;  // of requests that ended well
  Percentiles ttft;   // of those that were streamed
};

struct Series {
  int64_t since_ms = 0;  // of the first step
  int64_t step_ms = 0;
  bool exact = true;  // of the rows themselves
  std::vector<SeriesPoint> points;
  SeriesPoint whole;  // the range in one
};

// Errors: invalid_argument (a range that is empty or longer than 400 days), io_error, corrupt.
Result<Series> read_series(const LogReader& reader, const SeriesQuery& query);

// The step for a range: the smallest of a list of round ones that needs no more than `points`.
int64_t series_step_ms(int64_t range_ms, int64_t points, int64_t least_ms);

}  // namespace weir::ledger
