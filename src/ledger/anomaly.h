// Anomalies: use that is not as it was. Per key and model an hour is laid beside the same hour of
// earlier weeks (of a younger series: of earlier days; of one younger still: beside the last day):
// their median, and the median absolute deviation as the measure of what is usual, so that a few
// odd hours among them change neither. An hour counts with its two neighbours, so that a job that
// begins a little later is no news. Told are
//
//   spend, tokens, requests   more than kScore usual deviations above the median, three times it,
//                             and seldom seen at that time of day in the last two weeks; where
//                             a series is mostly idle at that time, twice what it does at any
//   loop                      requests far above the usual rate of which half fail
//   new_key                   a key that has never been used before
//   new_model                 a key that has been used before, on a model that it never used
//
// and but for loops nothing below the floor in money, so that pennies page nobody; of hours without
// a price the floor is kTokensFloor. The hour under way is looked at too: what it has used already
// may be too much for a whole one. Each is told once, until an hour is as usual.
//
// Pure: sums of hours in, findings out; control plane. Limits: kSeriesMax pairs of key and model
// and kPointsMax hours of them; those beyond are not watched, and counted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/money.h"

namespace weir::ledger {

enum class AnomalyKind : uint8_t { spend, tokens, requests, loop, new_key, new_model };
inline constexpr size_t kAnomalyKinds = 6;
std::string_view to_string(AnomalyKind kind);

struct Anomaly {
  AnomalyKind kind = AnomalyKind::spend;
  std::string key_id;
  std::string model;
  int64_t since_ms = 0;  // the hour's beginning; of a loop that of what was looked at
  // What was found and what is usual: nano-dollars, tokens or requests, by kind; of what is new
  // nano-dollars, and nothing is usual.
  int64_t found = 0;
  int64_t usual = 0;
  Money spent;  // in the hour
  int64_t requests = 0;
  int64_t errors = 0;
  bool operator==(const Anomaly&) const = default;
};

// "The key "search" has spent 42.00 USD on gpt-4o since 14:00 UTC; 3.20 USD are usual for a whole
// hour at that time." `key` is its name.
std::string sentence_of(const Anomaly& anomaly, std::string_view key);

// What a key used of a model in an hour.
struct HourSums {
  std::string key_id;
  std::string model;
  Money cost;
  int64_t tokens = 0;
  int64_t requests = 0;
  int64_t errors = 0;  // denied ones included
};

struct AnomalyRules {
  Money floor = Money::from_nano(5'000'000'000);  // in an hour
  int64_t loop_requests = 60;                     // in ten minutes
  bool operator==(const AnomalyRules&) const = default;
};

class AnomalyWatch {
 public:
  static constexpr size_t kSeriesMax = 20'000;
  static constexpr size_t kPointsMax = 2'000'000;  // 24 bytes each
  static constexpr int64_t kWeeks = 6;
  static constexpr int64_t kScore = 6;
  static constexpr int64_t kTokensFloor = 1'000'000;

  explicit AnomalyWatch(AnomalyRules rules = {}) : rules_(rules) {}
  void set_rules(const AnomalyRules& rules) { rules_ = rules; }

  // What the hour has used by `now_ms`; it has not been learned yet.
  std::vector<Anomaly> look(int64_t hour, std::span<const HourSums> sums, int64_t now_ms);
  // An hour that has ended, in ascending order; hours without any use may be left out.
  void learn(int64_t hour, std::span<const HourSums> sums);

  size_t series() const { return series_.size(); }
  uint64_t unwatched() const { return unwatched_; }

 private:
  enum Measure : uint8_t { kSpend, kTokens, kRequests, kMeasures };
  struct Point {
    int32_t hour = 0;
    // Dollars, tokens, requests: of a median seven digits are enough.
    std::array<float, kMeasures> values{};
  };
  struct Series {
    int64_t first_hour = 0;
    std::vector<Point> points;  // ascending, no hour without use
    bool told = false;
    bool looping = false;
    // At the last look, of the hour that was looked at then.
    int64_t look_hour = 0;
    int64_t look_ms = 0;
    int64_t look_requests = 0;
    int64_t look_errors = 0;
  };
  struct Usual {
    bool known = false;
    double median = 0;
    double deviation = 0;
  };
  using Name = std::pair<std::string, std::string>;

  static double value_at(const Series& series, int64_t hour, Measure measure);
  static double near(const Series& series, int64_t hour, Measure measure);
  static Usual usual(const Series& series, int64_t hour, Measure measure);
  static bool is_seldom(const Series& series, int64_t hour, Measure measure, double value,
                        double median);
  bool is_dear(const HourSums& sums) const;
  bool find_spike(const Series& series, int64_t hour, const HourSums& sums, Anomaly& anomaly) const;
  bool find_loop(Series& series, int64_t hour, const HourSums& sums, int64_t now_ms,
                 Anomaly& anomaly) const;
  // What there is to tell of the hour, new or too much; false: nothing.
  bool find(const Series* series, int64_t hour, const HourSums& sums, Anomaly& anomaly) const;
  Series* series_of(const HourSums& sums, int64_t hour);

  AnomalyRules rules_;
  std::map<Name, Series> series_;
  std::map<std::string, int64_t> keys_;  // the first hour of each
  int64_t first_hour_ = 0;
  size_t points_ = 0;
  uint64_t unwatched_ = 0;
};

}  // namespace weir::ledger
