#include "state/keeper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "state/shelf.h"
#include "store/temporary_directory.h"

namespace weir::state {
namespace {

Record record(const std::string& id, std::string body, Owner owner = {"key", "team"}) {
  const int64_t now = SystemClock().wall_ms();
  return {.id = id,
          .kind = RecordKind::response,
          .owner = std::move(owner),
          .created_ms = now,
          .expires_ms = now + 3'600'000,
          .body = std::move(body)};
}

class KeeperTest : public testing::TestWithParam<bool> {
 protected:
  KeeperTest() : loop_(clock_) { reopen(); }
  ~KeeperTest() override { keeper_.reset(); }
  void reopen(uint64_t bytes_max = 1 << 30) {
    keeper_.reset();
    auto opened = Keeper::open(
        {.data_dir = directory_.path(), .bytes_max = bytes_max, .threaded = GetParam()}, clock_);
    ASSERT_TRUE(opened) << opened.error().message();
    keeper_ = std::move(*opened);
  }
  std::optional<Record> find(const std::string& id, bool take = false,
                             RecordKind kind = RecordKind::response) {
    auto found = net::run_task(loop_, keeper_->find(loop_, id, kind, take));
    if (!found || !*found) {
      ADD_FAILURE() << "no answer";
      return std::nullopt;
    }
    return **found;
  }

  SystemClock clock_;
  net::Loop loop_;
  store::TemporaryDirectory directory_;
  std::unique_ptr<Keeper> keeper_;
};

TEST_P(KeeperTest, WhatWasFlushedIsOnDisk) {
  ASSERT_TRUE(keeper_->keep(record("resp_1", "hello")));
  EXPECT_TRUE(net::run_task(loop_, keeper_->flush(loop_)));
  auto shelf = Shelf::open(directory_.path() + "/state.db");
  ASSERT_TRUE(shelf);
  const auto found = shelf->find("resp_1", RecordKind::response);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->body, "hello");
}

TEST_P(KeeperTest, WhatIsKeptIsFoundAtOnceAndAfterARestart) {
  EXPECT_EQ(find("resp_1"), std::nullopt);
  ASSERT_TRUE(keeper_->keep(record("resp_1", "hello")));
  ASSERT_TRUE(find("resp_1"));
  EXPECT_EQ(find("resp_1")->body, "hello");
  EXPECT_EQ(find("resp_1", false, RecordKind::batch), std::nullopt);
  EXPECT_TRUE(keeper_->pin("file-1", "east", clock_.wall_ms()));
  EXPECT_TRUE(keeper_->pin("file-2", "east", clock_.wall_ms()));
  keeper_->unpin("file-2");
  reopen();
  const auto found = find("resp_1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->body, "hello");
  EXPECT_EQ(found->owner.key_id, "key");
  EXPECT_EQ(found->owner.team, "team");
  EXPECT_EQ(keeper_->pins().find("file-1", clock_.wall_ms()), account_hash("east"));
  EXPECT_EQ(keeper_->pins().find("file-2", clock_.wall_ms()), std::nullopt);
}

TEST_P(KeeperTest, WhatIsRemovedOrTakenIsGoneForGood) {
  keeper_->keep(record("a", "1"));
  keeper_->keep(record("b", "2"));
  reopen();
  keeper_->remove("a");
  EXPECT_EQ(find("a"), std::nullopt) << "though the disk may still have it";
  ASSERT_TRUE(find("b", true));
  EXPECT_EQ(find("b", true), std::nullopt);
  reopen();
  EXPECT_EQ(find("a"), std::nullopt);
  EXPECT_EQ(find("b"), std::nullopt);
}

TEST_P(KeeperTest, WhatIsOverItsTimeIsNotFound) {
  Record old = record("old", "1");
  old.expires_ms = clock_.wall_ms() - 1;
  keeper_->keep(std::move(old));
  EXPECT_EQ(find("old"), std::nullopt);
  reopen();
  EXPECT_EQ(find("old"), std::nullopt);
}

TEST_P(KeeperTest, MoreThanMemoryHoldsIsFoundOnDisk) {
  // Ten records of 10 MiB: memory holds six.
  for (int i = 0; i < 10; ++i) {
    keeper_->keep(record(fmt::format("r{}", i), std::string(10 << 20, static_cast<char>('a' + i))));
  }
  for (int i = 0; i < 10; ++i) {
    const auto found = find(fmt::format("r{}", i));
    ASSERT_TRUE(found) << i;
    EXPECT_EQ(found->body.size(), 10U << 20);
    EXPECT_EQ(found->body[0], 'a' + i);
  }
  EXPECT_FALSE(keeper_->keep(record("huge", std::string(Keeper::kRecordBytesMax + 1, 'x'))));
}

TEST_P(KeeperTest, AStoppedKeeperRefuses) {
  keeper_->stop();
  EXPECT_FALSE(keeper_->keep(record("late", "1")));
  auto found = net::run_task(loop_, keeper_->find(loop_, "late", RecordKind::response));
  ASSERT_TRUE(found);
  ASSERT_FALSE(*found);
  EXPECT_EQ(found->error().code(), ErrorCode::unavailable);
}

TEST_P(KeeperTest, ADamagedFileIsMovedAside) {
  keeper_.reset();
  const std::string path = directory_.path() + "/state.db";
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix);
  std::ofstream(path, std::ios::trunc) << std::string(4096, 'x');
  reopen();
  EXPECT_TRUE(std::filesystem::exists(path + ".corrupt"));
  keeper_->keep(record("a", "1"));
  EXPECT_TRUE(find("a"));
}

INSTANTIATE_TEST_SUITE_P(BothWays, KeeperTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Thread" : "Inline"; });

TEST(Keeper, EverythingThatManyThreadsGiveArrives) {
  SystemClock clock;
  store::TemporaryDirectory directory;
  {
    auto keeper = Keeper::open({.data_dir = directory.path()}, clock);
    ASSERT_TRUE(keeper);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&keeper, &clock, t] {
        for (int i = 0; i < 500; ++i) {
          (*keeper)->pin(fmt::format("id-{}-{}", t, i), fmt::format("a{}", t), clock.wall_ms());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ((*keeper)->counters().letters_dropped, 0U);
  }
  auto shelf = Shelf::open(directory.path() + "/state.db");
  ASSERT_TRUE(shelf);
  int count = 0;
  ASSERT_TRUE(shelf->each_pin(clock.wall_ms(), 10'000, [&](auto, auto, auto) { ++count; }));
  EXPECT_EQ(count, 2'000);
  // The ones that end last are read when there are too many.
  count = 0;
  ASSERT_TRUE(shelf->each_pin(clock.wall_ms(), 100, [&](auto, auto, auto) { ++count; }));
  EXPECT_EQ(count, 100);
}

TEST(Shelf, TidiesByTimeNumberAndBytes) {
  store::TemporaryDirectory directory;
  auto shelf = Shelf::open(directory.path() + "/state.db");
  ASSERT_TRUE(shelf);
  std::vector<Change> changes;
  for (int i = 0; i < 10; ++i) {
    changes.emplace_back(PutPin{fmt::format("p{}", i), "a", 1000 + i});
    Record one = record(fmt::format("r{}", i), std::string(100, 'a'));
    one.created_ms = 1000 + i;
    one.expires_ms = i == 9 ? 500 : 5000;
    changes.emplace_back(std::move(one));
  }
  ASSERT_TRUE(shelf->write(changes));
  const uint64_t all = *shelf->record_bytes();
  const auto evicted = shelf->tidy(1002, 5, all / 2);
  ASSERT_TRUE(evicted) << evicted.error().message();
  EXPECT_GE(*evicted, 4U);
  EXPECT_LE(*shelf->record_bytes(), all / 2);
  EXPECT_TRUE(*shelf->find("r8", RecordKind::response)) << "the newest stays";
  EXPECT_FALSE(*shelf->find("r9", RecordKind::response)) << "it is over its time";
  EXPECT_FALSE(*shelf->find("r0", RecordKind::response)) << "the oldest goes";
  std::vector<std::string> left;
  ASSERT_TRUE(
      shelf->each_pin(0, 100, [&](std::string_view id, auto, auto) { left.emplace_back(id); }));
  EXPECT_EQ(left, (std::vector<std::string>{"p5", "p6", "p7", "p8", "p9"}));
}

TEST(Owner, AKeySeesItsOwnAndItsTeams) {
  const Owner mine{"k1", "t"};
  EXPECT_TRUE(mine.may_see({"k1", ""}));
  EXPECT_TRUE(mine.may_see({"k2", "t"}));
  EXPECT_FALSE(mine.may_see({"k2", "other"}));
  EXPECT_FALSE((Owner{"k1", ""}).may_see({"k2", ""})) << "no team is no team in common";
}

}  // namespace
}  // namespace weir::state
