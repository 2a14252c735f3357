// What a client knows between two tables: the choice of two, the guard, budgets, retries.
#include "schedule/local_view.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::schedule {
namespace {

constexpr uint32_t kNobody = LocalView::kNothing;

struct World {
  explicit World(std::vector<uint16_t> weights) : view(static_cast<uint32_t>(weights.size())) {
    view.use(weights);
    counts.assign(weights.size(), 0);
  }
  uint32_t pick(double tokens = 0, uint32_t avoid = kNobody) {
    const uint32_t e = view.pick(random.next(), now, tokens, avoid);
    if (e != kNobody) ++counts[e];
    return e;
  }
  // Requests one after the other, each answered at once in so many seconds.
  void play(int requests, const std::vector<double>& seconds, const std::vector<Ended>& ended) {
    counts.assign(counts.size(), 0);
    for (int i = 0; i < requests; ++i) {
      const uint32_t e = pick();
      view.sent(e, 1);
      now += 0.01;
      view.finished(e, now, seconds[e], 1, ended[e]);
    }
  }
  LocalView view;
  Random random{11};
  double now = 100;
  std::vector<int> counts;
};

TEST(LocalView, FollowsTheWeightsWhenNothingElseSpeaks) {
  World w({1000, 1000, 10, 0});
  w.play(20'000, {0.1, 0.1, 0.1, 0.1}, std::vector(4, Ended::good));
  EXPECT_NEAR(w.counts[0], w.counts[1], 600);
  // Little weight means just its share: no more because it is idle, no less because it is weak.
  EXPECT_NEAR(w.counts[2], 20'000 * 10 / 2010, 60);
  EXPECT_EQ(w.counts[3], 0);
}

TEST(LocalView, PrefersTheFasterAndStillLooksAtTheSlower) {
  World w({1000, 1000, 1000, 1000});
  w.play(8'000, {0.1, 0.1, 0.1, 0.6}, std::vector(4, Ended::good));
  EXPECT_LT(w.counts[3], 1'000);
  EXPECT_GT(w.counts[3], 150);
}

TEST(LocalView, PrefersTheLessLoaded) {
  World w({1000, 1000});
  for (int i = 0; i < 50; ++i) w.view.sent(0, 1);
  for (int i = 0; i < 1000; ++i) w.pick();
  EXPECT_GT(w.counts[1], 700);
}

TEST(LocalView, FastFailuresDoNotAttract) {
  World w({1000, 1000, 1000, 1000});
  w.play(2'000, {0.1, 0.1, 0.1, 0.001}, {Ended::good, Ended::good, Ended::good, Ended::failed});
  EXPECT_LT(w.counts[3], 40);
}

TEST(LocalView, TheGuardProbesWithOneRequestAndForgives) {
  World w({1000, 1000, 1000});
  for (int i = 0; i < 3; ++i) {
    w.view.sent(1, 1);
    w.view.finished(1, w.now, 0.001, 1, Ended::unreachable);
  }
  EXPECT_TRUE(w.view.avoided(1, w.now));
  for (int i = 0; i < 200; ++i) EXPECT_NE(w.pick(), 1u);
  w.now += 2.5;
  int probes = 0;
  for (int i = 0; i < 200; ++i) probes += w.pick() == 1 ? 1 : 0;
  EXPECT_EQ(probes, 1);
  w.view.finished(1, w.now, 0.001, 1, Ended::unreachable);
  w.now += 2.5;  // the second lease is twice as long
  for (int i = 0; i < 200; ++i) EXPECT_NE(w.pick(), 1u);
  w.now += 2;
  while (w.pick() != 1) {
  }
  w.view.finished(1, w.now, 0.1, 1, Ended::good);
  EXPECT_FALSE(w.view.avoided(1, w.now));
}

TEST(LocalView, WhenEverythingFailsTheGuardStepsBack) {
  World w({1000, 1000, 1000, 1000});
  w.play(400, std::vector(4, 0.01), std::vector(4, Ended::failed));
  w.now += 1;
  w.counts.assign(4, 0);
  for (int i = 0; i < 4'000; ++i) w.pick();
  for (const int count : w.counts) EXPECT_GT(count, 700);
}

TEST(LocalView, RefusalsAreNotFailures) {
  World w({1000, 1000});
  w.play(200, {0.1, 0.01}, {Ended::good, Ended::throttled});
  EXPECT_FALSE(w.view.avoided(1, w.now));
}

TEST(LocalView, ABudgetThatWouldNotHoldTheRequestIsLeftAlone) {
  World w({1000, 1000});
  w.view.budget(1, w.now, 3'000, 60'000, 57);  // a thousand tokens a second come back
  for (int i = 0; i < 300; ++i) EXPECT_EQ(w.pick(5'000), 0u);
  EXPECT_TRUE(w.pick(100) != kNobody);
  w.now += 9;  // 12,000 by now
  w.counts.assign(2, 0);
  for (int i = 0; i < 300; ++i) w.pick(5'000);
  EXPECT_GT(w.counts[1], 50);
  w.view.sent(1, 1, 5'000);  // reserved until it is answered
  for (int i = 0; i < 300; ++i) EXPECT_EQ(w.pick(5'000), 0u);
}

TEST(LocalView, RetriesHaveABudget) {
  World w({1000, 1000});
  int retries = 0;
  while (w.view.may_retry()) ++retries;
  EXPECT_EQ(retries, 10);
  for (int i = 0; i < 51; ++i) w.pick();
  while (w.view.may_retry()) ++retries;
  EXPECT_EQ(retries, 20);
  for (int i = 0; i < 10'000; ++i) w.pick();
  retries = 0;
  while (w.view.may_retry()) ++retries;
  EXPECT_EQ(retries, 20);  // what is saved has a limit
}

TEST(LocalView, ARetryGoesElsewhere) {
  World w({1000, 1});
  for (int i = 0; i < 100; ++i) {
    const uint32_t e = w.pick(0, 1);
    EXPECT_EQ(e, 0u);
  }
}

TEST(LocalView, NothingToChooseFrom) {
  World none({0, 0});
  EXPECT_EQ(none.pick(), kNobody);
  World one({5});
  EXPECT_EQ(one.pick(), 0u);
  EXPECT_EQ(one.pick(0, 0), 0u) << "there is no other";
}

}  // namespace
}  // namespace weir::schedule
