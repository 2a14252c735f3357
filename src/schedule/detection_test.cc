// What is found, how fast, and what is left alone. Seeds are fixed, so each figure is exact for
// this build; the bounds are those of the specification, less the two seconds of watermark that a
// fleet adds.
#include <gtest/gtest.h>

#include <algorithm>

#include "schedule/test_fleet.h"

namespace weir::schedule {
namespace {

constexpr uint32_t kWarm = 120;  // seconds of quiet before a fault, to learn baselines

struct FaultCase {
  const char* name;
  uint32_t per_group;
  uint32_t bad;  // endpoints 0 .. bad-1
  double rate;
  double errors;
  double slower;
  uint32_t within;  // seconds, median over the bad ones and seeds
  uint8_t utilization = 40;
};

void PrintTo(const FaultCase& c, std::ostream* out) {
  *out << c.name;
}

class FindsFault : public testing::TestWithParam<FaultCase> {};

TEST_P(FindsFault, InTimeAndNobodyElse) {
  const FaultCase& c = GetParam();
  std::vector<uint32_t> delays;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    FleetShape shape{.per_group = c.per_group, .seed = seed};
    shape.behavior.rate = c.rate;
    shape.behavior.utilization = c.utilization;
    Fleet fleet(shape);
    fleet.run(kWarm);
    ASSERT_EQ(fleet.scheduler.counters().cuts, 0u);
    for (uint32_t e = 0; e < c.bad; ++e) {
      if (c.errors > 0) fleet.behaviors[e].errors = c.errors;
      fleet.behaviors[e].ms *= c.slower;
    }
    std::vector<uint32_t> first(c.bad, c.within * 4);
    uint32_t t = 0;
    fleet.run(c.within * 4, [&](uint32_t) {
      ++t;
      for (uint32_t e = 0; e < c.bad; ++e)
        if (fleet.weight(e) < kWeightUnit) first[e] = std::min(first[e], t);
    });
    for (uint32_t e = c.bad; e < c.per_group; ++e)
      ASSERT_EQ(fleet.weight(e), kWeightUnit) << "healthy endpoint " << e << ", seed " << seed;
    delays.insert(delays.end(), first.begin(), first.end());
  }
  std::sort(delays.begin(), delays.end());
  EXPECT_LE(delays[delays.size() / 2], c.within);
  // At least 95 of 100 are found at all.
  EXPECT_LT(delays[delays.size() * 95 / 100], c.within * 4);
}

INSTANTIATE_TEST_SUITE_P(Faults, FindsFault,
                         testing::Values(FaultCase{"half_fail", 20, 2, 10, 0.5, 1, 3},
                                         FaultCase{"all_fail", 20, 2, 10, 1, 1, 1},
                                         FaultCase{"fifth_fail", 20, 2, 10, 0.2, 1, 8},
                                         FaultCase{"twentieth_fail", 20, 2, 10, 0.05, 1, 40},
                                         FaultCase{"one_of_two", 2, 1, 10, 0.5, 1, 4},
                                         FaultCase{"one_of_three", 3, 1, 10, 0.5, 1, 4},
                                         FaultCase{"one_of_ten", 10, 1, 10, 0.5, 1, 3},
                                         FaultCase{"four_of_ten", 10, 4, 10, 0.5, 1, 4, 20},
                                         FaultCase{"forty_of_hundred", 100, 40, 10, 0.5, 1, 4, 20},
                                         FaultCase{"slow_5x", 50, 2, 10, 0, 5, 7},
                                         FaultCase{"slow_2x", 50, 2, 10, 0, 2, 16},
                                         FaultCase{"slow_2x_one_of_ten", 10, 1, 10, 0, 2, 20},
                                         FaultCase{"slow_2x_fifth", 50, 10, 10, 0, 2, 20},
                                         FaultCase{"rare_requests", 20, 1, 0.5, 1, 1, 25}),
                         [](const auto& info) { return info.param.name; });

// The algebra: k equal outliers of n lie sqrt((n-k)/k) deviations away, so three sigma sees none of
// 40 of 100, and none of one in nine.
TEST(Sigma3, IsBlindWhereTheSequentialTestIsNot) {
  struct Case {
    uint32_t per_group;
    uint32_t bad;
    bool sigma_sees;
  };
  for (const Case& c : {Case{100, 40, false}, Case{9, 1, false}, Case{50, 2, true}}) {
    FleetShape shape{.per_group = c.per_group};
    shape.behavior.utilization = 20;
    Fleet fleet(shape);
    fleet.run(kWarm);
    for (uint32_t e = 0; e < c.bad; ++e) fleet.behaviors[e].errors = 0.5;
    uint32_t by_sigma = 0;
    fleet.run(30, [&](uint32_t) {
      uint32_t now = 0;
      for (uint32_t e = 0; e < c.bad; ++e)
        if (fleet.scheduler.verdict(e)->counterfactual & 1U << unsigned(Detector::sigma3)) ++now;
      by_sigma = std::max(by_sigma, now);
    });
    EXPECT_EQ(by_sigma > 0, c.sigma_sees) << c.bad << " of " << c.per_group;
    uint32_t found = 0;
    for (uint32_t e = 0; e < c.bad; ++e) found += fleet.weight(e) < kWeightUnit ? 1 : 0;
    EXPECT_GE(found * 100, c.bad * 95);
  }
}

TEST(Detection, LeavesAHealthyFleetAlone) {
  // 2,000 endpoints, half an hour of seconds with a drift and a burst that all of them share.
  FleetShape shape{.groups = 10, .per_group = 40};
  shape.behavior.rate = 5;
  Fleet fleet(shape);
  for (uint32_t minute = 0; minute < 10; ++minute) {
    const double tide = 1 + 0.5 * minute / 10;
    for (auto& b : fleet.behaviors) {
      b.ms = 20 * tide * (minute == 5 ? 4 : 1);
      b.errors = minute == 7 ? 0.01 : 0.001;
    }
    fleet.run(60);
  }
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  EXPECT_EQ(fleet.scheduler.counters().group_cuts, 0u);
}

TEST(Detection, AStormOfASharedDependencyCutsNobody) {
  for (const uint32_t groups : {1U, 3U}) {
    FleetShape shape{.groups = groups, .per_group = 30};
    Fleet fleet(shape);
    fleet.run(kWarm);
    for (auto& b : fleet.behaviors) b.errors = 0.3;
    fleet.run(60);
    EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
    EXPECT_EQ(fleet.scheduler.counters().group_cuts, 0u);
    EXPECT_EQ(fleet.scheduler.counters().weights_changed, groups * 30u);  // their first ones
  }
}

TEST(Detection, TwoKindsOfMachinesInOneGroupAreNotOutliers) {
  FleetShape shape{.per_group = 50};
  Fleet fleet(shape);
  for (uint32_t e = 0; e < 50; e += 2) fleet.behaviors[e].ms *= 1.4;
  fleet.run(300);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  fleet.behaviors[7].ms *= 2.5;
  EXPECT_LE(fleet.seconds_to_cut(7, 60), 20u);
}

TEST(Detection, ALostZoneIsOneVerdict) {
  FleetShape shape{.groups = 3, .per_group = 10, .follow_weights = true};
  shape.behavior.utilization = 50;
  Fleet fleet(shape);
  fleet.run(kWarm);
  for (uint32_t e = 0; e < 10; ++e) fleet.behaviors[e].errors = 1;
  fleet.run(4);
  for (uint32_t e = 0; e < 10; ++e) EXPECT_LE(fleet.weight(e), 100) << e;
  for (uint32_t e = 10; e < 30; ++e) EXPECT_EQ(fleet.weight(e), kWeightUnit);
  EXPECT_EQ(fleet.scheduler.counters().group_cuts, 1u);
  const auto records = fleet.scheduler.journal().since(30);
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records[0].level, Level::zone);
  // And it comes back by evidence.
  for (uint32_t e = 0; e < 10; ++e) fleet.behaviors[e].errors = 0.001;
  fleet.run(120);
  for (uint32_t e = 0; e < 30; ++e) EXPECT_EQ(fleet.weight(e), kWeightUnit) << e;
}

TEST(Detection, AHostTakesItsEndpointsWithIt) {
  FleetShape shape{.per_group = 40, .hosts_of = 4};
  shape.behavior.utilization = 30;
  shape.behavior.rate = 20;
  Fleet fleet(shape);
  fleet.run(kWarm);
  // Three of the four endpoints of host 2 fail; the fourth has hardly any traffic to show it.
  for (uint32_t e = 8; e < 11; ++e) fleet.behaviors[e].errors = 0.6;
  fleet.run(15);
  for (uint32_t e = 8; e < 12; ++e) EXPECT_LT(fleet.weight(e), kWeightUnit) << e;
  for (uint32_t e = 12; e < 40; ++e) EXPECT_EQ(fleet.weight(e), kWeightUnit) << e;
}

TEST(Detection, RequestsThatNeverReturnAreFound) {
  Fleet fleet({.per_group = 10});
  fleet.run(kWarm);
  fleet.behaviors[3].hangs = true;
  EXPECT_LE(fleet.seconds_to_cut(3, 20), 4u);
}

TEST(Detection, RefusalsAreCapacityAndNotHealth) {
  Fleet fleet({.per_group = 10, .follow_weights = true});
  fleet.run(kWarm);
  fleet.behaviors[3].throttled = 10;
  fleet.run(10);
  EXPECT_LT(fleet.weight(3), 500);
  EXPECT_EQ(fleet.scheduler.verdict(3)->phase, Phase::steady);
  EXPECT_EQ(fleet.scheduler.verdict(3)->health, 1);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  fleet.behaviors[3].throttled = 0;
  fleet.run(90);
  EXPECT_EQ(fleet.weight(3), kWeightUnit);
}

TEST(Detection, ABudgetIsSpreadBeforeItIsSpent) {
  Fleet fleet({.per_group = 4});
  fleet.run(kWarm);
  uint32_t left = 6000;
  fleet.meddle = [&](Sample& s) {
    if (s.endpoint != 1) return true;
    left -= 200;  // it would be empty 15 seconds from now, and whole again only in 60
    s.budget = static_cast<uint16_t>(left);
    s.budget_reset_ms = 60'000;
    return true;
  };
  fleet.run(15);
  EXPECT_LT(fleet.weight(1), 400);
  EXPECT_EQ(fleet.weight(0), kWeightUnit);
}

TEST(Detection, UtilizationIsBalanced) {
  Fleet fleet({.per_group = 10});
  for (auto& b : fleet.behaviors) b.utilization = 50;
  fleet.behaviors[4].utilization = 90;
  fleet.run(200);
  EXPECT_LT(fleet.weight(4), 500);
  for (const uint32_t e : {0U, 1U, 9U}) EXPECT_EQ(fleet.weight(e), kWeightUnit);
}

// The first seconds of a few endpoints among many are faster than usual by luck alone.
TEST(Detection, AYoungBaselineIsNotTrusted) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    FleetShape shape{.per_group = 50, .seed = seed};
    shape.behavior.rate = 2;
    Fleet fleet(shape);
    for (uint32_t e = 0; e < 10; ++e) fleet.behaviors[e].ms /= 1.7;
    fleet.run(12);
    for (uint32_t e = 0; e < 10; ++e) fleet.behaviors[e].ms *= 1.7;
    fleet.run(200);
    EXPECT_EQ(fleet.scheduler.counters().cuts, 0u) << seed;
  }
}

TEST(Detection, TheClassicRulesActWhereChosen) {
  FleetShape shape{.per_group = 20};
  shape.service.detector = Detector::consecutive_errors;
  Fleet fleet(shape);
  fleet.run(20);
  fleet.behaviors[2].errors = 0.4;  // hardly ever a whole second of nothing else
  fleet.run(20);
  EXPECT_EQ(fleet.weight(2), kWeightUnit);
  fleet.behaviors[2].errors = 1;
  fleet.run(15);
  EXPECT_LT(fleet.weight(2), kWeightUnit);
}

TEST(Detection, ADryRunTellsAndDoesNothing) {
  FleetShape shape{.per_group = 10};
  shape.service.dry_run = true;
  Fleet fleet(shape);
  fleet.run(kWarm);
  const uint64_t version = fleet.scheduler.table(0).version();
  const uint64_t before = fleet.scheduler.journal().written();
  fleet.behaviors[5].errors = 1;
  fleet.run(10);
  EXPECT_EQ(fleet.weight(5), kWeightUnit);
  EXPECT_EQ(fleet.scheduler.table(0).version(), version);
  const auto records = fleet.scheduler.journal().since(before);
  ASSERT_FALSE(records.empty());
  EXPECT_TRUE(records[0].dry_run);
  EXPECT_EQ(records[0].endpoint, 5u);
  EXPECT_LT(records[0].new_weight, records[0].old_weight);
}

}  // namespace
}  // namespace weir::schedule
