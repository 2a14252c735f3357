// Precision and recall of the anomaly detector on hours of made and of recorded traffic, with
// anomalies put in. For anomaly_test.cc and anomaly_bench.cc.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "ledger/anomaly.h"

namespace weir::ledger::anomaly_test {

inline constexpr int64_t kHour = 3'600'000;
inline constexpr int64_t kStart = 1'795'348'800'000 / kHour;  // a Sunday, noon
inline constexpr int64_t kWeek = 168;

// Looks at the whole hour and learns it, as the desk does.
inline std::vector<Anomaly> play(AnomalyWatch& watch, int64_t hour,
                                 const std::vector<HourSums>& sums) {
  auto found = watch.look(hour, sums, (hour + 1) * kHour);
  watch.learn(hour, sums);
  return found;
}

struct Score {
  int told = 0;
  int right = 0;
  int injected = 0;
  int found = 0;
  double key_weeks = 0;
  double precision() const { return told == 0 ? 1 : static_cast<double>(right) / told; }
  double recall() const { return injected == 0 ? 1 : static_cast<double>(found) / injected; }
};

// Plays eight weeks; anomalies are put into the last two: once in 150 hours more requests, longer
// prompts or a dearer model add four to fifteen times what the key spends in an hour in which it is
// used, ten dollars at the least. `usual(key, hour)` makes an hour.
template <class Usual>
Score measure(int keys, uint64_t seed, Usual usual) {
  Random random(seed);
  AnomalyWatch watch;
  Score score;
  using At = std::pair<std::string, int64_t>;
  std::set<At> injected;
  std::set<At> told;
  std::vector<std::pair<double, int>> active(static_cast<size_t>(keys));  // dollars, hours
  for (int64_t hour = kStart; hour < kStart + 8 * kWeek; ++hour) {
    const bool testing = hour >= kStart + 6 * kWeek;
    std::vector<HourSums> sums;
    for (int key = 0; key < keys; ++key) {
      HourSums one = usual(key, hour);
      one.key_id = "key-" + std::to_string(key);
      one.model = "m";
      auto& [dollars, hours] = active[static_cast<size_t>(key)];
      const double before = static_cast<double>(one.cost.nano()) / 1e9;
      if (one.requests > 0) {
        dollars += before;
        ++hours;
      }
      if (testing && random.below(150) == 0) {
        const double times = 4 + 11 * random.uniform();
        const double more = std::max(10.0, times * dollars / std::max(hours, 1));
        const double part = more / std::max(before, 0.01);
        one.cost = Money::from_nano(std::llround((before + more) * 1e9));
        const uint32_t how = random.below(3);
        if (how < 2) one.tokens += std::llround(static_cast<double>(one.tokens) * part);
        if (how < 1) one.requests += std::llround(static_cast<double>(one.requests) * part);
        one.requests = std::max<int64_t>(one.requests, 1);
        injected.insert({one.key_id, hour});
      }
      if (one.requests > 0) sums.push_back(std::move(one));
    }
    for (const Anomaly& one : play(watch, hour, sums)) {
      if (testing) told.insert({one.key_id, hour});
    }
  }
  for (const At& at : told) score.right += injected.contains(at) ? 1 : 0;
  for (const At& at : injected) {
    // Of two hours in a row the first is told.
    const bool found = told.contains(at) || told.contains({at.first, at.second - 1});
    score.found += found ? 1 : 0;
  }
  score.told = static_cast<int>(told.size());
  score.injected = static_cast<int>(injected.size());
  score.key_weeks = keys * 2;
  return score;
}

// Services of one kind in several time zones, with a growth of 3 % a week, a holiday, and noise of
// a log-normal distribution with a sigma of 0.35.
enum class Service : uint8_t { office, nightly, irregular, steady };
inline constexpr Service kServices[] = {Service::office, Service::nightly, Service::irregular,
                                        Service::steady};

inline std::string_view name_of(Service service) {
  constexpr std::string_view kNames[] = {"office hours", "nightly jobs that drift",
                                         "jobs at any time, heavy tail", "round the clock"};
  return kNames[static_cast<size_t>(service)];
}

class SyntheticHours {
 public:
  explicit SyntheticHours(Service service) : service_(service) {}

  HourSums operator()(int key, int64_t hour) {
    const int64_t at = hour - kStart;
    const int64_t day = at / 24;
    const int64_t of_day = (at + 3 * (key % 8)) % 24;
    const bool off = day % 7 == 6 || day % 7 == 0 || day == 17;
    double dollars = 0;
    switch (service_) {
      case Service::office:
        dollars = off ? 1 : of_day >= 8 && of_day < 18 ? 30 : 3;
        break;
      case Service::nightly:
        if (of_day == 0) begins_ = random_.below(3);
        dollars = of_day >= 1 + begins_ && of_day < 3 + begins_ ? 60 : 0;
        break;
      case Service::irregular:
        if (!off && of_day >= 7 && of_day < 20 && random_.below(6) == 0) {
          dollars = 4 / std::sqrt(1 - random_.uniform());
        }
        break;
      case Service::steady:
        dollars = 12 + 6 * std::sin(6.2831853 * static_cast<double>(of_day) / 24);
        break;
    }
    if (dollars == 0) return {};
    dollars *= std::pow(1.03, static_cast<double>(at) / kWeek) * noise(0.35);
    HourSums sums;
    sums.cost = Money::from_nano(std::llround(dollars * 1e9));
    sums.tokens = std::llround(dollars * 100'000 * noise(0.1));
    sums.requests = 1 + std::llround(dollars * 40 * noise(0.1));
    return sums;
  }

 private:
  double noise(double sigma) {
    const double radius = std::sqrt(-2 * std::log(1 - random_.uniform()));
    return std::exp(sigma * radius * std::cos(6.2831853 * random_.uniform()));
  }

  Service service_;
  Random random_{20'261'123};
  int64_t begins_ = 0;
};

// Hours drawn from a recorded hour of traffic (columns: time, tokens in, tokens out): sixty of its
// minutes and the sizes of its requests, by the hour of the day and the day of the week. A key is a
// share of the service. Empty where there is no such file.
class RecordedHours {
 public:
  explicit RecordedHours(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    std::string minute;
    while (std::getline(file, line)) {
      const size_t first = line.find(',');
      const size_t second = line.find(',', first + 1);
      if (second == std::string::npos) continue;
      if (line.compare(0, 16, minute) != 0) {
        minute = line.substr(0, 16);
        minutes_.push_back(0);
      }
      ++minutes_.back();
      requests_.emplace_back(std::stoi(line.substr(first + 1, second - first - 1)),
                             std::stoi(line.substr(second + 1)));
    }
  }
  bool empty() const { return requests_.empty(); }

  HourSums operator()(int key, int64_t hour) {
    const int64_t of_day = (hour - kStart + 12) % 24;
    const int64_t day = (hour - kStart + 12) / 24 % 7;
    const double wave = 1.1 - std::cos(6.2831853 * static_cast<double>(of_day - 3) / 24);
    const double share = (day == 0 || day == 6 ? 0.3 : 1.0) * wave * (1 + key) / 50.0;
    double wanted = random_.uniform();
    for (int i = 0; i < 60; ++i) wanted += share * minutes_[drawn(minutes_.size())];
    HourSums sums;
    sums.requests = static_cast<int64_t>(wanted);
    // At most 200 are drawn and stand for the rest.
    const int64_t count = std::min<int64_t>(sums.requests, 200);
    if (count == 0) return sums;
    double in = 0;
    double out = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto& [input, output] = requests_[drawn(requests_.size())];
      in += input;
      out += output;
    }
    const double scale = static_cast<double>(sums.requests) / static_cast<double>(count);
    sums.cost = Money::from_nano(std::llround((in * 2'500 + out * 10'000) * scale));
    sums.tokens = std::llround((in + out) * scale);
    return sums;
  }

 private:
  size_t drawn(size_t size) { return random_.below(static_cast<uint32_t>(size)); }

  std::vector<std::pair<int, int>> requests_;
  std::vector<int> minutes_;
  Random random_{77};
};

}  // namespace weir::ledger::anomaly_test
