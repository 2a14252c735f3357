// AlertBook: which thresholds of budgets and which anomalies have been told, and the messages that
// still are to be delivered, in data_dir/alerts.db, so that each is told once per budget and
// window, also across a restart. A threshold of a rolling window is armed again when spending has
// fallen below it. For control-plane threads; a call that has something to write is one
// transaction. Limits: kPendingMax messages wait; one more is dropped and counted. kAnomaliesMax
// anomalies are kept, the latest.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/admission.h"
#include "ledger/anomaly.h"
#include "store/sqlite.h"

namespace weir::ledger {

struct AlertCounts {
  uint64_t reached = 0;                                // thresholds
  std::array<uint64_t, kAnomalyKinds> anomalies = {};  // found, by kind
  uint64_t sent = 0;
  uint64_t failed = 0;    // attempts to deliver
  uint64_t given_up = 0;  // messages
  uint64_t dropped = 0;   // too many waited
  uint64_t pending = 0;   // now
};

struct Alert {
  int64_t id = 0;
  std::string body;  // JSON
  uint32_t attempts = 0;
  int64_t next_ms = 0;  // wall time of the next attempt
};

// One that was told.
struct ToldAnomaly {
  int64_t id = 0;
  std::string body;  // JSON
};

class AlertBook {
 public:
  static constexpr size_t kPendingMax = 1024;
  static constexpr int64_t kAnomaliesMax = 1000;
  // Percent of a budget.
  static constexpr int kThresholds[] = {50, 80, 100};

  // Opens data_dir/alerts.db. Errors: io_error, corrupt.
  static Result<AlertBook> open(const std::string& data_dir);

  struct Reached {
    BudgetStanding standing;
    int threshold = 0;
  };
  // The thresholds that were reached since the last look. With `deliver` each leaves a message.
  Result<std::vector<Reached>> watch(std::span<const BudgetStanding> standings, int64_t wall_ms,
                                     bool deliver);
  // Keeps the anomaly, of the key with that name, and with `deliver` leaves a message. False where
  // it was told before: the same kind, key, model and hour.
  Result<bool> tell(const Anomaly& anomaly, std::string_view key, int64_t wall_ms, bool deliver);
  // The latest first.
  Result<std::vector<ToldAnomaly>> anomalies(int64_t limit);
  // The message that waits longest for its attempt, if the time of one has come.
  Result<std::optional<Alert>> next(int64_t wall_ms);
  Result<void> sent(const Alert& alert);
  // Tries again at `next_ms`; 0 gives it up.
  Result<void> failed(const Alert& alert, int64_t next_ms);
  const AlertCounts& counts() const { return counts_; }

 private:
  struct Told {
    int64_t window = 0;
    int threshold = 0;
    bool operator==(const Told&) const = default;
  };

  explicit AlertBook(store::Connection connection) : connection_(std::move(connection)) {}
  Result<void> load();
  Result<void> remember(const std::string& budget, const Told& told);
  Result<void> enqueue(const std::string& body, int64_t wall_ms);

  store::Connection connection_;
  std::map<std::string, Told> told_;
  AlertCounts counts_;
};

}  // namespace weir::ledger
