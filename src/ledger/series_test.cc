#include "ledger/series.h"

#include <gtest/gtest.h>

#include "ledger/log_schema.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

// One row a minute for three days, every tenth an error, every fifth denied; the i-th took i ms.
class SeriesTest : public testing::Test {
 protected:
  SeriesTest() {
    LogWriter writer(options_in(directory_));
    IdMaker ids(0);
    for (int i = 0; i < kRows; ++i) {
      RequestRow row = sample_row(ids.make(kFirst + i * kMinute), static_cast<uint64_t>(i + 1));
      row.total_us = (i + 1) * 1000;
      row.ttft_us = i % 4 == 0 ? 0 : i + 1;
      row.streamed = i % 2 == 0;
      row.model = i % 3 == 0 ? "a" : "b";
      if (i % 10 == 0) row.outcome = Outcome::error;
      if (i % 10 == 5) row.outcome = Outcome::denied;
      rows_.push_back(std::move(row));
    }
    EXPECT_TRUE(writer.write(rows_));
  }

  static constexpr int kRows = 3 * 24 * 60;
  static constexpr int64_t kMinute = 60'000;
  static constexpr int64_t kFirst = kNoon - 12 * kHourMs;

  store::TemporaryDirectory directory_;
  std::vector<RequestRow> rows_;
  LogReader reader_{directory_.path()};
};

SeriesPoint sum(const Series& series) {
  SeriesPoint all;
  for (const SeriesPoint& point : series.points) {
    all.requests += point.requests;
    all.errors += point.errors;
    all.denied += point.denied;
    all.input_tokens += point.input_tokens;
    all.output_tokens += point.output_tokens;
    all.cost += point.cost;
  }
  return all;
}

TEST_F(SeriesTest, RowsAndRollupsSayTheSame) {
  const SeriesQuery query{.since_ms = kFirst, .until_ms = kFirst + kRows * kMinute};
  const auto exact = read_series(reader_, query);
  ASSERT_TRUE(exact) << exact.error().message();
  SeriesQuery few = query;
  few.rows_max = 100;
  const auto sampled = read_series(reader_, few);
  ASSERT_TRUE(sampled) << sampled.error().message();
  EXPECT_TRUE(exact->exact);
  EXPECT_FALSE(sampled->exact);

  SeriesPoint want;
  for (const RequestRow& row : rows_) {
    want.requests += 1;
    want.errors += row.outcome != Outcome::ok ? 1 : 0;
    want.denied += row.outcome == Outcome::denied ? 1 : 0;
    want.input_tokens += row.usage.total_input();
    want.output_tokens += row.usage.total_output();
    want.cost += row.cost;
  }
  for (const auto* series : {&*exact, &*sampled}) {
    for (const SeriesPoint& got : {series->whole, sum(*series)}) {
      EXPECT_EQ(got.requests, want.requests);
      EXPECT_EQ(got.errors, want.errors);
      EXPECT_EQ(got.denied, want.denied);
      EXPECT_EQ(got.input_tokens, want.input_tokens);
      EXPECT_EQ(got.output_tokens, want.output_tokens);
      EXPECT_EQ(got.cost, want.cost);
    }
  }
  EXPECT_EQ(exact->whole.total.count, kRows * 8 / 10);
}

TEST_F(SeriesTest, PercentilesAreOfTheRowsThatEndedWell) {
  // Rows 0 to 99; 20 of them failed. Those that were streamed and have a first byte: even, and not
  // a multiple of four, and not 10, 30, ...: 20 rows.
  const auto series =
      read_series(reader_, {.since_ms = kFirst, .until_ms = kFirst + 100 * kMinute, .points = 10});
  ASSERT_TRUE(series);
  EXPECT_EQ(series->step_ms, 10 * kMinute);
  ASSERT_EQ(series->points.size(), 10u);
  EXPECT_EQ(series->points[3].requests, 10);
  EXPECT_EQ(series->points[3].errors, 2);
  // 31 to 39 without 35: the values are 32, 33, 34, 35, 37, 38, 39, 40 ms.
  EXPECT_EQ(series->points[3].total.p50, 35'000);
  EXPECT_EQ(series->points[3].total.p99, 40'000);
  EXPECT_EQ(series->whole.total.count, 80);
  EXPECT_EQ(series->whole.total.p50, 50'000);
  EXPECT_EQ(series->whole.ttft.count, 20);
}

TEST_F(SeriesTest, FiltersAndPartsOfARange) {
  const auto one = read_series(reader_, {.since_ms = kFirst + 24 * kHourMs - 5 * kMinute,
                                         .until_ms = kFirst + 24 * kHourMs + 5 * kMinute,
                                         .points = 10,
                                         .model = "a"});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->whole.requests, 3);  // of ten rows over midnight: 1437, 1440 and 1443
  const auto none =
      read_series(reader_, {.since_ms = kFirst, .until_ms = kFirst + kHourMs, .model = "a' OR 1"});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->whole.requests, 0);
  EXPECT_FALSE(read_series(reader_, {.since_ms = 5, .until_ms = 5}));
  EXPECT_FALSE(read_series(reader_, {.since_ms = 0, .until_ms = kNoon}));
}

TEST(SeriesStep, IsTheSmallestRoundOneThatFits) {
  EXPECT_EQ(series_step_ms(kHourMs, 120, 1000), 30'000);
  EXPECT_EQ(series_step_ms(kHourMs, 120, kHourMs), kHourMs);
  EXPECT_EQ(series_step_ms(30 * store::kDayMs, 120, 1000), 6 * kHourMs);
  EXPECT_EQ(series_step_ms(10'000, 400, 1000), 1000);
}

}  // namespace
}  // namespace weir::ledger
