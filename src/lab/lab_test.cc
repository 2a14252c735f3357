// The laboratory itself, and what it must show. Runs are deterministic, so detection times in
// simulated seconds are facts and not measurements.
#include <gtest/gtest.h>

#include <filesystem>

#include "lab/day.h"
#include "lab/experiment.h"
#include "lab/simulate.h"
#include "lab/stats.h"

namespace weir::lab {
namespace {

const Scenario& scenario(std::string_view name) {
  static const std::vector<Scenario> all = scenarios({});
  for (const Scenario& s : all)
    if (s.name == name) return s;
  ADD_FAILURE() << "no scenario " << name;
  return all[0];
}

const BalancerKind& policy(std::string_view name) {
  for (const BalancerKind& k : balancers())
    if (k.name == name) return k;
  ADD_FAILURE() << "no policy " << name;
  return balancers()[0];
}

Outcome medians(std::string_view scenario_name, std::string_view policy_name, uint64_t seeds = 3) {
  std::vector<Outcome> all;
  for (uint64_t seed = 1; seed <= seeds; ++seed)
    all.push_back(simulate(scenario(scenario_name), policy(policy_name), seed));
  const auto of = [&](double Outcome::* field) {
    std::vector<double> values;
    for (const Outcome& o : all) values.push_back(o.*field);
    return median(values);
  };
  Outcome m = all[0];
  m.first_cut = of(&Outcome::first_cut);
  m.moved = of(&Outcome::moved);
  m.found = of(&Outcome::found);
  m.p99_ms = of(&Outcome::p99_ms);
  m.survivors_peak = of(&Outcome::survivors_peak);
  m.failed = m.requests = m.false_cuts = 0;
  for (const Outcome& o : all) {
    m.failed += o.failed;
    m.requests += o.requests;
    m.false_cuts += o.false_cuts;
  }
  return m;
}

TEST(Simulate, GivesTheSameNumbersEachTime) {
  Scenario half = scenario("error-half");
  half.seconds = 70;
  for (const BalancerKind& kind : balancers()) {
    const Outcome a = simulate(half, kind, 7);
    const Outcome b = simulate(half, kind, 7);
    EXPECT_EQ(a.requests, b.requests) << kind.name;
    EXPECT_EQ(a.failed, b.failed) << kind.name;
    EXPECT_EQ(a.p99_ms, b.p99_ms) << kind.name;
    EXPECT_NE(a.p99_ms, simulate(half, kind, 8).p99_ms) << kind.name;
  }
}

TEST(Simulate, MeetsAllPoliciesWithTheSameRequests) {
  const uint64_t requests = simulate(scenario("steady"), policy("random"), 3).requests;
  EXPECT_NEAR(static_cast<double>(requests), 36'000, 1'000);
  for (const BalancerKind& kind : balancers()) {
    const Outcome o = simulate(scenario("steady"), kind, 3, true);
    EXPECT_EQ(o.requests, requests) << kind.name;
    EXPECT_EQ(o.failed, 0u) << kind.name;
    // Every server gets something near its twentieth.
    for (const auto& server : o.shares) {
      double sum = 0;
      for (const float share : server) sum += share;
      EXPECT_NEAR(sum / static_cast<double>(server.size()), 0.05, 0.025) << kind.name;
    }
  }
}

TEST(Peers, ShowTheFailuresTheyAreKnownFor) {
  // What fails fast attracts whoever looks at latency or load only.
  const double even = medians("sinkhole", "round-robin").failed_share();
  EXPECT_GT(medians("sinkhole", "peak-ewma").failed_share(), 1.5 * even);
  EXPECT_GT(medians("sinkhole", "pid").failed_share(), 1.5 * even);
  // Ejection of a tenth at most cannot help when four tenths are sick.
  EXPECT_GT(medians("sick-40", "envoy").failed_share(),
            0.7 * medians("sick-40", "round-robin").failed_share());
  // The predecessor acts by the minute, and sees none of 8 in 20.
  EXPECT_GE(medians("error-half", "sigma3-minute").first_cut, 30);
  EXPECT_EQ(medians("sick-40", "sigma3-minute").found, 0);
}

TEST(Weir, MeetsWhatIsDemanded) {
  const Outcome half = medians("error-half", "weir");
  EXPECT_GE(half.first_cut, 0);
  EXPECT_LE(half.first_cut, 5);
  const Outcome slow = medians("slow-5x", "weir");
  EXPECT_GE(slow.first_cut, 0);
  EXPECT_LE(slow.first_cut, 10);
  EXPECT_GE(medians("sick-40", "weir").found, 0.95);
  EXPECT_EQ(medians("storm", "weir").false_cuts, 0u);
  EXPECT_EQ(medians("steady", "weir").false_cuts, 0u);
  const Outcome zone = medians("zone-loss", "weir");
  EXPECT_GE(zone.moved, 0);
  EXPECT_LE(zone.moved, 10);
  EXPECT_LE(zone.survivors_peak, 0.85);
  EXPECT_LE(medians("rolling-restart", "weir").p99_ms, 1.2 * medians("steady", "weir").p99_ms);
}

TEST(Weir, IsNeverWorseThanRoundRobin) {
  Experiment experiment{
      .scenarios = scenarios({}), .policies = {policy("weir"), policy("round-robin")}, .seeds = 1};
  const Results results = run(experiment, [](size_t, size_t) {});
  for (size_t s = 0; s < results.scenarios.size(); ++s)
    EXPECT_TRUE(standing(results, s).no_worse_than_round_robin) << results.scenarios[s].name;
  EXPECT_NE(table(results).find("error-half"), std::string::npos);
  const std::string page = html(results);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("goes from"), std::string::npos) << "changes are explained";
  EXPECT_EQ(page.find("http"), std::string::npos) << "nothing comes from outside";
}

TEST(Weir, AvoidsTheRefusalsOfACooldown) {
  const std::filesystem::path traces =
      std::filesystem::path(WEIR_SOURCE_DIR) / ".." / "shared" / "data" / "azure-llm-2023";
  if (!std::filesystem::exists(traces / "code.csv"))
    GTEST_SKIP() << "no Azure LLM traces at " << traces.string();
  for (const Scenario& s : scenarios(traces.string())) {
    if (!s.counts_429) continue;
    uint64_t own = 0;
    uint64_t cooldown = 0;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      own += simulate(s, policy("weir"), seed).refusals_429;
      cooldown += simulate(s, policy("litellm"), seed).refusals_429;
    }
    EXPECT_GT(cooldown, 20u);
    EXPECT_LE(own * 20, cooldown);
    return;
  }
  FAIL() << "no scenario counts refusals";
}

TEST(Day, WithoutFaultsNobodyIsCut) {
  const DayResult r =
      run_day({.endpoints = 2'000, .per_group = 50, .seconds = 900}, [](uint32_t) {});
  EXPECT_EQ(r.endpoint_seconds, 1'800'000u);
  EXPECT_EQ(r.cuts, 0u);
  EXPECT_EQ(r.group_cuts, 0u);
}

TEST(Stats, EstimatesWithIntervals) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
  const Estimate e = estimate({1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(e.median, 5);
  EXPECT_TRUE(e.low >= 1 && e.low < 5);
  EXPECT_TRUE(e.high > 5 && e.high <= 9);
}

TEST(Trace, ReadsWhatIsThere) {
  EXPECT_TRUE(read_trace("/nowhere/at/all.csv", 10, 1).empty());
}

}  // namespace
}  // namespace weir::lab
