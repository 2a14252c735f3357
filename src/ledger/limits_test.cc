#include "ledger/limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/random.h"

namespace weir::ledger {
namespace {

using std::chrono::seconds;

TEST(RequestRate, StartsFullRefillsAndTellsWhen) {
  RequestRate rate(60);
  Nanoseconds now = seconds(1000);
  for (int i = 0; i < 60; ++i) {
    LimitAnswer answer = rate.take(now);
    ASSERT_TRUE(answer.allowed) << i;
    EXPECT_EQ(answer.limit, 60);
    EXPECT_EQ(answer.remaining, 59 - i);
    EXPECT_EQ(answer.reset_after, seconds(i + 1));
    EXPECT_EQ(answer.retry_after, seconds(0));
  }
  LimitAnswer denied = rate.take(now);
  EXPECT_FALSE(denied.allowed);
  EXPECT_EQ(denied.remaining, 0);
  EXPECT_EQ(denied.retry_after, seconds(1));
  EXPECT_EQ(denied.reset_after, seconds(60));
  EXPECT_FALSE(rate.take(now + seconds(1) - Nanoseconds(1)).allowed);
  EXPECT_TRUE(rate.take(now + seconds(1)).allowed);
  EXPECT_FALSE(rate.take(now + seconds(1)).allowed);
  EXPECT_EQ(rate.peek(now + seconds(31)).remaining, 30);
  EXPECT_EQ(rate.peek(now + seconds(3600)).remaining, 60);
}

TEST(RequestRate, NoLimitAndChangedLimit) {
  RequestRate rate;
  Nanoseconds now = seconds(5);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(rate.take(now).allowed);
  EXPECT_EQ(rate.take(now).limit, 0);
  rate.set_limit(2);
  EXPECT_TRUE(rate.take(now).allowed);
  EXPECT_TRUE(rate.take(now).allowed);
  EXPECT_FALSE(rate.take(now).allowed);
  rate.set_limit(0);
  EXPECT_TRUE(rate.take(now).allowed);
}

// Whatever the arrivals, no window of any length admits more than the bucket and its refill.
TEST(RequestRate, NeverAdmitsMoreThanTheLimit) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    int64_t limit = 1 + random.below(1000);
    RequestRate rate(limit);
    Nanoseconds now{random.below(1'000'000)};
    std::vector<int64_t> admitted;
    for (int i = 0; i < 3000; ++i) {
      now += Nanoseconds(static_cast<int64_t>(random.below(4)) * random.below(60'000'000));
      LimitAnswer answer = rate.take(now);
      if (answer.allowed) {
        admitted.push_back(now.count());
      } else {
        ASSERT_GT(answer.retry_after.count(), 0);
        ASSERT_EQ(answer.remaining, 0) << "seed " << seed;
      }
    }
    for (size_t from = 0; from < admitted.size(); from += 37) {
      for (size_t to = from; to < admitted.size(); to += 11) {
        double span_s = static_cast<double>(admitted[to] - admitted[from]) / 1e9;
        double most = static_cast<double>(limit) * (1 + span_s / 60);
        ASSERT_LE(static_cast<double>(to - from + 1), most + 1e-6) << "seed " << seed;
      }
    }
  }
}

TEST(RequestRate, RetryAfterIsExact) {
  for (int64_t limit : {1, 7, 59, 600, 12'345, 1'000'000}) {
    RequestRate rate(limit);
    Nanoseconds now = seconds(1);
    while (rate.take(now).allowed) {
    }
    LimitAnswer denied = rate.take(now);
    EXPECT_FALSE(rate.take(now + denied.retry_after - Nanoseconds(1)).allowed) << limit;
    EXPECT_TRUE(rate.take(now + denied.retry_after).allowed) << limit;
  }
}

TEST(RequestRate, ThreadsTogetherGetExactlyTheLimit) {
  constexpr int kThreads = 4;
  constexpr int64_t kLimit = 5000;
  RequestRate rate(kLimit);
  std::atomic<int64_t> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 4000; ++i) {
        if (rate.take(seconds(1)).allowed) admitted.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted.load(), kLimit);
}

TEST(TokenRate, HoldsWhileInFlightAndChargesWhatWasUsed) {
  TokenRate rate(60'000);
  Nanoseconds now = seconds(10);
  LimitAnswer first = rate.reserve(50'000, now);
  ASSERT_TRUE(first.allowed);
  EXPECT_EQ(first.limit, 60'000);
  EXPECT_EQ(first.remaining, 10'000);
  LimitAnswer second = rate.reserve(20'000, now);
  ASSERT_FALSE(second.allowed);
  EXPECT_FALSE(second.never);
  EXPECT_EQ(second.remaining, 10'000);
  rate.settle(50'000, 1'000, now);
  LimitAnswer third = rate.reserve(59'000, now);
  ASSERT_TRUE(third.allowed) << "what was not used is free again";
  EXPECT_EQ(third.remaining, 0);
  rate.settle(59'000, 59'000, now);
  EXPECT_EQ(rate.peek(now).remaining, 0);
  EXPECT_EQ(rate.peek(now).reset_after, seconds(60));
  EXPECT_EQ(rate.peek(now + seconds(30)).remaining, 30'000);
  EXPECT_EQ(rate.peek(now + seconds(60)).remaining, 60'000);
}

TEST(TokenRate, MoreUsedThanReservedIsADebt) {
  TokenRate rate(6'000);
  Nanoseconds now = seconds(1);
  ASSERT_TRUE(rate.reserve(100, now).allowed);
  rate.settle(100, 12'000, now);
  LimitAnswer denied = rate.reserve(100, now);
  ASSERT_FALSE(denied.allowed);
  EXPECT_EQ(denied.retry_after, seconds(61)) << "12,000 are two minutes, one of them is the bucket";
  EXPECT_FALSE(rate.reserve(100, now + denied.retry_after - Nanoseconds(1)).allowed);
  EXPECT_TRUE(rate.reserve(100, now + denied.retry_after).allowed);
}

TEST(TokenRate, LargerThanTheLimitIsNever) {
  TokenRate rate(1000);
  LimitAnswer answer = rate.reserve(1001, seconds(1));
  EXPECT_FALSE(answer.allowed);
  EXPECT_TRUE(answer.never);
  EXPECT_TRUE(rate.reserve(1000, seconds(1)).allowed);
}

TEST(TokenRate, RetryAfterIsExactWithoutReservations) {
  for (int64_t limit : {1'000, 7'777, 400'000, 2'000'000, 1'000'000'007}) {
    TokenRate rate(limit);
    Nanoseconds now = seconds(3);
    ASSERT_TRUE(rate.reserve(limit / 2, now).allowed);
    int64_t used = std::min<int64_t>(limit / 2, 100'000'000);
    rate.settle(limit / 2, limit / 2, now);
    int64_t rest = limit - used;
    int64_t ask = std::min<int64_t>(limit, 100'000'000);
    if (ask <= rest) continue;
    LimitAnswer denied = rate.reserve(ask, now);
    ASSERT_FALSE(denied.allowed) << limit;
    EXPECT_FALSE(rate.reserve(ask, now + denied.retry_after - Nanoseconds(5)).allowed) << limit;
    EXPECT_TRUE(rate.reserve(ask, now + denied.retry_after).allowed) << limit;
  }
}

// A model of the promise: at every admission, charged (with refill) + held <= bucket.
TEST(TokenRate, NeverAdmitsMoreThanTheLimit) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    int64_t limit = 100 + random.below(100'000);
    TokenRate rate(limit);
    Nanoseconds now = seconds(1);
    struct Flight {
      int64_t reserved;
      int64_t used;
    };
    std::vector<Flight> flights;
    std::vector<std::pair<int64_t, int64_t>> charges;  // time, tokens
    for (int i = 0; i < 2000; ++i) {
      now += Nanoseconds(static_cast<int64_t>(random.below(1'000'000'000)));
      if (random.below(2) == 0 && !flights.empty()) {
        size_t pick = random.below(static_cast<uint32_t>(flights.size()));
        Flight flight = flights[pick];
        flights.erase(flights.begin() + static_cast<ptrdiff_t>(pick));
        rate.settle(flight.reserved, flight.used, now);
        charges.emplace_back(now.count(), flight.used);
      } else {
        int64_t tokens = 1 + random.below(static_cast<uint32_t>(limit) / 4);
        if (rate.reserve(tokens, now).allowed) {
          flights.push_back(
              {tokens, static_cast<int64_t>(random.below(static_cast<uint32_t>(tokens) + 1))});
        }
      }
      int64_t held = 0;
      for (const Flight& flight : flights) held += flight.reserved;
      ASSERT_LE(held, limit) << "seed " << seed;
    }
    for (size_t from = 0; from < charges.size(); from += 13) {
      int64_t sum = 0;
      for (size_t to = from; to < charges.size(); ++to) {
        sum += charges[to].second;
        double span_s = static_cast<double>(charges[to].first - charges[from].first) / 1e9;
        ASSERT_LE(static_cast<double>(sum), static_cast<double>(limit) * (1 + span_s / 60) + 1)
            << "seed " << seed;
      }
    }
  }
}

TEST(TokenRate, ThreadsTogetherNeverExceedTheLimit) {
  constexpr int64_t kLimit = 100'000;
  TokenRate rate(kLimit);
  std::atomic<int64_t> held_and_charged{0};
  std::atomic<int64_t> worst{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      for (int i = 0; i < 5000; ++i) {
        int64_t tokens = 1 + random.below(3000);
        if (!rate.reserve(tokens, seconds(1)).allowed) continue;
        int64_t now_held = held_and_charged.fetch_add(tokens) + tokens;
        int64_t seen = worst.load();
        while (now_held > seen && !worst.compare_exchange_weak(seen, now_held)) {
        }
        int64_t used = random.below(20) == 0 ? 1 : 0;
        held_and_charged.fetch_sub(tokens - used);
        rate.settle(tokens, used, seconds(1));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(worst.load(), kLimit);
  EXPECT_EQ(rate.peek(seconds(1)).remaining, kLimit - held_and_charged.load());
}

TEST(Concurrency, EntersUpToTheLimit) {
  Concurrency cell(2);
  EXPECT_EQ(cell.enter().remaining, 1);
  EXPECT_EQ(cell.enter().remaining, 0);
  EXPECT_FALSE(cell.enter().allowed);
  cell.leave();
  EXPECT_TRUE(cell.enter().allowed);
  EXPECT_EQ(cell.in_flight(), 2);
  Concurrency none;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(none.enter().allowed);
  EXPECT_EQ(none.in_flight(), 100);
}

}  // namespace
}  // namespace weir::ledger
