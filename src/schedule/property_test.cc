// What must hold whatever happens: weights within bounds, sums positive, exact replay by records
// and by samples, and samples that are duplicated, late, reordered, skewed, absurd or lies move
// nothing wrongly and are counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "schedule/test_fleet.h"

namespace weir::schedule {
namespace {

uint64_t count(const Scheduler& scheduler, Intake intake) {
  return scheduler.counters().intake[static_cast<size_t>(intake)];
}

// A fleet on which faults of all kinds come and go at random.
void haunt(Fleet& fleet, Draws& draws, uint32_t groups, uint32_t per_group) {
  Random& random = draws.random();
  for (auto& b : fleet.behaviors) {
    if (random.below(40) != 0) continue;
    switch (random.below(8)) {
      case 0:
        b.errors = random.uniform();
        break;
      case 1:
        b.ms = 1 + 2000 * random.uniform();
        break;
      case 2:
        b.hangs = !b.hangs;
        break;
      case 3:
        b.throttled = random.below(50);
        break;
      case 4:
        b.utilization = static_cast<uint8_t>(random.below(120));
        break;
      case 5:
        b.rate = 30 * random.uniform();
        break;
      default:
        b = Behavior{};
        break;
    }
  }
  const uint32_t any = random.below(groups * per_group);
  switch (random.below(60)) {
    case 0:
      ASSERT_TRUE(fleet.scheduler.restarted(any));
      break;
    case 1:
      ASSERT_TRUE(fleet.scheduler.pin(any, static_cast<float>(random.uniform()), fleet.now() + 20));
      break;
    case 2:
      (void)fleet.scheduler.unpin(any);
      break;
    case 3:
      ASSERT_TRUE(fleet.scheduler.set_base(any, 1 + static_cast<float>(random.below(8))));
      break;
    case 4:  // a whole group
      for (uint32_t i = 0; i < per_group; ++i)
        fleet.behaviors[random.below(groups) * per_group + i].errors = random.below(2);
      break;
    default:
      break;
  }
}

TEST(Property, WeightsStayInBoundsAndRecordsReplayToTheTable) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    constexpr uint32_t kGroups = 4;
    constexpr uint32_t kPerGroup = 8;
    Fleet fleet({.groups = kGroups,
                 .per_group = kPerGroup,
                 .reporters = 2,
                 .follow_weights = true,
                 .seed = seed});
    Draws draws(seed + 1000);
    const Scheduler& scheduler = fleet.scheduler;
    fleet.run(400, [&](uint32_t) {
      uint64_t sum = 0;
      uint32_t serving = 0;
      for (const auto& [endpoint, weight] : scheduler.snapshot(0)) {
        EXPECT_LE(weight, 9 * kWeightUnit);
        const Verdict v = *scheduler.verdict(endpoint);
        EXPECT_GT(v.health, 0);
        EXPECT_LE(v.health, 1);
        EXPECT_TRUE(v.evidence >= 0 && v.evidence < 50) << v.evidence;
        EXPECT_TRUE(v.latency_ratio > 0 && v.latency_ratio < 1e9);
        sum += weight;
        if (v.health >= 1) ++serving;
      }
      EXPECT_GT(sum, 0u);
      EXPECT_GE(serving, 2u);
      haunt(fleet, draws, kGroups, kPerGroup);
    });
    EXPECT_GT(scheduler.counters().cuts, 0u);
    // Replay of the records.
    std::map<EndpointId, uint16_t> replayed;
    const auto records = scheduler.journal().since(0);
    ASSERT_EQ(scheduler.journal().let_go(), 0u);
    for (const Record& r : records) {
      if (r.reason != Reason::added) {
        ASSERT_EQ(replayed[r.endpoint], r.old_weight);
      }
      replayed[r.endpoint] = r.new_weight;
      EXPECT_FALSE(sentence(r, "endpoint").empty());
    }
    for (const auto& [endpoint, weight] : scheduler.snapshot(0))
      EXPECT_EQ(replayed[endpoint], weight) << endpoint;
    // A reader that follows by deltas holds the same table, with the same hash.
    Table copy(1, 8);
    for (const auto& [endpoint, weight] : replayed) copy.put(endpoint, std::nullopt, weight);
    EXPECT_EQ(copy.hash(), scheduler.table(0).hash());
  }
}

TEST(Property, TheSameSamplesInAnyOrderGiveTheSameTable) {
  const auto play = [](bool shuffle) {
    Fleet source({.groups = 2, .per_group = 10, .reporters = 3, .seed = 5});
    Fleet target({.groups = 2, .per_group = 10, .reporters = 3, .seed = 5});
    Draws draws(9);
    Random order(77);
    std::vector<uint16_t> weights;
    for (uint32_t t = 0; t < 200; ++t) {
      if (t == 100) source.behaviors[3].errors = 0.5, source.behaviors[14].ms *= 5;
      std::vector<Sample> all;
      for (EndpointId e = 0; e < 20; ++e)
        for (const Sample& s : source.samples(e, target.now())) all.push_back(s);
      if (shuffle)
        for (size_t i = all.size(); i > 1; --i)
          std::swap(all[i - 1], all[order.below(static_cast<uint32_t>(i))]);
      for (const Sample& s : all) EXPECT_EQ(target.scheduler.ingest(s), Intake::accepted);
      target.scheduler.evaluate();
      for (EndpointId e = 0; e < 20; ++e) weights.push_back(target.weight(e));
    }
    EXPECT_GT(target.scheduler.counters().cuts, 0u);
    return std::tuple(weights, target.scheduler.table(0).hash(),
                      target.scheduler.journal().since(0));
  };
  EXPECT_EQ(play(false), play(false));
  EXPECT_EQ(play(false), play(true));
}

TEST(Property, MergedSamplesEqualSingleOnes) {
  Draws draws(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<Sample> parts(5);
    for (Sample& s : parts) {
      s.requests = draws.random().below(1000);
      s.errors = draws.random().below(s.requests + 1);
      s.ln_latency = draws.random().below(100'000);
      s.budget = static_cast<uint16_t>(draws.random().below(10'000));
      s.utilization = round % 2 ? kUtilizationUnknown : uint8_t(draws.random().below(100));
      s.inflight = static_cast<uint16_t>(draws.random().below(100));
    }
    Sample left = parts[0];
    for (int i = 1; i < 5; ++i) merge(left, parts[i]);
    Sample right = parts[4];
    Sample pair = parts[1];
    merge(pair, parts[3]);
    merge(right, pair);
    merge(right, parts[0]);
    merge(right, parts[2]);
    EXPECT_EQ(left, right);
  }
}

struct BadSample {
  const char* name;
  Intake answer;
  void (*spoil)(Sample&, uint32_t now);
};

TEST(BadInput, IsRefusedAndCounted) {
  const BadSample cases[] = {
      {"unknown endpoint", Intake::unknown_endpoint,
       [](Sample& s, uint32_t) { s.endpoint = 4'000'000'000; }},
      {"late", Intake::late, [](Sample& s, uint32_t now) { s.second = now - 1; }},
      {"long ago", Intake::late, [](Sample& s, uint32_t) { s.second = 3; }},
      {"a little early is fine", Intake::accepted,
       [](Sample& s, uint32_t now) { s.second = now + 3; }},
      {"too early", Intake::early, [](Sample& s, uint32_t now) { s.second = now + 4; }},
      {"far future", Intake::early, [](Sample& s, uint32_t now) { s.second = now + 100'000; }},
      {"more errors than requests", Intake::implausible,
       [](Sample& s, uint32_t) { s.errors = s.requests + 1; }},
      {"more unreachable than errors", Intake::implausible,
       [](Sample& s, uint32_t) { s.unreachable = 5; }},
      {"absurd count", Intake::implausible,
       [](Sample& s, uint32_t) { s.requests = 4'000'000'000; }},
      {"absurd latency", Intake::implausible,
       [](Sample& s, uint32_t) { s.ln_latency = 4'000'000'000; }},
      {"latency without a success", Intake::implausible,
       [](Sample& s, uint32_t) { s.errors = s.requests, s.ln_latency = 1; }},
      {"more streams than answers", Intake::implausible,
       [](Sample& s, uint32_t) { s.streams = 11; }},
      {"utilization", Intake::implausible, [](Sample& s, uint32_t) { s.utilization = 201; }},
      {"budget", Intake::implausible, [](Sample& s, uint32_t) { s.budget = 10'001; }},
      {"view", Intake::implausible, [](Sample& s, uint32_t) { s.view = static_cast<View>(7); }},
      {"no source", Intake::implausible, [](Sample& s, uint32_t) { s.sources = 0; }},
      {"reporter beyond the table", Intake::too_many,
       [](Sample& s, uint32_t) { s.reporter = 2'000'000; }},
  };
  for (const BadSample& c : cases) {
    Fleet fleet({.per_group = 4});
    fleet.run(5);
    const uint64_t before = count(fleet.scheduler, c.answer);
    Sample s{.endpoint = 1, .second = fleet.now(), .requests = 10};
    s.ln_latency = 10 * ln_units(20'000);
    s.reporter = 9;
    c.spoil(s, fleet.now());
    EXPECT_EQ(fleet.scheduler.ingest(s), c.answer) << c.name;
    EXPECT_EQ(count(fleet.scheduler, c.answer), before + 1) << c.name;
  }
}

TEST(BadInput, DuplicatesCountOnce) {
  Fleet fleet({.per_group = 10, .reporters = 4});
  std::vector<Sample> sent;
  uint64_t duplicates = 0;
  fleet.meddle = [&](Sample& s) {
    fleet.scheduler.ingest(s);
    if (s.endpoint % 3 == 0) fleet.scheduler.ingest(s), ++duplicates;
    ++duplicates;
    return true;  // and once more
  };
  fleet.behaviors[3].errors = 0.003;
  fleet.run(60);
  EXPECT_EQ(count(fleet.scheduler, Intake::duplicate), duplicates);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
}

TEST(BadInput, LostAndLateSamplesCutNobody) {
  Fleet fleet({.per_group = 20, .reporters = 3});
  Draws draws(4);
  fleet.run(60);
  fleet.meddle = [&](Sample& s) {
    switch (draws.random().below(10)) {
      case 0:
        return false;
      case 1:
        s.second -= 1 + draws.random().below(100);
        return true;
      case 2:
        s.second += draws.random().below(9);
        return true;
      default:
        return true;
    }
  };
  fleet.run(300);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  EXPECT_GT(count(fleet.scheduler, Intake::late), 0u);
  EXPECT_GT(count(fleet.scheduler, Intake::early), 0u);
}

TEST(BadInput, AReporterThatAccusesEverybodyIsSetAside) {
  Fleet fleet({.per_group = 20, .reporters = 5});
  fleet.run(120);
  fleet.meddle = [](Sample& s) {
    if (s.reporter == 2)
      s.requests = std::max(s.requests, 1U), s.errors = s.requests, s.ln_latency = 0;
    return true;
  };
  fleet.run(120);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  EXPECT_GE(fleet.scheduler.counters().reporters_set_aside, 1u);
  EXPECT_GT(count(fleet.scheduler, Intake::set_aside), 0u);
  // The others are still heard.
  fleet.behaviors[4].errors = 0.5;
  EXPECT_LE(fleet.seconds_to_cut(4, 30), 4u);
}

TEST(BadInput, AReporterThatAccusesOneAloneIsDisputed) {
  for (const bool by_latency : {false, true}) {
    Fleet fleet({.per_group = 20, .reporters = 5});
    fleet.run(120);
    fleet.meddle = [&](Sample& s) {
      if (s.reporter != 2 || s.endpoint != 7) return true;
      s.requests = 50;
      s.errors = by_latency ? 0 : 50;
      s.ln_latency = by_latency ? 50 * ln_units(60e6) : 0;
      return true;
    };
    bool disputed = false;
    fleet.run(120, [&](uint32_t) { disputed |= fleet.scheduler.verdict(7)->disputed; });
    EXPECT_EQ(fleet.weight(7), kWeightUnit) << by_latency;
    EXPECT_TRUE(disputed) << by_latency;
  }
}

TEST(Safety, TooFewReportersFreezeCuts) {
  Fleet fleet({.per_group = 20, .reporters = 5});
  fleet.run(60);
  fleet.behaviors[1].errors = 0.5;
  // Three of five reporters are cut off: what is left to see may be the cut itself.
  fleet.meddle = [](Sample& s) { return s.reporter < 2; };
  fleet.run(8);
  EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  EXPECT_TRUE(fleet.scheduler.gates(0) & kGateCoverage);
  EXPECT_TRUE(fleet.scheduler.verdict(1)->held_back);
  // After a while they are not expected any more.
  fleet.run(10);
  EXPECT_LT(fleet.weight(1), kWeightUnit);
}

TEST(Safety, SurvivorsHeadroomLimitsCuts) {
  struct Case {
    uint8_t utilization;
    double errors;
    double least;  // of the base weight must be left
    double most;
  };
  for (const Case& c : {Case{60, 0.5, 0.69, 0.80}, Case{80, 0.5, 0.93, 1.0},
                        Case{kUtilizationUnknown, 0.5, 0.66, 0.86}, Case{20, 0.5, 0.55, 0.70}}) {
    FleetShape shape{.per_group = 50};
    shape.behavior.utilization = c.utilization;
    Fleet fleet(shape);
    fleet.run(60);
    for (uint32_t e = 0; e < 20; ++e) fleet.behaviors[e].errors = c.errors;
    double left = 1;
    fleet.run(90, [&](uint32_t) {
      left = 0;
      for (uint32_t e = 0; e < 50; ++e) left += fleet.weight(e) / 50 / kWeightUnit;
      // What the sick are spared, the others carry.
      if (c.utilization == kUtilizationUnknown) return;
      for (auto& b : fleet.behaviors)
        b.utilization = static_cast<uint8_t>(std::min(200.0, c.utilization / left));
    });
    EXPECT_GE(left, c.least) << int(c.utilization);
    EXPECT_LE(left, c.most) << int(c.utilization);
  }
}

TEST(Safety, TheLastOnesAreNotCut) {
  for (const uint32_t n : {1U, 2U, 3U, 5U}) {
    FleetShape shape{.per_group = n};
    shape.behavior.utilization = 5;
    Fleet fleet(shape);
    fleet.run(60);
    for (uint32_t t = 0; t < 60; ++t) {  // one after the other goes bad
      for (uint32_t e = 0; e < n; ++e) fleet.behaviors[e].errors = t > 10 * e ? 0.9 : 0;
      fleet.run(1);
      uint32_t full = 0;
      for (uint32_t e = 0; e < n; ++e) full += fleet.scheduler.verdict(e)->health >= 1 ? 1 : 0;
      ASSERT_GE(full, n <= 3 ? 1u : 2u);
    }
  }
}

TEST(Safety, TheBreakerStopsAFleetWideCut) {
  FleetShape shape{.groups = 12, .per_group = 20};
  shape.behavior.utilization = 20;
  shape.policy.breaker_least = 10;
  Fleet fleet(shape);
  fleet.run(60);
  for (uint32_t e = 0; e < 240; e += 4) fleet.behaviors[e].errors = 0.5;
  fleet.run(30);
  EXPECT_TRUE(fleet.scheduler.breaker_open());
  EXPECT_EQ(fleet.scheduler.counters().cuts, 10u);  // of the 60
  EXPECT_EQ(fleet.scheduler.counters().breaker_trips, 1u);
}

TEST(Safety, AnOperatorsPinOutlivesNothingButItsExpiry) {
  Fleet fleet({.per_group = 5});
  fleet.run(30);
  ASSERT_TRUE(fleet.scheduler.pin(2, 0, fleet.now() + 20));
  EXPECT_EQ(fleet.weight(2), 0);
  fleet.behaviors[3].errors = 1;
  ASSERT_TRUE(fleet.scheduler.pin(3, 1, fleet.now() + 20));
  fleet.run(19);
  EXPECT_EQ(fleet.weight(2), 0);
  EXPECT_EQ(fleet.weight(3), kWeightUnit);
  fleet.run(2);
  EXPECT_EQ(fleet.weight(2), kWeightUnit);
  EXPECT_LT(fleet.weight(3), kWeightUnit);
  EXPECT_EQ(fleet.scheduler.pin(2, 1, 5).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(fleet.scheduler.pin(2, 2, fleet.now() + 9).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(fleet.scheduler.pin(99, 1, fleet.now() + 9).error().code(), ErrorCode::not_found);
}

TEST(Recovery, IsEarnedInStages) {
  Fleet fleet({.per_group = 10, .follow_weights = true});
  fleet.run(60);
  fleet.behaviors[6].errors = 0.6;
  ASSERT_LE(fleet.seconds_to_cut(6, 20), 4u);
  fleet.run(10);
  EXPECT_LE(fleet.weight(6), 100);
  fleet.run(120);
  EXPECT_LE(fleet.weight(6), 150) << "it still fails, so nothing is earned";
  fleet.behaviors[6].errors = 0.001;
  std::vector<uint16_t> seen;
  fleet.run(300, [&](uint32_t) {
    if (seen.empty() || seen.back() != fleet.weight(6)) seen.push_back(fleet.weight(6));
  });
  EXPECT_EQ(seen.back(), kWeightUnit);
  EXPECT_GE(seen.size(), 4u) << "in stages, not at once";
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(fleet.scheduler.counters().recoveries, 1u);
}

TEST(Recovery, ARelapseIsHeldLonger) {
  Fleet fleet({.per_group = 10, .follow_weights = true});
  fleet.run(60);
  uint32_t cut_seconds[2] = {};
  for (uint32_t& seconds : cut_seconds) {
    fleet.behaviors[6].errors = 0.9;
    fleet.run(10);
    fleet.behaviors[6].errors = 0;
    while (fleet.weight(6) < 200 && ++seconds < 500) fleet.run(1);
  }
  EXPECT_GT(cut_seconds[1], cut_seconds[0] + 5);
}

TEST(SlowStart, RisesWhileLatencyAllowsIt) {
  for (const double cold : {1.0, 6.0}) {
    Fleet fleet({.per_group = 10, .follow_weights = true});
    fleet.run(120);
    ASSERT_TRUE(fleet.scheduler.restarted(4));
    EXPECT_LE(fleet.weight(4), 120);
    fleet.behaviors[4].ms = 20 * cold;
    uint16_t last = fleet.weight(4);
    fleet.run(40, [&](uint32_t) {
      EXPECT_GE(fleet.weight(4), last);
      last = fleet.weight(4);
    });
    EXPECT_EQ(fleet.weight(4) == kWeightUnit, cold == 1) << fleet.weight(4);
    fleet.behaviors[4].ms = 20;
    fleet.run(60);
    EXPECT_EQ(fleet.weight(4), kWeightUnit);
    EXPECT_EQ(fleet.scheduler.counters().cuts, 0u);
  }
}

TEST(SlowStart, PreheatingGetsNothingUntilItIsDone) {
  Scheduler scheduler(Policy{}, Limits{}, 100);
  const ServiceId service = *scheduler.add_service();
  const GroupId group = *scheduler.add_group(service);
  (void)*scheduler.add_endpoint(group);
  const EndpointId fresh = *scheduler.add_endpoint(group, {.preheat = true});
  scheduler.evaluate();
  EXPECT_EQ(scheduler.weight(fresh), 0);
  ASSERT_TRUE(scheduler.preheated(fresh));
  EXPECT_GT(scheduler.weight(fresh), 0);
  EXPECT_LT(scheduler.weight(fresh), kWeightUnit);
}

}  // namespace
}  // namespace weir::schedule
