// How what was cut comes back: the evidence that a step asks for, little traffic, calls made only
// to see, capacity.
#include <gtest/gtest.h>

#include <cmath>

#include "schedule/local_view.h"
#include "schedule/test_fleet.h"

namespace weir::schedule {
namespace {

TEST(Course, TheShareTimesTheChanceOfBeingSickDoesNotRise) {
  const Policy policy;
  for (const uint8_t relapses : {uint8_t{0}, uint8_t{2}}) {
    Course course;
    course.relapses = relapses;
    course.cut({.cause = Cause::gross, .severity = 4, .bad_rate = 0.9F, .rate = 100}, 10, 0,
               policy);
    const float floor = course.health;
    EXPECT_LE(floor, policy.floor_most);
    float nats = 0;
    float first = 0;
    uint32_t now = course.hold_until;
    while (course.phase != Phase::steady && now < 10'000) {
      nats += 0.1F;
      if (course.recover(0.1F, true, ++now, policy) && first == 0) first = nats;
      // What has been earned since the first step, times one more than the relapses.
      if (first > 0) {
        EXPECT_LE(
            std::log(course.health / floor),
            (nats - first) / static_cast<float>(1 + relapses) + std::log(0.05F / floor) + 0.2F);
      }
    }
    EXPECT_NEAR(first, policy.recovery_evidence, 0.2F);
    EXPECT_EQ(course.health, 1);
  }
}

TEST(Course, NothingSpeaksForItBeforeTheHoldIsOver) {
  const Policy policy;
  Course course;
  course.cut({.cause = Cause::errors, .bad_rate = 0.5F, .rate = 10}, 100, 0, policy);
  EXPECT_FALSE(course.recover(100, true, 101, policy));
  EXPECT_FALSE(course.recover(0, true, course.hold_until, policy)) << "it was not put by";
  EXPECT_TRUE(course.recover(100, true, course.hold_until, policy));
  const float health = course.health;
  EXPECT_FALSE(course.recover(100, true, course.hold_until - 1, policy)) << "sent before the step";
  EXPECT_EQ(course.health, health);
}

TEST(Course, WhatWasDeadKeepsTheFloorOfTheDead) {
  const Policy policy;
  Course course;
  course.cut({.cause = Cause::gross, .bad_rate = 1, .rate = 20}, 100, 0, policy);
  const float floor = course.health;
  course.cut({.cause = Cause::errors, .bad_rate = 0.5F, .rate = 20}, 101, 0, policy);
  EXPECT_EQ(course.health, floor) << "more evidence must not bring more traffic";
}

TEST(LowTraffic, ComesBackInTimeAndStaysDownWhileItIsSick) {
  for (const double errors : {0.5, 1.0}) {
    Fleet fleet({.per_group = 5, .behavior = {.rate = 2}, .follow_weights = true});
    fleet.run(120);
    fleet.behaviors[2].errors = errors;
    fleet.run(60);
    EXPECT_LE(fleet.weight(2), 250) << errors;
    int full = 0;
    fleet.run(400, [&](uint32_t) { full += fleet.weight(2) >= 541 ? 1 : 0; });
    EXPECT_LE(full, 20) << errors;
    fleet.behaviors[2].errors = 0;
    uint32_t took = 0;
    while (fleet.weight(2) < 500 && took < 1'000) {
      fleet.run(1);
      ++took;
    }
    EXPECT_LT(took, 400) << errors;
    EXPECT_EQ(fleet.scheduler.counters().group_cuts, 0U);
  }
}

// An endpoint of which no traffic speaks, and calls made to see.
struct Unheard {
  Unheard() : fleet({.per_group = 10, .follow_weights = true}) {
    fleet.run(60);
    fleet.behaviors[1].errors = 1;
    fleet.run(20);
    EXPECT_LT(fleet.weight(1), 100);
    fleet.meddle = [](Sample& sample) { return sample.endpoint != 1; };
  }
  void probe(uint8_t mark) {
    Sample sample;
    sample.endpoint = 1;
    sample.second = fleet.now();
    sample.reporter = 0;
    sample.marks = mark;
    EXPECT_EQ(fleet.scheduler.ingest(sample), Intake::accepted);
    fleet.run(1);
  }
  Fleet fleet;
};

TEST(Probes, BringAnEndpointBackThatNobodySpeaksOf) {
  Unheard u;
  u.fleet.run(120);
  EXPECT_LT(u.fleet.weight(1), 100) << "time alone brings nothing back";
  int calls = 0;
  while (u.fleet.weight(1) < kWeightUnit && calls < 100) {
    u.probe(kMarkProbeAnswered);
    u.fleet.run(2);
    ++calls;
  }
  EXPECT_EQ(u.fleet.weight(1), kWeightUnit);
  EXPECT_LE(calls, 20);
  EXPECT_GE(calls, 4) << "in stages";
  const auto records = u.fleet.scheduler.journal().since(0);
  EXPECT_EQ(records.back().reason, Reason::recovered);
  EXPECT_EQ(records.back().probes, calls);
  EXPECT_NE(sentence(records.back(), "x").find("of them probes"), std::string::npos);
}

TEST(Probes, ThatFailHoldItDown) {
  Unheard u;
  u.fleet.run(60);
  for (int i = 0; i < 40; ++i) {
    u.probe(i % 2 == 0 ? kMarkProbeAnswered : kMarkProbeFailed);
    u.fleet.run(2);
    EXPECT_LT(u.fleet.weight(1), 100) << i;
  }
}

TEST(Probes, TeachNoLatency) {
  Fleet fleet({.per_group = 4, .follow_weights = true});
  fleet.run(60);
  fleet.meddle = [](Sample& sample) {
    if (sample.endpoint == 1) sample.marks |= kMarkProbeAnswered;
    return true;
  };
  fleet.run(60);
  EXPECT_NEAR(fleet.scheduler.verdict(1)->latency_ratio, 1, 0.15);
  EXPECT_EQ(fleet.weight(1), kWeightUnit);
}

TEST(Capacity, ComesBackWithTimeAndNotWithRequests) {
  Fleet fleet({.per_group = 4, .follow_weights = true});
  fleet.run(30);
  fleet.behaviors[3].throttled = 40;
  fleet.run(20);
  const uint16_t low = fleet.weight(3);
  EXPECT_LT(low, 200);
  fleet.behaviors[3].throttled = 0;
  fleet.meddle = [](Sample& sample) { return sample.endpoint != 3; };
  std::vector<uint16_t> seen = {low};
  fleet.run(12, [&](uint32_t) { seen.push_back(fleet.weight(3)); });
  EXPECT_EQ(fleet.weight(3), kWeightUnit);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(LocalView, ARisingWeightEndsTheWaitOfTheGuard) {
  LocalView view(2);
  const std::vector<uint16_t> low = {1000, 50};
  view.use(low);
  for (int i = 0; i < 5; ++i) view.finished(1, 100, 0.1, 1, Ended::failed);
  EXPECT_TRUE(view.avoided(1, 100.5));
  view.use(low);
  EXPECT_TRUE(view.avoided(1, 100.5)) << "nothing is new";
  const std::vector<uint16_t> higher = {1000, 100};
  view.use(higher);
  EXPECT_FALSE(view.avoided(1, 100.5));
  view.finished(1, 100.6, 0.1, 1, Ended::failed);
  EXPECT_TRUE(view.avoided(1, 103)) << "one more failure, and for longer";
}

TEST(LocalView, ABoundFromBelowMakesNobodyFaster) {
  LocalView view(3);
  const std::vector<uint16_t> weights = {1000, 1000, 1000};
  view.use(weights);
  Random random(3);
  const auto share = [&] {
    int picks = 0;
    for (int i = 0; i < 2'000; ++i) picks += view.pick(random.next(), 200) == 1 ? 1 : 0;
    return picks;
  };
  for (uint32_t e = 0; e < 3; ++e) {
    for (int i = 0; i < 20; ++i) view.finished(e, 100, 0.1, 1, Ended::good);
  }
  for (int i = 0; i < 20; ++i) view.at_least(1, 100.1, 0.01, 1);
  EXPECT_NEAR(share(), 667, 120);
  for (int i = 0; i < 20; ++i) view.at_least(1, 100.2, 2, 1);
  EXPECT_LT(share(), 450);
}

}  // namespace
}  // namespace weir::schedule
