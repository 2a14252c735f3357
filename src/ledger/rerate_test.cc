#include "ledger/rerate.h"

#include <gtest/gtest.h>

#include "ledger/corrections.h"
#include "ledger/log_reader.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "ledger/series.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

PriceRow price(int64_t input, int64_t output) {
  PriceRow row;
  row.id = "openai/m@2026-01-01";
  row.provider = "openai";
  row.model = "m";
  row.rates[UsageClass::input] = input;
  row.rates[UsageClass::output] = output;
  return row;
}

class Rerate : public testing::Test {
 protected:
  // A hundred requests over two days; every fifth was tried before, every tenth has no price.
  Rerate() {
    LogWriter writer(options_in(directory_));
    std::vector<RequestRow> rows;
    IdMaker ids(0);
    const PriceRow before = price(2'000'000, 8'000'000);
    for (int i = 0; i < 100; ++i) {
      RequestRow row = sample_row(ids.make(kNoon + i * 900'000), 1);
      row.provider_model = "m";
      row.usage = {};
      row.usage.input = 1'000 + i;
      row.usage.output = 100;
      row.usage.reported = true;
      row.set_cost(cost(row.usage, before));
      if (i % 5 == 0) {
        row.attempts = 2;
        row.cost += Money::from_nano(77);
        row.list_cost += Money::from_nano(77);
      }
      if (i % 10 == 9) row.set_cost(Cost{});
      cost_before_ += row.cost;
      expected_ += cost(row.usage, price(3'000'000, 6'000'000)).total;
      if (i % 5 == 0) expected_ += Money::from_nano(77);
      rows.push_back(std::move(row));
    }
    EXPECT_TRUE(writer.write(rows));
  }

  Result<RerateReport> run(const PriceBook& book, bool dry_run = false) {
    return rerate({.data_dir = directory_.path(),
                   .since_ms = kNoon,
                   .until_ms = kNoon + 2 * store::kDayMs,
                   .dry_run = dry_run},
                  book);
  }
  Sums sums() {
    const auto list = LogReader(directory_.path()).sums({.since_ms = kNoon - store::kDayMs});
    EXPECT_TRUE(list && list->size() == 1);
    return list && !list->empty() ? list->front() : Sums{};
  }

  store::TemporaryDirectory directory_;
  Money cost_before_;
  Money expected_;
};

TEST_F(Rerate, CorrectionsBringTheSumsToThePricesOfTodayAndASecondRunFindsNothing) {
  const PriceBook book = *PriceBook::build({price(3'000'000, 6'000'000)}, {});
  const Sums before = sums();
  EXPECT_EQ(before.cost, cost_before_);
  EXPECT_EQ(before.unpriced, 10);
  const auto dry = run(book, true);
  ASSERT_TRUE(dry) << dry.error().message();
  EXPECT_EQ(sums().cost, cost_before_) << "a dry run writes nothing";
  const auto report = run(book);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->rows, 100);
  EXPECT_EQ(report->all.rows, dry->all.rows);
  EXPECT_EQ(report->all.rows, 100);
  EXPECT_EQ(report->all.before, cost_before_);
  EXPECT_EQ(report->all.after, expected_);
  EXPECT_EQ(dry->all.after, expected_);
  const Sums after = sums();
  EXPECT_EQ(after.cost, expected_);
  EXPECT_EQ(after.requests, before.requests) << "a correction is no request";
  EXPECT_EQ(after.input_tokens, before.input_tokens);
  EXPECT_EQ(after.unpriced, 0);
  const auto again = run(book);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->all.rows, 0);
  EXPECT_EQ(again->same, 100);
  EXPECT_EQ(sums().cost, expected_);
  // And back: corrections of corrections.
  const auto back = run(*PriceBook::build({price(2'000'000, 8'000'000)}, {}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->all.before, expected_);
  EXPECT_EQ(sums().unpriced, 0);
}

TEST_F(Rerate, RowsStayAsTheyWereAndCorrectionsPointAtThem) {
  const LogReader reader(directory_.path());
  const RowFilter everything{.corrections = true, .limit = 1'000};
  const auto before = reader.list({.limit = 1'000});
  ASSERT_TRUE(before);
  ASSERT_TRUE(run(*PriceBook::build({price(3'000'000, 6'000'000)}, {})));
  const auto after = reader.list({.limit = 1'000});
  ASSERT_TRUE(after);
  ASSERT_EQ(after->rows.size(), before->rows.size());
  for (size_t i = 0; i < before->rows.size(); ++i) {
    EXPECT_EQ(after->rows[i].id, before->rows[i].id);
    EXPECT_EQ(after->rows[i].cost, before->rows[i].cost);
    EXPECT_EQ(after->rows[i].rates, before->rows[i].rates);
  }
  const auto all = reader.list(everything);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->rows.size(), 200u);
  Money sum;
  for (const RequestRow& row : all->rows) {
    sum += row.cost;
    if (row.corrects.value() == 0) continue;
    EXPECT_EQ(row.usage.total_input() + row.usage.total_output(), 0);
    EXPECT_EQ(row.price_row, "openai/m@2026-01-01");
    const auto original = reader.get(row.corrects);
    ASSERT_TRUE(original);
    EXPECT_EQ(original->start_ms, row.start_ms);
    EXPECT_EQ(row.id.wall_ms() / kHourMs, row.corrects.wall_ms() / kHourMs);
  }
  EXPECT_EQ(sum, expected_);
  const auto series =
      read_series(reader, {.since_ms = kNoon, .until_ms = kNoon + 2 * store::kDayMs});
  ASSERT_TRUE(series);
  EXPECT_EQ(series->whole.cost, expected_);
  EXPECT_EQ(series->whole.requests, 100);
}

TEST_F(Rerate, ADiscountIsOfThePaidAndNotOfTheList) {
  PriceBook book = *PriceBook::build({price(2'000'000, 8'000'000)}, {});
  ASSERT_TRUE(book.set_terms({{.account = "openai-main", .discount_ppm = 500'000}}));
  ASSERT_TRUE(run(book));
  const auto all = LogReader(directory_.path()).list({.corrections = true, .limit = 1'000});
  ASSERT_TRUE(all);
  for (const RequestRow& row : all->rows) {
    if (row.corrects.value() == 0) continue;
    const auto original = LogReader(directory_.path()).get(row.corrects);
    ASSERT_TRUE(original);
    if (original->price_row.empty()) continue;  // it gets its whole list price now
    EXPECT_EQ(row.list_cost, Money{});
    EXPECT_LT(row.cost, Money{});
  }
}

// What can not be known is left alone: no price in the book, a batch of several models, a request
// that cost nothing by intent.
TEST_F(Rerate, WhatIsNotKnownIsLeftAlone) {
  PriceRow other = price(1, 1);
  other.model = "another";
  const auto report = run(*PriceBook::build({other}, {}));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->unpriced, 100);
  EXPECT_EQ(report->all.rows, 0);
  LogWriter writer(options_in(directory_));
  IdMaker ids(1);
  std::vector<RequestRow> rows;
  for (int i = 0; i < 3; ++i) rows.push_back(sample_row(ids.make(kNoon + 5), 1));
  for (RequestRow& row : rows) row.provider_model = "m";
  rows[0].endpoint = "batch";
  rows[0].rates.clear();
  rows[1].price_row.clear();
  rows[1].rates.clear();
  rows[1].cost = {};  // final, without a price: counting tokens
  rows[2].model_asked.clear();
  ASSERT_TRUE(writer.write(rows));
  const auto more = run(*PriceBook::build({price(3'000'000, 6'000'000)}, {}), true);
  ASSERT_TRUE(more);
  EXPECT_EQ(more->rows, 101);
  EXPECT_EQ(more->unknown, 1);
  EXPECT_FALSE(rerate({.data_dir = directory_.path(), .since_ms = 2, .until_ms = 2}, PriceBook{}));
}

TEST_F(Rerate, BudgetsOfARunningServerLearnOfCorrectionsOnce) {
  const LogReader reader(directory_.path());
  const int64_t now = kNoon + store::kDayMs;
  LimitRegistry registry;
  ASSERT_TRUE(remember_spending(reader, now, registry));
  const std::string subject = key_subject(sample_row(Id(1), 1).key_id);
  const auto cells = registry.get(subject, {});
  const auto all = registry.get(kOrganizationSubject, {});
  const auto ever = [](const auto& of) { return of->budgets.spent_ever(); };
  EXPECT_EQ(ever(all), cost_before_);
  EXPECT_EQ(corrections_stamp(directory_.path()), 0);
  ASSERT_TRUE(run(*PriceBook::build({price(3'000'000, 6'000'000)}, {})));
  EXPECT_NE(corrections_stamp(directory_.path()), 0);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(recall_corrections(reader, now, registry));
    EXPECT_EQ(ever(all), expected_);
    EXPECT_EQ(ever(cells), expected_);
    EXPECT_EQ(all->budgets.spent({.window = BudgetWindow::rolling, .days = 30}, now), expected_);
  }
  // Cells that are made now have them already.
  LimitRegistry later;
  ASSERT_TRUE(remember_spending(reader, now, later));
  const auto fresh = later.get(subject, {});
  EXPECT_EQ(ever(fresh), expected_);
  ASSERT_TRUE(recall_corrections(reader, now, later));
  EXPECT_EQ(ever(fresh), expected_);
  // And back: what is spent falls, and what was spent since stays.
  all->budgets.commit(Money{}, Money::from_nano(5), now);
  ASSERT_TRUE(run(*PriceBook::build({price(2'000'000, 8'000'000)}, {})));
  ASSERT_TRUE(recall_corrections(reader, now, registry));
  EXPECT_EQ(ever(all), sums().cost + Money::from_nano(5));
  EXPECT_LT(sums().cost, expected_);
}

TEST_F(Rerate, OneThatIsCancelledKeepsWhatItWroteAndTellsIt) {
  int64_t heard = 0;
  const auto report = rerate({.data_dir = directory_.path(),
                              .since_ms = kNoon,
                              .until_ms = kNoon + 2 * store::kDayMs,
                              .progress = [&heard](int64_t rows) -> Result<void> {
                                heard = rows;
                                return fail(ErrorCode::cancelled);
                              }},
                             *PriceBook::build({price(3'000'000, 6'000'000)}, {}));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::cancelled);
  EXPECT_GT(heard, 0);
  EXPECT_LT(heard, 100) << "the first day's";
  EXPECT_NE(sums().cost, cost_before_);
  EXPECT_NE(corrections_stamp(directory_.path()), 0);
}

}  // namespace
}  // namespace weir::ledger
