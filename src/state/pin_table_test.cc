#include "state/pin_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir::state {
namespace {

constexpr int64_t kNow = 1'780'000'000'000;
constexpr int64_t kHour = 3'600'000;

TEST(PinTable, FindsWhatWasSetUntilItsTimeIsOver) {
  PinTable table(1024);
  EXPECT_FALSE(table.used());
  EXPECT_EQ(table.find("resp_1", kNow), std::nullopt);
  table.set("resp_1", account_hash("east"), kNow + kHour, kNow);
  table.set("resp_2", account_hash("west"), kNow + kHour, kNow);
  EXPECT_TRUE(table.used());
  EXPECT_EQ(table.find("resp_1", kNow), account_hash("east"));
  EXPECT_EQ(table.find("resp_2", kNow), account_hash("west"));
  EXPECT_EQ(table.find("resp_3", kNow), std::nullopt);
  EXPECT_EQ(table.find("resp_1", kNow + 2 * kHour), std::nullopt);
  table.set("resp_1", account_hash("west"), kNow + kHour, kNow);
  EXPECT_EQ(table.find("resp_1", kNow), account_hash("west"));
  table.erase("resp_1");
  EXPECT_EQ(table.find("resp_1", kNow), std::nullopt);
  EXPECT_EQ(table.find("resp_2", kNow), account_hash("west"));
}

TEST(PinTable, AFullSetLosesWhatEndsFirst) {
  PinTable table(PinTable::kWays);  // one set
  for (int i = 0; i < 8; ++i) table.set(fmt::format("f{}", i), 1, kNow + (i + 2) * kHour, kNow);
  EXPECT_EQ(table.evicted(), 0U);
  table.set("late", 2, kNow + 100 * kHour, kNow);
  EXPECT_EQ(table.evicted(), 1U);
  EXPECT_EQ(table.find("f0", kNow), std::nullopt);
  EXPECT_EQ(table.find("f1", kNow), 1U);
  EXPECT_EQ(table.find("late", kNow), 2U);
  // What is over its time goes without a loss.
  table.set("later", 3, kNow + 200 * kHour, kNow + 4 * kHour);
  EXPECT_EQ(table.evicted(), 1U);
}

TEST(PinTable, ReadersAndWritersNeverSeeAMixture) {
  PinTable table(PinTable::kWays);  // everybody meets in one set
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  std::atomic<int> seen{0};
  for (uint32_t t = 0; t < 2; ++t) {
    threads.emplace_back([&table, t] {
      for (uint32_t i = 0; i < 20'000; ++i) {
        const uint32_t id = i % 40 + t * 40;
        table.set(fmt::format("id{}", id), id, kNow + kHour + (i % 7) * kHour, kNow);
      }
    });
  }
  for (uint32_t t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (uint32_t i = 0; i < 20'000; ++i) {
        const auto account = table.find(fmt::format("id{}", i % 80), kNow);
        if (account) ++seen;
        if (account && *account != i % 80) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  table.set("id1", 1, kNow + 100 * kHour, kNow);
  EXPECT_EQ(table.find("id1", kNow), 1U);
}

TEST(PinTable, DigestsTellOpaqueTextsApart) {
  const std::string a(5000, 'a');
  std::string head = a;
  head[3] = 'b';
  std::string tail = a;
  tail[4999] = 'b';
  EXPECT_EQ(digest_id(a), digest_id(a));
  EXPECT_NE(digest_id(a), digest_id(head));
  EXPECT_NE(digest_id(a), digest_id(tail));
  EXPECT_NE(digest_id(a), digest_id(a + "a"));
  EXPECT_EQ(digest_id("x"), "enc_1_" + digest_id("x").substr(6)) << "the length is told";
}

}  // namespace
}  // namespace weir::state
