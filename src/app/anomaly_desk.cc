#include "app/anomaly_desk.h"

#include <algorithm>

#include "ledger/log_schema.h"
#include "store/day.h"

namespace weir::app {

namespace {

constexpr int64_t kHour = 3'600'000;
constexpr uint32_t kSumsMax = 50'000;  // of an hour

}  // namespace

void AnomalyDesk::configure(const Anomalies& rules) {
  rules_ = rules;
  watch_.set_rules({.floor = rules.floor, .loop_requests = rules.loop_requests});
}

// As far back as the detector looks, and not before the ledger began: what it has not seen yet
// would be news.
int64_t AnomalyDesk::first_hour(int64_t wall_ms) const {
  const int64_t now = wall_ms / kHour;
  const auto days = store::days_on_disk(reader_.data_dir(), ledger::kRequestsPrefix);
  if (days.empty()) return now;
  const int64_t begun = *std::min_element(days.begin(), days.end()) * 24;
  return std::clamp(begun, now - (ledger::AnomalyWatch::kWeeks * 7 + 1) * 24, now);
}

int64_t AnomalyDesk::behind(int64_t wall_ms) const {
  return next_hour_ == 0 ? 0 : std::max<int64_t>(wall_ms / kHour - next_hour_, 0);
}

Result<std::vector<ledger::HourSums>> AnomalyDesk::sums_of(int64_t hour) const {
  WEIR_TRY(const std::vector<ledger::Sums> sums, reader_.sums({.since_ms = hour * kHour,
                                                               .until_ms = (hour + 1) * kHour,
                                                               .by = ledger::SumBy::key,
                                                               .then_by = ledger::SumBy::model,
                                                               .limit = kSumsMax}));
  std::vector<ledger::HourSums> list;
  list.reserve(sums.size());
  for (const ledger::Sums& one : sums) {
    list.push_back({.key_id = one.group,
                    .model = one.then_group,
                    .cost = one.cost,
                    .tokens = one.input_tokens + one.output_tokens,
                    .requests = one.requests,
                    .errors = one.errors});
  }
  return list;
}

Result<std::vector<ledger::Anomaly>> AnomalyDesk::turn(
    int64_t wall_ms, bool deliver, const std::function<std::string(std::string_view)>& key_name) {
  std::vector<ledger::Anomaly> told;
  if (!rules_.enabled) return told;
  const auto look = [&](int64_t hour, const std::vector<ledger::HourSums>& sums) -> Result<void> {
    for (ledger::Anomaly& one : watch_.look(hour, sums, std::min(wall_ms, (hour + 1) * kHour))) {
      WEIR_TRY(const bool is_new, book_.tell(one, key_name(one.key_id), wall_ms, deliver));
      if (is_new) told.push_back(std::move(one));
    }
    return {};
  };
  const int64_t now = wall_ms / kHour;
  if (next_hour_ == 0) next_hour_ = first_hour(wall_ms);
  for (int i = 0; i < kHoursATurn && next_hour_ < now; ++i) {
    WEIR_TRY(const auto sums, sums_of(next_hour_));
    // The last minutes of an hour that was being watched.
    if (looked_ms_ / kHour == next_hour_) WEIR_CHECK_OK(look(next_hour_, sums));
    watch_.learn(next_hour_++, sums);
  }
  if (next_hour_ < now || wall_ms - looked_ms_ < kLookEveryMs) return told;
  looked_ms_ = wall_ms;
  WEIR_TRY(const auto sums, sums_of(now));
  WEIR_CHECK_OK(look(now, sums));
  return told;
}

}  // namespace weir::app
