// Re-rating: what past requests would cost by today's price book, written as corrections. A row
// that was written is never changed: what is to be added to its cost is a row of its own, in the
// same day and hour, so the hourly sums, and the budgets that are remembered from them, have what
// was really owed then. A second run finds nothing left to correct. The last attempt of a request
// is rated anew, by the usage and the rates that its row keeps; what earlier attempts cost stays.
//
// For a command or a job, with or without a server beside it: one that runs hears of corrections by
// corrections_stamp(). Limits: kChunkRows rows in a transaction, days
// whose rows retention has dropped stay as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/money.h"
#include "base/result.h"
#include "ledger/price_book.h"
#include "ledger/row.h"

namespace weir::ledger {

// By what name and at which place a row's deployment is priced; the row knows neither.
struct PricedAs {
  std::string model;
  std::string location;
};

struct RerateQuery {
  static constexpr int64_t kChunkRows = 2'048;

  std::string data_dir = {};
  int64_t since_ms = 0;  // start of a request, inclusive
  int64_t until_ms = 0;  // exclusive
  bool dry_run = false;
  std::function<PricedAs(const RequestRow&)> priced_as = {};
  // Hears after each transaction how many rows were looked at; its errors end the re-rating, and
  // what was written until then stays.
  std::function<Result<void>(int64_t rows)> progress = {};
};

struct RerateSum {
  int64_t rows = 0;  // corrected, or that would be
  Money before;      // of these, with earlier corrections
  Money after;
};

struct RerateReport {
  int64_t rows = 0;  // looked at
  int64_t same = 0;
  // Of several models in one batch, or of an older Weir that kept no rates: what the last attempt
  // cost can not be told apart.
  int64_t unknown = 0;
  int64_t unpriced = 0;  // the book has no price for them, then as now
  RerateSum all;
  std::map<std::pair<std::string, std::string>, RerateSum> by_model;  // provider, provider's model
};

// Errors: io_error, corrupt, unavailable (a locked file). What was written until then stays, and
// another run goes on from there.
Result<RerateReport> rerate(const RerateQuery& query, const PriceBook& book);

// Differs from the last answer when corrections were written to that directory since; 0: never.
int64_t corrections_stamp(const std::string& data_dir);

}  // namespace weir::ledger
