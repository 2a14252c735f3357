#include "ledger/anomaly.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ledger/test_anomaly.h"

namespace weir::ledger {
namespace {

using namespace anomaly_test;

HourSums hour_of(const std::string& key, double dollars, int64_t requests = 10,
                 int64_t errors = 0) {
  return {.key_id = key,
          .model = "m",
          .cost = Money::from_nano(std::llround(dollars * 1e9)),
          .tokens = std::llround(dollars * 100'000),
          .requests = requests,
          .errors = errors};
}

std::string kind_of(const std::vector<Anomaly>& found) {
  std::string kinds;
  for (const Anomaly& one : found) kinds += std::string(to_string(one.kind)) + " ";
  return kinds;
}

TEST(AnomalyWatch, PenniesPageNobody) {
  AnomalyWatch watch;
  for (int64_t hour = kStart; hour < kStart + 400; ++hour) {
    const double dollars = hour == kStart + 399 ? 1 : 0.001;  // a thousand times
    EXPECT_EQ(kind_of(play(watch, hour, {hour_of("k", dollars)})), "");
  }
}

TEST(AnomalyWatch, TheHourUnderWayIsToldOnceAndAgainWhenItWasUsualBetween) {
  AnomalyWatch watch;
  int64_t hour = kStart;
  for (; hour < kStart + 30; ++hour) {
    ASSERT_EQ(kind_of(play(watch, hour, {hour_of("k", 3)})), "");
  }
  EXPECT_EQ(kind_of(watch.look(hour, {{hour_of("k", 5)}}, hour * kHour + 600'000)), "");
  const auto told = watch.look(hour, {{hour_of("k", 40)}}, hour * kHour + 900'000);
  ASSERT_EQ(kind_of(told), "spend ");
  EXPECT_EQ(sentence_of(told[0], "search"),
            "The key \"search\" has spent 40.00 USD on m since 18:00 UTC; 3.00 USD are usual for a "
            "whole hour at that time.");
  EXPECT_EQ(kind_of(play(watch, hour, {hour_of("k", 60)})), "") << "told already";
  EXPECT_EQ(kind_of(play(watch, ++hour, {hour_of("k", 60)})), "") << "it goes on";
  EXPECT_EQ(kind_of(play(watch, ++hour, {hour_of("k", 3)})), "");
  EXPECT_EQ(kind_of(play(watch, ++hour, {hour_of("k", 60)})), "spend ");
}

TEST(AnomalyWatch, WhatIsNewIsToldWhenItIsWorthIt) {
  AnomalyWatch watch;
  const auto take = [&](int64_t at, const std::string& key, const std::string& model,
                        double dollars) {
    HourSums sums = hour_of(key, dollars);
    sums.model = model;
    return kind_of(play(watch, kStart + at, {sums}));
  };
  EXPECT_EQ(take(0, "old", "m", 50), "") << "everything is new in the first day";
  for (int64_t at = 1; at < 60; ++at) EXPECT_EQ(take(at, "old", "m", 50), "");
  EXPECT_EQ(take(60, "fresh", "m", 1), "") << "below the floor";
  EXPECT_EQ(take(61, "fresh", "m", 6), "new_key ");
  EXPECT_EQ(take(62, "fresh", "m", 7), "") << "told once";
  EXPECT_EQ(take(63, "old", "other", 9), "new_model ");
}

TEST(AnomalyWatch, TokensAndRequestsAreWatchedWhereMoneySaysNothing) {
  AnomalyWatch watch;
  HourSums usual{.key_id = "k", .model = "m", .cost = {}, .tokens = 100'000, .requests = 50};
  int64_t hour = kStart;
  for (; hour < kStart + 40; ++hour) ASSERT_EQ(kind_of(play(watch, hour, {usual})), "");
  HourSums much = usual;
  much.tokens = 900'000;
  EXPECT_EQ(kind_of(play(watch, hour++, {much})), "") << "below a million without a price";
  much.tokens = 2'000'000;
  EXPECT_EQ(kind_of(play(watch, hour++, {much})), "tokens ");
}

TEST(AnomalyWatch, ALoopIsMuchMoreThanUsualAndFails) {
  struct {
    const char* name;
    int64_t requests;
    int64_t errors;
    const char* told;
  } const cases[] = {{"many that work", 2'000, 10, ""},
                     {"usual ones that fail, as in an outage", 20, 20, ""},
                     {"few that fail", 50, 50, ""},
                     {"a loop", 300, 290, "loop "}};
  for (const auto& c : cases) {
    AnomalyWatch watch;
    int64_t hour = kStart;
    for (; hour < kStart + 40; ++hour) play(watch, hour, {hour_of("k", 0.01, 100)});
    EXPECT_EQ(kind_of(watch.look(hour, {{hour_of("k", 0.01, 8, 1)}}, hour * kHour + 300'000)), "");
    const std::vector<HourSums> sums{hour_of("k", 0.01, 8 + c.requests, 1 + c.errors)};
    EXPECT_EQ(kind_of(watch.look(hour, sums, hour * kHour + 600'000)), c.told) << c.name;
    EXPECT_EQ(kind_of(watch.look(hour, sums, hour * kHour + 900'000)), "") << "nothing came";
  }
}

TEST(AnomalyWatch, HoldsNoMoreThanItsLimits) {
  AnomalyWatch watch;
  std::vector<HourSums> sums;
  for (size_t i = 0; i < AnomalyWatch::kSeriesMax + 10; ++i) {
    sums.push_back(hour_of("k" + std::to_string(i), 1));
  }
  watch.learn(kStart, sums);
  EXPECT_EQ(watch.series(), AnomalyWatch::kSeriesMax);
  EXPECT_EQ(watch.unwatched(), 10u);
  // What is not used for seven weeks is forgotten.
  watch.learn(kStart + 8 * kWeek, {});
  EXPECT_EQ(watch.series(), 0u);
}

// The figures of docs/keys-and-limits.md come from the same code, with more keys (ledger_bench).
TEST(AnomalyFigures, MostOfWhatIsToldIsRightAndMostIsTold) {
  for (const Service service : kServices) {
    const Score score = measure(3, 5, SyntheticHours(service));
    // Nobody can tell a large job of a heavy tail from an anomaly.
    const bool tail = service == Service::irregular;
    EXPECT_GE(score.precision(), tail ? 0.5 : 0.9)
        << name_of(service) << ": " << score.right << " of " << score.told;
    EXPECT_GE(score.recall(), tail ? 0.5 : 0.6)
        << name_of(service) << ": " << score.found << " of " << score.injected;
    EXPECT_GE(score.injected, 4) << name_of(service);
  }
}

}  // namespace
}  // namespace weir::ledger
