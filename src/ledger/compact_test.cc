#include "ledger/compact.h"

#include <gtest/gtest.h>

#include "ledger/log_reader.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

class Compact : public testing::Test {
 protected:
  Compact() {
    LogWriter writer(options_in(directory_));
    std::vector<RequestRow> rows;
    IdMaker ids(0);
    for (int i = 0; i < 3'000; ++i) {
      rows.push_back(sample_row(ids.make(kNoon + (i / 1'500) * store::kDayMs), i));
    }
    EXPECT_TRUE(writer.write(rows));
  }
  std::string file(int64_t day) {
    return store::day_file(directory_.path(), kRequestsPrefix, store::day_of(kNoon) + day);
  }
  void remove_most(int64_t day) {
    auto connection = store::Connection::open(file(day), store::OpenMode::read_write);
    ASSERT_TRUE(connection);
    ASSERT_TRUE(connection->execute("DELETE FROM request WHERE id%10<>0"));
  }

  store::TemporaryDirectory directory_;
};

TEST_F(Compact, PastDaysGiveRoomBackAndTodayIsLeftAlone) {
  remove_most(0);
  remove_most(1);
  const LogReader reader(directory_.path());
  const auto before = reader.list({.since_ms = kNoon - store::kDayMs, .limit = 1000});
  const auto report = compact({.data_dir = directory_.path(), .today = store::day_of(kNoon) + 1});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->files, 1);
  EXPECT_EQ(report->compacted, 1);
  EXPECT_EQ(report->left, 0);
  EXPECT_LT(report->bytes_after, report->bytes_before / 2);
  const auto after = reader.list({.since_ms = kNoon - store::kDayMs, .limit = 1000});
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->rows.size(), before->rows.size());
  const auto again = compact({.data_dir = directory_.path(), .today = store::day_of(kNoon) + 1});
  EXPECT_EQ(again->compacted, 0) << "there is nothing left to give back";
}

TEST_F(Compact, ALockedFileIsLeftForTheNextTime) {
  remove_most(0);
  auto other = store::Connection::open(file(0), store::OpenMode::read_write);
  auto writing = store::Transaction::begin(*other);
  ASSERT_TRUE(writing);
  const auto report = compact({.data_dir = directory_.path(), .today = store::day_of(kNoon) + 2});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->files, 2);
  EXPECT_EQ(report->left, 1);
}

TEST_F(Compact, IsCancelledBetweenTwoFiles) {
  const auto report = compact({.data_dir = directory_.path(),
                               .today = store::day_of(kNoon) + 2,
                               .progress = [](int64_t done, int64_t total) -> Result<void> {
                                 EXPECT_EQ(total, 2);
                                 if (done == 0) return {};
                                 return fail(ErrorCode::cancelled);
                               }});
  EXPECT_EQ(report.error().code(), ErrorCode::cancelled);
}

}  // namespace
}  // namespace weir::ledger
