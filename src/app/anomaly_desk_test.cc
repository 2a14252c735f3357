#include "app/anomaly_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/id.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/temporary_directory.h"

namespace weir::app {
namespace {

using testing::HasSubstr;

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kBegin = ledger::kNoon / kHour * kHour;

class AnomalyDeskTest : public testing::Test {
 protected:
  AnomalyDeskTest() : writer_(ledger::options_in(directory_)), reader_(directory_.path()) {
    auto book = ledger::AlertBook::open(directory_.path());
    EXPECT_TRUE(book) << book.error().message();
    book_.emplace(std::move(*book));
  }
  // Requests of a key that begin at that time.
  void spend(int64_t at_ms, int64_t dollars, int requests = 10,
             ledger::Outcome outcome = ledger::Outcome::ok) {
    std::vector<ledger::RequestRow> rows;
    for (int i = 0; i < requests; ++i) {
      ledger::RequestRow row = ledger::sample_row(ids_.make(at_ms + i));
      row.start_ms = at_ms + i;
      row.key_id = "k";
      row.model = "m";
      row.outcome = outcome;
      row.status = outcome == ledger::Outcome::ok ? 200 : 429;
      row.cost = Money::from_nano(dollars * 1'000'000'000 / requests);
      rows.push_back(std::move(row));
    }
    ASSERT_TRUE(writer_.write(rows));
  }
  std::string turn(AnomalyDesk& desk, int64_t wall_ms, bool deliver = true) {
    const auto told = desk.turn(wall_ms, deliver,
                                [](std::string_view id) { return "name of " + std::string(id); });
    if (!told) return std::string(told.error().message());
    std::string kinds;
    for (const auto& one : *told) kinds += std::string(to_string(one.kind)) + " ";
    return kinds;
  }
  // Until nothing is left to be learned.
  void catch_up(AnomalyDesk& desk, int64_t wall_ms) {
    do {
      EXPECT_EQ(turn(desk, wall_ms), "");
    } while (desk.behind(wall_ms) > 0);
  }

  store::TemporaryDirectory directory_;
  ledger::LogWriter writer_;
  ledger::LogReader reader_;
  std::optional<ledger::AlertBook> book_;
  IdMaker ids_{0};
};

TEST_F(AnomalyDeskTest, LearnsThePastAndTellsTheHourUnderWayOnce) {
  for (int hour = 0; hour < 48; ++hour) spend(kBegin + hour * kHour, 2);
  const int64_t now = kBegin + 48 * kHour + 1'000;
  AnomalyDesk desk(reader_, *book_);
  desk.configure({});
  EXPECT_EQ(turn(desk, now), "");
  EXPECT_GT(desk.behind(now), 30) << "a few hours a turn";
  catch_up(desk, now);
  spend(now, 50);
  EXPECT_EQ(turn(desk, now + 1'000), "") << "a look every five minutes";
  EXPECT_EQ(turn(desk, now + 301'000), "spend ");
  EXPECT_EQ(turn(desk, now + 602'000), "");
  const auto told = book_->anomalies(10);
  ASSERT_TRUE(told);
  ASSERT_EQ(told->size(), 1U);
  for (const char* part :
       {R"("type":"anomaly")", R"("kind":"spend")", R"("key_id":"k")", R"("key":"name of k")",
        R"("unit":"usd","now":"50.00","usual":"2.00")", "has spent 50.00 USD on m since"}) {
    EXPECT_THAT(told->front().body, HasSubstr(part));
  }
  EXPECT_EQ(book_->counts().pending, 1U) << "for the webhook";
  EXPECT_EQ(book_->counts().anomalies[0], 1U);
  // A restart in the same hour finds it again, and tells nobody.
  AnomalyDesk again(reader_, *book_);
  again.configure({});
  catch_up(again, now + 900'000);
  EXPECT_EQ(book_->counts().pending, 1U);
}

TEST_F(AnomalyDeskTest, OldSpendingIsNoNewsAndDisabledIsSilent) {
  for (int hour = 0; hour < 30; ++hour) spend(kBegin + hour * kHour, hour == 29 ? 80 : 2);
  const int64_t now = kBegin + 40 * kHour;
  AnomalyDesk desk(reader_, *book_);
  desk.configure({});
  catch_up(desk, now);
  EXPECT_EQ(book_->counts().anomalies[0], 0U) << "the past is only learned";
  desk.configure({.enabled = false});
  spend(now, 500);
  EXPECT_EQ(turn(desk, now + 400'000), "");
  desk.configure({.floor = Money::from_nano(900'000'000'000)});
  EXPECT_EQ(turn(desk, now + 800'000), "") << "below this floor";
}

TEST_F(AnomalyDeskTest, ARetryLoopIsTold) {
  for (int hour = 0; hour < 30; ++hour) spend(kBegin + hour * kHour, 0, 20);
  const int64_t now = kBegin + 30 * kHour + 1'000;
  AnomalyDesk desk(reader_, *book_);
  desk.configure({});
  catch_up(desk, now);
  spend(now + 100'000, 0, 200, ledger::Outcome::denied);
  EXPECT_EQ(turn(desk, now + 300'000, false), "loop ");
  EXPECT_EQ(book_->counts().pending, 0U) << "without a webhook there is no message";
  EXPECT_THAT(book_->anomalies(1)->front().body,
              HasSubstr("has sent 200 requests for m since 18:00 UTC, and 200 of them failed"));
}

}  // namespace
}  // namespace weir::app
