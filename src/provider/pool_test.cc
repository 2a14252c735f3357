#include "provider/pool.h"

#include <gtest/gtest.h>

#include <map>

namespace weir::provider {
namespace {

using std::chrono::seconds;

constexpr Nanoseconds kNow{1'000'000'000'000};

TEST(AliasTable, DrawsByWeight) {
  const std::vector<std::vector<uint32_t>> cases = {
      {1}, {1, 1}, {60, 40}, {1, 0, 3}, {0, 7}, {1, 1'000'000}, {5, 4, 3, 2, 1, 0}};
  for (const auto& weights : cases) {
    uint64_t total = 0;
    for (const uint32_t weight : weights) total += weight;
    const AliasTable table(weights);
    Random random(11);
    constexpr int kDraws = 200'000;
    std::vector<int> counts(weights.size());
    for (int i = 0; i < kDraws; ++i) ++counts[table.draw(random)];
    for (size_t i = 0; i < weights.size(); ++i) {
      const double expected = static_cast<double>(weights[i]) / static_cast<double>(total);
      EXPECT_NEAR(counts[i] / static_cast<double>(kDraws), expected, 0.005) << i;
      if (weights[i] == 0) EXPECT_EQ(counts[i], 0);
    }
  }
}

class PoolTest : public testing::Test {
 protected:
  std::shared_ptr<Account> account(const std::string& name) {
    auto made = std::make_shared<Account>();
    made->name = name;
    made->state = std::make_shared<AccountState>();
    return made;
  }
  Deployment* add(const std::string& name, uint32_t weight,
                  std::shared_ptr<const Account> at = nullptr) {
    auto made = std::make_shared<Deployment>();
    made->name = name;
    made->weight = weight;
    made->account = at ? at : account(name);
    made->state = std::make_shared<DeploymentState>();
    list_.push_back(made);
    return made.get();
  }
  void build() { pool_ = Pool({list_.begin(), list_.end()}); }
  Pick pick(Nanoseconds now = kNow) {
    return pool_.pick(random_, now, [](const Deployment&) { return true; });
  }

  std::vector<std::shared_ptr<const Deployment>> list_;
  Pool pool_;
  Random random_{3};
};

TEST_F(PoolTest, TheLessLoadedOfTwoDrawsWins) {
  Deployment* busy = add("busy", 1);
  add("idle", 1);
  build();
  busy->state->in_flight = 1000;
  std::map<std::string, int> picked;
  for (int i = 0; i < 1000; ++i) ++picked[pick().deployment->name];
  // Only where both draws are the busy one.
  EXPECT_NEAR(picked["busy"], 250, 60);
}

TEST_F(PoolTest, WeightZeroTakesADeploymentOut) {
  Deployment* out = add("out", 0);
  Deployment* in = add("in", 1);
  build();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pick().deployment, in);
  in->state->health.park_until(kNow, kNow + seconds(60));
  const Pick parked = pick();
  EXPECT_EQ(parked.deployment, in) << "not even when all others are parked";
  EXPECT_EQ(parked.choice, Choice::least_parked);
  const Pick retry = pool_.pick(random_, kNow, [&](const Deployment& d) { return &d != in; });
  EXPECT_EQ(retry.deployment, nullptr) << "and not for a retry";
  EXPECT_TRUE(out->state->health.is_open(kNow));
}

TEST_F(PoolTest, IsNeverEmptiedByParking) {
  Deployment* a = add("a", 1);
  Deployment* b = add("b", 1);
  build();
  a->state->health.park_until(kNow, kNow + seconds(60));
  b->state->health.park_until(kNow, kNow + seconds(5));
  for (int i = 0; i < 20; ++i) {
    const Pick least = pick();
    EXPECT_EQ(least.deployment, b) << "its parking ends first";
    EXPECT_EQ(least.choice, Choice::least_parked);
  }
  b->account->state->credential.park_until(kNow, kNow + seconds(120));
  EXPECT_EQ(pick().deployment, a) << "the later of credential and deployment counts";
}

TEST_F(PoolTest, TheTrialIsGivenOnceUntilItReports) {
  Deployment* sick = add("sick", 1);
  add("well", 1);
  build();
  sick->state->health.park_until(kNow, kNow + seconds(1));
  const Nanoseconds later = kNow + seconds(2);
  const auto trials = [&](Nanoseconds now) {
    int count = 0;
    for (int i = 0; i < 200; ++i) {
      const Pick got = pick(now);
      if (got.deployment != sick) continue;
      EXPECT_EQ(got.choice, Choice::trial);
      ++count;
    }
    return count;
  };
  EXPECT_EQ(trials(later), 1);
  EXPECT_EQ(trials(later), 0);
  sick->state->health.trial_abandoned();
  EXPECT_EQ(trials(later), 1);
  // A trial that never reports is over after kTrialMax.
  EXPECT_EQ(trials(later + Health::kTrialMax), 1);
  sick->state->health.succeeded(later);
  EXPECT_EQ(pick(later).choice, Choice::weighted);
}

TEST_F(PoolTest, ACredentialsTrialIsGivenBackWhereTheDeploymentHoldsItsOwn) {
  const auto shared = account("shared");
  Deployment* a = add("a", 1, shared);
  Deployment* b = add("b", 1, shared);
  build();
  shared->state->credential.park_until(kNow, kNow + seconds(1));
  a->state->health.park_until(kNow, kNow + seconds(1));
  b->state->health.park_until(kNow, kNow + seconds(600));
  const Nanoseconds later = kNow + seconds(2);
  // Somebody holds the trial of the deployment, not that of the credential.
  EXPECT_EQ(a->state->health.ask(later), Health::Gate::trial);
  EXPECT_EQ(pick(later).choice, Choice::least_parked);
  EXPECT_EQ(shared->state->credential.ask(later), Health::Gate::trial) << "nobody holds it";
}

TEST(HealthTest, EjectsAfterFailuresInARowAndBacksOff) {
  Health health;
  for (uint32_t i = 1; i < Health::kFailuresInARow; ++i) EXPECT_FALSE(health.failed(kNow, kNow));
  EXPECT_TRUE(health.is_open(kNow));
  EXPECT_TRUE(health.failed(kNow, kNow));
  EXPECT_EQ(health.parked_until(), kNow + seconds(1));
  // Its trial fails: twice as long, and so on up to the most.
  Nanoseconds now = kNow;
  for (const int64_t wait : {2, 4, 8, 16, 32, 60, 60}) {
    now = health.parked_until();
    EXPECT_EQ(health.ask(now), Health::Gate::trial);
    EXPECT_TRUE(health.failed(now, now));
    EXPECT_EQ(health.parked_until() - now, seconds(wait));
  }
  health.succeeded(now);
  EXPECT_EQ(health.ask(now), Health::Gate::open);
  EXPECT_EQ(health.ejections(), 0U);
}

TEST(HealthTest, AttemptsFromBeforeTheParkingSayNothing) {
  Health health;
  const Nanoseconds before = kNow - seconds(5);
  health.park_until(kNow, kNow + seconds(30));
  health.succeeded(before);
  EXPECT_EQ(health.ask(kNow + seconds(1)), Health::Gate::closed)
      << "a stream that began earlier does not cut the Retry-After short";
  const Nanoseconds after = kNow + seconds(31);
  EXPECT_EQ(health.ask(after), Health::Gate::trial);
  EXPECT_FALSE(health.failed(before, after)) << "an old failure is no verdict on the trial";
  EXPECT_EQ(health.ask(after), Health::Gate::closed) << "the trial is still under way";
  health.succeeded(after);
  EXPECT_EQ(health.ask(after), Health::Gate::open);
}

TEST(HealthTest, AShorterParkingDoesNotReplaceALongerOne) {
  Health health;
  health.park_until(kNow, kNow + seconds(30));
  health.park_until(kNow, kNow + seconds(3));
  EXPECT_EQ(health.parked_until(), kNow + seconds(30));
}

}  // namespace
}  // namespace weir::provider
