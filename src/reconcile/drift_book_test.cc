#include "reconcile/drift_book.h"

#include <gtest/gtest.h>

#include "store/temporary_directory.h"

namespace weir::reconcile {
namespace {

Drift drift(std::string provider, std::string model, int64_t day, int64_t tokens) {
  Drift made{.provider = std::move(provider), .model = std::move(model), .day = day};
  made.ledger_tokens = tokens;
  made.provider_tokens = tokens + 5;
  made.ledger_cost = Money::from_nano(tokens * 1000);
  made.parts = {{.kind = Kind::bypass, .tokens = 5, .cost = Money::from_nano(-7)},
                {.kind = Kind::unexplained, .tokens = 0, .cost = Money::from_nano(9)}};
  return made;
}

class DriftBookTest : public testing::Test {
 protected:
  DriftBookTest() : book_(*DriftBook::open(directory_.path())) {}
  int64_t keep(int64_t from, int64_t to, std::vector<Drift> drifts) {
    const auto id = book_.keep({.time_ms = 77,
                                .by = "ada",
                                .source = "openai",
                                .files = "costs.json",
                                .from_day = from,
                                .to_day = to,
                                .lines = 3,
                                .left_out = {{"in EUR", 2}}},
                               {.drifts = std::move(drifts)});
    EXPECT_TRUE(id) << id.error().message();
    return id.value_or(0);
  }
  std::vector<KeptDrift> list(DriftFilter filter) {
    auto list = book_.list(filter);
    EXPECT_TRUE(list) << list.error().message();
    return list.value_or(std::vector<KeptDrift>());
  }

  store::TemporaryDirectory directory_;
  DriftBook book_;
};

TEST_F(DriftBookTest, WhatIsKeptIsReadBack) {
  const int64_t id = keep(100, 102, {drift("openai", "a", 100, 10), drift("openai", "b", 101, 20)});
  DriftBook other = *DriftBook::open(directory_.path());
  const auto kept = *other.list({.from_day = 0, .to_day = 1000});
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].drift.model, "b") << "newest first";
  EXPECT_EQ(kept[0].run, id);
  EXPECT_EQ(kept[0].time_ms, 77);
  EXPECT_EQ(kept[1].drift.parts, drift("", "", 0, 0).parts);
  EXPECT_EQ(kept[1].drift.ledger_cost, Money::from_nano(10'000));
  EXPECT_EQ(kept[1].drift.provider_tokens, 15);
  const auto runs = *other.runs();
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].left_out.at("in EUR"), 2);
  EXPECT_EQ(runs[0].files, "costs.json");
}

TEST_F(DriftBookTest, ARunReplacesItsDaysOfItsProviders) {
  keep(100, 103,
       {drift("openai", "a", 100, 1), drift("openai", "a", 102, 1),
        drift("anthropic", "c", 101, 1)});
  // The model is gone from the new statement, and day 102 is not in it.
  const int64_t second = keep(100, 102, {drift("openai", "b", 101, 2)});
  const auto kept = list({.from_day = 0, .to_day = 1000});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].drift.day, 102);
  EXPECT_EQ(kept[1].drift.provider, "anthropic");
  EXPECT_EQ(kept[2].drift.model, "b");
  EXPECT_EQ(kept[2].run, second);
}

TEST_F(DriftBookTest, DaysProviderAndNumberAreAsked) {
  keep(100, 103,
       {drift("openai", "a", 100, 1), drift("openai", "a", 101, 1), drift("gemini", "c", 101, 1)});
  EXPECT_EQ(list({.from_day = 101, .to_day = 102}).size(), 2U);
  EXPECT_EQ(list({.from_day = 0, .to_day = 102, .provider = "gemini"}).size(), 1U);
  EXPECT_EQ(list({.from_day = 0, .to_day = 102, .limit = 1}).size(), 1U);
  EXPECT_EQ(list({.from_day = 0, .to_day = 100}).size(), 0U);
}

TEST_F(DriftBookTest, OldRunsAndOldDaysGo) {
  keep(1, 2, {drift("openai", "a", 1, 1)});
  for (size_t i = 0; i < DriftBook::kRunsMax; ++i) {
    keep(2000, 2001, {drift("openai", "a", 2000, 1)});
  }
  EXPECT_EQ(book_.runs()->size(), DriftBook::kRunsMax);
  EXPECT_EQ(list({.from_day = 0, .to_day = 3000}).size(), 1U);
}

}  // namespace
}  // namespace weir::reconcile
