#include "ledger/user_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace weir::ledger {
namespace {

using std::chrono::seconds;

constexpr HashKey kKey{7, 11};
constexpr LimitRules kTwo{.requests_per_minute = 2};

bool take(UserLimits& users, const std::string& subject, const std::string& user, Nanoseconds now) {
  const auto cells = users.cells_of(subject, user, kTwo, now);
  return cells != nullptr && cells->requests.take(now).allowed;
}

TEST(UserLimits, EachUserOfEachSubjectHasABucketOfItsOwn) {
  const auto users = UserLimits::make(kKey);
  for (const char* subject : {"key/a", "key/b", "team/a"}) {
    for (const char* user : {"", "alice", "bob"}) {
      EXPECT_TRUE(take(*users, subject, user, seconds(1)));
      EXPECT_TRUE(take(*users, subject, user, seconds(1)));
      EXPECT_FALSE(take(*users, subject, user, seconds(1))) << subject << " " << user;
      EXPECT_FALSE(take(*users, subject, user, seconds(30)));
    }
  }
  EXPECT_EQ(users->counts().buckets, 9u);
  EXPECT_EQ(users->counts().untracked, 0u);
}

TEST(UserLimits, OnlyWholeBucketsAreForgottenAndOnlyWhenNobodyHoldsThem) {
  const auto users = UserLimits::make(kKey, UserLimits::kWindow);
  std::vector<std::shared_ptr<RateCells>> held;
  for (size_t i = 0; i < UserLimits::kWindow; ++i) {
    const std::string name = "user-" + std::to_string(i);
    EXPECT_TRUE(take(*users, "k", name, seconds(1)));
    if (i % 2 == 0) held.push_back(users->cells_of("k", name, kTwo, seconds(1)));
  }
  EXPECT_EQ(users->cells_of("k", "late", kTwo, seconds(2)), nullptr) << "none is whole yet";
  EXPECT_EQ(users->counts().untracked, 1u);
  // A request each: whole again after half a minute. The held ones are kept all the same.
  for (size_t i = 0; i < UserLimits::kWindow / 2; ++i) {
    EXPECT_TRUE(take(*users, "k", "new-" + std::to_string(i), seconds(40)));
  }
  EXPECT_EQ(users->cells_of("k", "late", kTwo, seconds(40)), nullptr);
  EXPECT_EQ(users->counts().reused, UserLimits::kWindow / 2);
  EXPECT_EQ(users->counts().buckets, UserLimits::kWindow);
  held.pop_back();
  EXPECT_NE(users->cells_of("k", "late", kTwo, seconds(40)), nullptr);
}

TEST(UserLimits, HeldTokensAndDebtsKeepABucket) {
  const auto users = UserLimits::make(kKey, UserLimits::kWindow);
  const LimitRules rules{.tokens_per_minute = 60};
  for (size_t i = 0; i < UserLimits::kWindow; ++i) {
    const auto cells = users->cells_of("k", std::to_string(i), rules, seconds(1));
    ASSERT_TRUE(cells->tokens.reserve(60, seconds(1)).allowed);
    cells->tokens.settle(60, i == 0 ? 1 : 120, seconds(1));
  }
  const auto held = users->cells_of("k", "a", rules, seconds(2));
  EXPECT_NE(held, nullptr) << "one token, one second";
  EXPECT_EQ(users->cells_of("k", "b", rules, seconds(120)), nullptr) << "the debt of two minutes";
  EXPECT_NE(users->cells_of("k", "b", rules, seconds(121)), nullptr);
}

// Threads that meet new users at the same moment find one bucket for each of them.
TEST(UserLimits, WorkersThatMeetAUserAtOnceShareOneBucket) {
  constexpr int kUsers = 3'000;
  constexpr int kThreads = 4;
  const auto users = UserLimits::make(kKey, 16'384);
  std::vector<std::atomic<int>> admitted(kUsers);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int user = 0; user < kUsers; ++user) {
        for (int i = 0; i < 3; ++i) {
          const auto cells = users->cells_of("k", std::to_string(user), kTwo, seconds(1));
          if (cells != nullptr && cells->requests.take(seconds(1)).allowed) ++admitted[user];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int user = 0; user < kUsers; ++user) EXPECT_EQ(admitted[user].load(), 2) << user;
  EXPECT_EQ(users->counts().buckets, static_cast<uint64_t>(kUsers));
  EXPECT_EQ(users->counts().untracked, 0u);
}

}  // namespace
}  // namespace weir::ledger
