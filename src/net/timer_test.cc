#include "net/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "net/loop.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

TEST(TimerWheel, FiresAtTheDeadlineAndNotBefore) {
  const Nanoseconds deadlines[] = {1ns,  999'999ns, 1ms,       1'000'001ns, 63ms, 64ms,
                                   65ms, 4096ms,    262'144ms, 1h,          72h,  24h * 365 * 3};
  for (const Nanoseconds start : {0ns, 123'456'789ns}) {
    for (const Nanoseconds deadline : deadlines) {
      SCOPED_TRACE(deadline.count());
      TimerWheel wheel(start);
      int fired = 0;
      Timer timer(wheel, [&] { ++fired; });
      timer.arm(deadline);
      EXPECT_TRUE(timer.armed());
      EXPECT_EQ(wheel.fire(start + deadline - 1ns), 0U);
      EXPECT_EQ(fired, 0);
      EXPECT_LE(wheel.next(), start + deadline);
      EXPECT_EQ(wheel.fire(start + deadline), 1U);
      EXPECT_EQ(fired, 1);
      EXPECT_FALSE(timer.armed());
      EXPECT_EQ(wheel.next(), kNoDeadline);
    }
  }
}

TEST(TimerWheel, TimersOfOneTurnFireByMillisecondThenInArmingOrder) {
  TimerWheel wheel(0ns);
  std::vector<int> order;
  Timer a(wheel, [&] { order.push_back(1); });
  Timer b(wheel, [&] { order.push_back(2); });
  Timer c(wheel, [&] { order.push_back(3); });
  Timer d(wheel, [&] { order.push_back(4); });
  d.arm(500ms);
  c.arm(90ms);
  a.arm(80ms);
  b.arm(80ms);
  wheel.fire(1s);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(TimerWheel, ACallbackMayDestroyItsOwnAndOtherTimers) {
  TimerWheel wheel(0ns);
  int fired = 0;
  std::unique_ptr<Timer> self;
  std::unique_ptr<Timer> other;
  const auto payload = std::make_shared<int>(7);  // freed with the callback
  self = std::make_unique<Timer>(wheel, [&, payload] {
    self.reset();
    other.reset();
    fired += *payload;
  });
  other = std::make_unique<Timer>(wheel, [&] { fired += 100; });
  self->arm(1ms);
  other->arm(1ms);
  EXPECT_EQ(wheel.fire(1ms), 1U);
  EXPECT_EQ(fired, 7);
  EXPECT_EQ(wheel.armed(), 0U);
}

TEST(TimerWheel, RearmingForNowWaitsForTheNextCall) {
  TimerWheel wheel(0ns);
  int fired = 0;
  Timer timer(wheel, [] {});
  Timer again(wheel, [&] {
    ++fired;
    again.arm(0ns);
  });
  again.arm(5ms);
  EXPECT_EQ(wheel.fire(100ms), 1U);
  EXPECT_EQ(wheel.next(), 100ms);
  EXPECT_EQ(wheel.fire(100ms), 1U);
  EXPECT_EQ(fired, 2);
  again.cancel();
}

// Against the simplest model there is: a map from deadline to timers. Random arms, re-arms, cancels
// and steps of time; after each step the same timers have fired.
TEST(TimerWheel, AgreesWithASortedMap) {
  constexpr size_t kTimers = 200;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Nanoseconds now{static_cast<int64_t>(random.below(1'000'000'000))};
    TimerWheel wheel(now);
    std::vector<size_t> fired;
    std::vector<std::unique_ptr<Timer>> timers;
    std::vector<Deadline> model(kTimers, kNoDeadline);
    for (size_t i = 0; i < kTimers; ++i) {
      timers.push_back(std::make_unique<Timer>(wheel, [&fired, i] { fired.push_back(i); }));
    }
    for (int step = 0; step < 2000; ++step) {
      const size_t i = random.below(kTimers);
      const uint32_t action = random.below(10);
      if (action < 6) {
        // Mostly near, sometimes days away: every level is used.
        const int64_t range = int64_t{1} << (10 + random.below(40));
        const Nanoseconds after{static_cast<int64_t>(random.next() % static_cast<uint64_t>(range))};
        timers[i]->arm(after);
        model[i] = now + after;
      } else if (action < 8) {
        timers[i]->cancel();
        model[i] = kNoDeadline;
      } else {
        const int64_t range = int64_t{1} << (15 + random.below(34));
        Nanoseconds to =
            now + Nanoseconds(static_cast<int64_t>(random.next() % static_cast<uint64_t>(range)));
        // Half of the time as a loop does it: exactly to where the wheel wants to be called.
        if (random.below(2) == 0 && wheel.next() != kNoDeadline) to = std::max(now, wheel.next());
        now = to;
        fired.clear();
        wheel.fire(now);
        std::vector<size_t> expected;
        for (size_t k = 0; k < kTimers; ++k) {
          if (model[k] <= now) {
            expected.push_back(k);
            model[k] = kNoDeadline;
          }
        }
        std::sort(fired.begin(), fired.end());
        ASSERT_EQ(fired, expected) << "step " << step;
      }
      const Deadline earliest = *std::min_element(model.begin(), model.end());
      ASSERT_LE(wheel.next(), std::max(earliest, now)) << "step " << step;
      ASSERT_EQ(wheel.next() == kNoDeadline, earliest == kNoDeadline) << "step " << step;
    }
  }
}

TEST(Loop, AdvanceStopsAtEveryDeadline) {
  ManualClock clock;
  Loop loop(clock);
  std::vector<int64_t> at;
  Timer tick(loop, [&] {
    at.push_back(loop.now().count());
    tick.arm(1500us);
  });
  tick.arm(1500us);
  loop.advance(5ms);
  EXPECT_EQ(at, (std::vector<int64_t>{1'500'000, 3'000'000, 4'500'000}));
  EXPECT_EQ(loop.now(), 5ms);
}

TEST(Loop, SleepIsAtLeastAsLongAsAskedOnTheRealClock) {
  SystemClock clock;
  Loop loop(clock);
  const auto nap = [](Loop* on) -> Task<int64_t> {
    const Nanoseconds before = on->clock().monotonic();
    co_await sleep(*on, 3ms);
    co_return (on->clock().monotonic() - before).count();
  };
  EXPECT_GE(run_task(loop, nap(&loop)).value_or(0), 3'000'000);
}

}  // namespace
}  // namespace weir::net
