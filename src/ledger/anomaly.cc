#include "ledger/anomaly.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/date.h"

namespace weir::ledger {

namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDayHours = 24;
constexpr int64_t kWeekHours = 7 * kDayHours;
constexpr int64_t kDaysBack = 14;
// Before a day has been seen every key is new.
constexpr int64_t kLearnHours = kDayHours;
constexpr size_t kSamplesLeast = 5;
// So many hours of that size at that time of day in two weeks are no news.
constexpr int kSeldom = 3;
// One deviation of a normal distribution is so many median absolute deviations.
constexpr double kNormal = 1.4826;
constexpr int64_t kLoopWindowMs = 600'000;

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string clock_text(int64_t wall_ms) {
  return rfc3339(wall_ms).substr(11, 5) + " UTC";
}

}  // namespace

std::string_view to_string(AnomalyKind kind) {
  constexpr std::string_view kNames[kAnomalyKinds] = {"spend", "tokens",  "requests",
                                                      "loop",  "new_key", "new_model"};
  return kNames[static_cast<size_t>(kind)];
}

std::string sentence_of(const Anomaly& anomaly, std::string_view key) {
  const std::string since = clock_text(anomaly.since_ms);
  const std::string spent =
      Money::from_nano(anomaly.spent.nano() / 10'000'000 * 10'000'000).to_usd();
  switch (anomaly.kind) {
    case AnomalyKind::spend:
      return fmt::format(
          "The key \"{}\" has spent {} USD on {} since {}; {:.2f} USD are usual for a whole hour "
          "at "
          "that time.",
          key, spent, anomaly.model, since, static_cast<double>(anomaly.usual) / 1e9);
    case AnomalyKind::tokens:
    case AnomalyKind::requests:
      return fmt::format(
          "The key \"{}\" has used {} {} of {} since {} ({} USD); {} are usual for a whole hour at "
          "that time.",
          key, anomaly.found, to_string(anomaly.kind), anomaly.model, since, spent, anomaly.usual);
    case AnomalyKind::loop:
      return fmt::format(
          "The key \"{}\" has sent {} requests for {} since {}, and {} of them failed; {} an hour "
          "are usual. It may be a retry loop.",
          key, anomaly.requests, anomaly.model, since, anomaly.errors, anomaly.usual);
    case AnomalyKind::new_key:
      return fmt::format("The key \"{}\" is new and has spent {} USD on {} since {}.", key, spent,
                         anomaly.model, since);
    case AnomalyKind::new_model:
      return fmt::format(
          "The key \"{}\" has spent {} USD on {} since {}, a model that it had not used before.",
          key, spent, anomaly.model, since);
  }
  return {};
}

double AnomalyWatch::value_at(const Series& series, int64_t hour, Measure measure) {
  const auto at =
      std::lower_bound(series.points.begin(), series.points.end(), hour,
                       [](const Point& point, int64_t wanted) { return point.hour < wanted; });
  if (at == series.points.end() || at->hour != hour) return 0;
  return static_cast<double>(at->values[measure]);
}

// The largest of an hour and its neighbours.
double AnomalyWatch::near(const Series& series, int64_t hour, Measure measure) {
  return std::max({value_at(series, hour - 1, measure), value_at(series, hour, measure),
                   value_at(series, hour + 1, measure)});
}

AnomalyWatch::Usual AnomalyWatch::usual(const Series& series, int64_t hour, Measure measure) {
  std::vector<double> values;
  const auto sample = [&](int64_t step, int64_t count) {
    values.clear();
    for (int64_t back = 1; back <= count; ++back) {
      const int64_t at = hour - back * step;
      if (at < series.first_hour) break;
      values.push_back(near(series, at, measure));
    }
    return values.size() >= kSamplesLeast;
  };
  Usual usual;
  usual.known = sample(kWeekHours, kWeeks) || sample(kDayHours, kDaysBack) || sample(1, kDayHours);
  if (!usual.known) return usual;
  usual.median = median_of(values);
  for (double& value : values) value = std::abs(value - usual.median);
  // Six weeks are six numbers, whose deviation may be small by chance: a third of the median is
  // taken as usual in any case.
  usual.deviation = std::max(kNormal * median_of(values), usual.median / 3);
  return usual;
}

bool AnomalyWatch::is_seldom(const Series& series, int64_t hour, Measure measure, double value,
                             double median) {
  int seen = 0;
  // Jobs that come at any time: what they use counts, not when.
  if (median == 0) {
    for (auto at = series.points.rbegin(); at != series.points.rend(); ++at) {
      if (at->hour < hour - kDaysBack * kDayHours) break;
      if (static_cast<double>(at->values[measure]) >= value / 2 && ++seen >= kSeldom) return false;
    }
    return true;
  }
  for (int64_t day = 1; day <= kDaysBack; ++day) {
    for (int64_t at = hour - day * kDayHours - 1; at <= hour - day * kDayHours + 1; ++at) {
      if (value_at(series, at, measure) >= 0.8 * value && ++seen >= kSeldom) return false;
    }
  }
  return true;
}

bool AnomalyWatch::is_dear(const HourSums& sums) const {
  if (sums.cost > Money{}) return sums.cost >= rules_.floor;
  return sums.tokens >= kTokensFloor;
}

bool AnomalyWatch::find_spike(const Series& series, int64_t hour, const HourSums& sums,
                              Anomaly& anomaly) const {
  if (!is_dear(sums)) return false;
  constexpr AnomalyKind kKinds[kMeasures] = {AnomalyKind::spend, AnomalyKind::tokens,
                                             AnomalyKind::requests};
  const double values[kMeasures] = {static_cast<double>(sums.cost.nano()) / 1e9,
                                    static_cast<double>(sums.tokens),
                                    static_cast<double>(sums.requests)};
  for (const Measure measure : {kSpend, kTokens, kRequests}) {
    const double value = values[measure];
    const Usual as = usual(series, hour, measure);
    if (!as.known || value - as.median <= kScore * as.deviation) continue;
    if (measure == kSpend && value - as.median < static_cast<double>(rules_.floor.nano()) / 1e9) {
      continue;
    }
    if (!is_seldom(series, hour, measure, value, as.median)) continue;
    const double unit = measure == kSpend ? 1e9 : 1;
    anomaly.kind = kKinds[measure];
    anomaly.found = std::llround(value * unit);
    anomaly.usual = std::llround(as.median * unit);
    return true;
  }
  return false;
}

// What came since the last look at the same hour, as a rate.
bool AnomalyWatch::find_loop(Series& series, int64_t hour, const HourSums& sums, int64_t now_ms,
                             Anomaly& anomaly) const {
  const bool same = series.look_hour == hour;
  const int64_t from_ms = same ? series.look_ms : hour * kHour;
  const int64_t requests = sums.requests - (same ? series.look_requests : 0);
  const int64_t errors = sums.errors - (same ? series.look_errors : 0);
  const int64_t span_ms = std::max<int64_t>(now_ms - from_ms, 60'000);
  series.look_hour = hour;
  series.look_ms = now_ms;
  series.look_requests = sums.requests;
  series.look_errors = sums.errors;
  // In a window that is shorter than ten minutes the whole number must have come already.
  const int64_t least =
      std::max(rules_.loop_requests, rules_.loop_requests * span_ms / kLoopWindowMs);
  const bool fails = requests >= least && 2 * errors >= requests;
  const Usual as = usual(series, hour, kRequests);
  const double an_hour = static_cast<double>(requests) * kHour / static_cast<double>(span_ms);
  // A provider's outage makes usual traffic fail: that is no loop.
  const bool loops = fails && an_hour >= 2 * as.median;
  const bool news = loops && !series.looping;
  series.looping = loops;
  if (!news) return false;
  anomaly.kind = AnomalyKind::loop;
  anomaly.since_ms = from_ms;
  anomaly.found = anomaly.requests = requests;
  anomaly.errors = errors;
  anomaly.usual = std::llround(as.median);
  return true;
}

bool AnomalyWatch::find(const Series* series, int64_t hour, const HourSums& sums,
                        Anomaly& anomaly) const {
  const auto key = keys_.find(sums.key_id);
  // What is new is told in the hour in which it is worth it, within its first day.
  const bool key_is_new = key == keys_.end() || hour - key->second < kDayHours;
  const bool model_is_new =
      series == nullptr || series->points.empty() || hour - series->first_hour < kDayHours;
  if (!model_is_new) return find_spike(*series, hour, sums, anomaly);
  if (!is_dear(sums) || first_hour_ == 0 || hour - first_hour_ < kLearnHours) return false;
  anomaly.kind = key_is_new ? AnomalyKind::new_key : AnomalyKind::new_model;
  anomaly.found = sums.cost.nano();
  return true;
}

AnomalyWatch::Series* AnomalyWatch::series_of(const HourSums& sums, int64_t hour) {
  const Name name{sums.key_id, sums.model};
  const auto known = series_.find(name);
  if (known != series_.end()) return &known->second;
  if (series_.size() >= kSeriesMax || points_ >= kPointsMax) {
    ++unwatched_;
    return nullptr;
  }
  Series& made = series_[name];
  made.first_hour = hour;
  return &made;
}

std::vector<Anomaly> AnomalyWatch::look(int64_t hour, std::span<const HourSums> sums,
                                        int64_t now_ms) {
  std::vector<Anomaly> found;
  for (const HourSums& one : sums) {
    Series* series = series_of(one, hour);
    if (series == nullptr) continue;
    Anomaly anomaly{.key_id = one.key_id,
                    .model = one.model,
                    .since_ms = hour * kHour,
                    .spent = one.cost,
                    .requests = one.requests,
                    .errors = one.errors};
    if (!series->told && find(series, hour, one, anomaly)) {
      series->told = true;
      found.push_back(anomaly);
    }
    if (find_loop(*series, hour, one, now_ms, anomaly)) found.push_back(anomaly);
  }
  return found;
}

void AnomalyWatch::learn(int64_t hour, std::span<const HourSums> sums) {
  if (first_hour_ == 0) first_hour_ = hour;
  const int64_t oldest = hour - kWeeks * kWeekHours - kDayHours;
  for (const HourSums& one : sums) {
    Series* series = series_of(one, hour);
    if (series == nullptr) continue;
    Anomaly ignored;
    series->told = find(series, hour, one, ignored);
    keys_.emplace(one.key_id, hour);
    if (points_ >= kPointsMax) {
      ++unwatched_;
      continue;
    }
    series->points.push_back({static_cast<int32_t>(hour),
                              {static_cast<float>(static_cast<double>(one.cost.nano()) / 1e9),
                               static_cast<float>(one.tokens), static_cast<float>(one.requests)}});
    ++points_;
  }
  for (auto at = series_.begin(); at != series_.end();) {
    Series& series = at->second;
    auto& points = series.points;
    if (!points.empty() && points.back().hour < hour) series.told = series.looping = false;
    const auto kept = std::find_if(points.begin(), points.end(),
                                   [oldest](const Point& point) { return point.hour >= oldest; });
    points_ -= static_cast<size_t>(kept - points.begin());
    points.erase(points.begin(), kept);
    series.first_hour = std::max(series.first_hour, oldest);
    at = points.empty() && series.first_hour < hour ? series_.erase(at) : std::next(at);
  }
}

}  // namespace weir::ledger
