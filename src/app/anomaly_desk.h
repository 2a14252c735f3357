// AnomalyDesk: feeds the detector (ledger/anomaly.h) from the ledger's sums and tells what it
// finds, through the AlertBook. After a start it first learns the weeks before, a few hours a turn,
// so that nothing waits for it; then it looks at the hour under way every kLookEvery, and learns
// each that has ended. On the control plane's thread; a look reads the sums of one hour.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "base/result.h"
#include "ledger/alerts.h"
#include "ledger/anomaly.h"
#include "ledger/log_reader.h"

namespace weir::app {

class AnomalyDesk {
 public:
  static constexpr int64_t kLookEveryMs = 300'000;
  static constexpr int kHoursATurn = 4;

  // Both outlive it.
  AnomalyDesk(const ledger::LogReader& reader, ledger::AlertBook& book)
      : reader_(reader), book_(book) {}

  void configure(const Anomalies& rules);
  // Once a second. Tells what is new, `deliver` by the webhook, and returns it. Errors: of the
  // store.
  Result<std::vector<ledger::Anomaly>> turn(
      int64_t wall_ms, bool deliver, const std::function<std::string(std::string_view)>& key_name);

  // Hours that are still to be learned.
  int64_t behind(int64_t wall_ms) const;
  uint64_t unwatched() const { return watch_.unwatched(); }

 private:
  Result<std::vector<ledger::HourSums>> sums_of(int64_t hour) const;
  int64_t first_hour(int64_t wall_ms) const;

  const ledger::LogReader& reader_;
  ledger::AlertBook& book_;
  ledger::AnomalyWatch watch_;
  Anomalies rules_;
  int64_t next_hour_ = 0;  // the first that was not learned
  int64_t looked_ms_ = 0;
};

}  // namespace weir::app
