#include "ledger/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/sample_row.h"
#include "store/day.h"
#include "store/temporary_directory.h"

namespace weir::ledger {
namespace {

BudgetStanding standing(int64_t spent, BudgetWindow window = BudgetWindow::month,
                        int64_t limit = 1000) {
  return {.subject = "team/search",
          .rule = {.limit = Money::from_nano(limit),
                   .window = window,
                   .days = window == BudgetWindow::rolling ? 7 : 0},
          .spent = Money::from_nano(spent)};
}

std::vector<int> thresholds(AlertBook& book, const BudgetStanding& one, int64_t wall_ms = kNoon,
                            bool deliver = true) {
  const BudgetStanding list[] = {one};
  auto reached = book.watch(list, wall_ms, deliver);
  EXPECT_TRUE(reached);
  std::vector<int> found;
  for (const AlertBook::Reached& r : *reached) found.push_back(r.threshold);
  return found;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(AlertBook, EachThresholdIsToldOncePerWindowAcrossARestart) {
  store::TemporaryDirectory directory;
  {
    auto book = AlertBook::open(directory.path());
    ASSERT_TRUE(book);
    EXPECT_THAT(thresholds(*book, standing(499)), IsEmpty());
    EXPECT_THAT(thresholds(*book, standing(500)), ElementsAre(50));
    EXPECT_THAT(thresholds(*book, standing(799)), IsEmpty());
    EXPECT_EQ(book->counts().pending, 1u);
  }
  auto book = AlertBook::open(directory.path());
  ASSERT_TRUE(book);
  EXPECT_EQ(book->counts().pending, 1u) << "a message that was not delivered waits on";
  EXPECT_THAT(thresholds(*book, standing(700)), IsEmpty());
  EXPECT_THAT(thresholds(*book, standing(5000)), ElementsAre(80, 100)) << "both on a leap";
  EXPECT_THAT(thresholds(*book, standing(100)), IsEmpty()) << "spending does not fall in a month";
  EXPECT_THAT(thresholds(*book, standing(5000)), IsEmpty());
  EXPECT_THAT(thresholds(*book, standing(5000, BudgetWindow::month, 2000)),
              ElementsAre(50, 80, 100))
      << "a changed budget is another one";
  EXPECT_THAT(thresholds(*book, standing(600), kNoon + 31 * store::kDayMs), ElementsAre(50))
      << "a new month";
}

TEST(AlertBook, ARollingWindowIsArmedAgainWhenItFalls) {
  store::TemporaryDirectory directory;
  auto book = AlertBook::open(directory.path());
  ASSERT_TRUE(book);
  EXPECT_THAT(thresholds(*book, standing(850, BudgetWindow::rolling)), ElementsAre(50, 80));
  EXPECT_THAT(thresholds(*book, standing(600, BudgetWindow::rolling)), IsEmpty());
  EXPECT_THAT(thresholds(*book, standing(900, BudgetWindow::rolling)), ElementsAre(80));
}

TEST(AlertBook, MessagesWaitForTheirAttemptAndAreGivenUp) {
  store::TemporaryDirectory directory;
  auto book = AlertBook::open(directory.path());
  ASSERT_TRUE(book);
  EXPECT_THAT(thresholds(*book, standing(500)), ElementsAre(50));
  auto alert = book->next(kNoon);
  ASSERT_TRUE(alert && *alert);
  EXPECT_THAT((*alert)->body, testing::HasSubstr(R"("threshold_percent":50)"));
  EXPECT_THAT((*alert)->body, testing::HasSubstr(R"("window_start":"2026-11-01T)"));
  ASSERT_TRUE(book->failed(**alert, kNoon + 1000));
  EXPECT_FALSE(book->next(kNoon + 999)->has_value());
  alert = book->next(kNoon + 1000);
  ASSERT_TRUE(alert->has_value());
  EXPECT_EQ((*alert)->attempts, 1u);
  ASSERT_TRUE(book->failed(**alert, 0));
  EXPECT_FALSE(book->next(kNoon + 10'000)->has_value());
  EXPECT_EQ(book->counts().given_up, 1u);
  EXPECT_EQ(book->counts().failed, 2u);
  EXPECT_THAT(thresholds(*book, standing(800)), ElementsAre(80));
  ASSERT_TRUE(book->sent(**book->next(kNoon)));
  EXPECT_EQ(book->counts().pending, 0u);
}

TEST(AlertBook, AreBounded) {
  store::TemporaryDirectory directory;
  auto book = AlertBook::open(directory.path());
  ASSERT_TRUE(book);
  std::vector<BudgetStanding> many;
  for (size_t i = 0; i < AlertBook::kPendingMax; ++i) {
    many.push_back(standing(500));
    many.back().subject = "key/" + std::to_string(i);
  }
  ASSERT_TRUE(book->watch(many, kNoon, true));
  EXPECT_EQ(book->counts().pending, AlertBook::kPendingMax);
  EXPECT_THAT(thresholds(*book, standing(1000)), ElementsAre(50, 80, 100));
  EXPECT_EQ(book->counts().dropped, 3u);
  for (BudgetStanding& one : many) one.spent = Money::from_nano(800);
  ASSERT_TRUE(book->watch(many, kNoon, false));
  EXPECT_EQ(book->counts().pending, AlertBook::kPendingMax) << "nobody to deliver to";
}

}  // namespace
}  // namespace weir::ledger
