#include "ledger/log_reader.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "ledger/admission.h"
#include "ledger/log_schema.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/day.h"
#include "store/temporary_directory.h"

namespace weir::ledger {
namespace {

using store::TemporaryDirectory;

TEST(LogReader, ListsNewestFirstByPageAndFilter) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  IdMaker ids(0);
  std::vector<RequestRow> rows;
  for (int i = 0; i < 300; ++i) {
    rows.push_back(sample_row(ids.make(kNoon + i * (store::kDayMs / 100))));  // three days
    rows.back().key_id = i % 3 == 0 ? "a" : "b";
    rows.back().model = i % 2 == 0 ? "m0" : "m1";
    rows.back().status = i % 10 == 0 ? 502 : 200;
    rows.back().outcome = i % 10 == 0 ? Outcome::error : Outcome::ok;
  }
  ASSERT_TRUE(writer.write(rows));
  LogReader reader(directory.path());

  RowFilter filter{.limit = 7};
  size_t seen = 0;
  for (;;) {
    auto page = reader.list(filter);
    ASSERT_TRUE(page) << page.error().message();
    for (const RequestRow& row : page->rows) {
      ASSERT_LT(seen, rows.size());
      ASSERT_EQ(row.id, rows[rows.size() - 1 - seen].id);
      ++seen;
    }
    if (!page->next) break;
    ASSERT_EQ(page->rows.size(), 7u);
    filter.before = page->next;
  }
  EXPECT_EQ(seen, rows.size());

  struct {
    RowFilter filter;
    size_t count;
  } cases[] = {
      {{.key_id = "a", .limit = 1000}, 100},
      {{.key_id = "a' OR '1'='1", .limit = 1000}, 0},
      {{.model = "m0", .status_class = 5, .limit = 1000}, 30},
      {{.outcome = Outcome::error, .limit = 1000}, 30},
      {{.key_id = "b", .model = "m1", .limit = 1000}, 100},
      {{.since_ms = rows[100].start_ms, .until_ms = rows[150].start_ms, .limit = 1000}, 50},
      {{.team = "nobody", .limit = 1000}, 0},
      {{.provider = "openai", .total_us_min = 812'345, .limit = 1000}, 300},
      {{.total_us_min = 812'346, .limit = 1000}, 0},
      {{.user = "user-17", .endpoint = "/v1/chat/completions", .limit = 1000}, 300},
      {{.user = "user-18", .limit = 1000}, 0},
      {{.dialect = "gemini", .limit = 1000}, 0},
      {{.error_code = "x", .limit = 1000}, 0},
  };
  for (const auto& c : cases) EXPECT_EQ(reader.list(c.filter)->rows.size(), c.count);
  EXPECT_TRUE(LogReader(directory.path() + "/absent").list({})->rows.empty());
}

TEST(LogReader, SumsAreThoseOfTheRows) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  IdMaker ids(0);
  Random random(5);
  std::vector<RequestRow> rows;
  Money by_key[2];
  int64_t errors = 0;
  for (int i = 0; i < 500; ++i) {
    rows.push_back(sample_row(ids.make(kNoon + i * 200'000), random.next()));
    RequestRow& row = rows.back();
    size_t key = random.below(2);
    row.key_id = key == 0 ? "a" : "b";
    row.team = key == 0 ? "x" : "y";
    row.cost = Money::from_nano(random.below(1'000'000));
    if (random.below(5) == 0) {
      row.outcome = Outcome::denied;
      row.status = 429;
      row.usage = {};
      row.cost = {};
      row.cost_state = CostState::unpriced;
      ++errors;
    }
    by_key[key] += row.cost;
  }
  for (size_t i = 0; i < rows.size(); i += 100) {
    ASSERT_TRUE(writer.write(std::span(rows).subspan(i, 100)));
  }
  LogReader reader(directory.path());
  auto sums = reader.sums({.by = SumBy::key});
  ASSERT_EQ(sums->size(), 2u);
  EXPECT_EQ(sums->at(0).group, "a");
  EXPECT_EQ(sums->at(0).cost, by_key[0]);
  EXPECT_EQ(sums->at(1).cost, by_key[1]);
  EXPECT_EQ(sums->at(0).requests + sums->at(1).requests, 500);
  EXPECT_EQ(sums->at(0).denied + sums->at(1).denied, errors);
  EXPECT_EQ(sums->at(0).unpriced, 0) << "what used nothing is not unpriced";
  EXPECT_EQ(reader.sums({.by = SumBy::key, .key_id = "b"})->at(0).cost, by_key[1]);
  EXPECT_EQ(reader.sums({.by = SumBy::key, .then_by = SumBy::day})->size(), 4u);
  auto hour = reader.sums({.since_ms = kNoon, .until_ms = kNoon + kHourMs, .by = SumBy::hour});
  ASSERT_EQ(hour->size(), 1u);
  EXPECT_EQ(hour->at(0).group, "2026-11-22T12:00:00Z");
  EXPECT_EQ(reader.sums({.by = SumBy::project})->at(0).group, "suggest");
  EXPECT_EQ(reader.sums({.project = "other"})->size(), 0u);
}

TEST(LogReader, BudgetsHoldAcrossARestart) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  std::vector<RequestRow> rows;
  // One in the month before, one on the day before, two today.
  for (int64_t days : {-25, -1, 0, 0}) {
    IdMaker fresh(static_cast<uint8_t>(rows.size()));
    rows.push_back(sample_row(fresh.make(kNoon + days * store::kDayMs)));
    rows.back().cost = Money::from_nano(1'000);
  }
  rows.back().key_id = "other";
  ASSERT_TRUE(writer.write(rows));
  LimitRegistry registry;
  auto told = remember_spending(LogReader(directory.path()), kNoon, registry);
  ASSERT_TRUE(told) << told.error().message();
  auto key = registry.get(key_subject("search-prod"), {});
  auto team = registry.get(team_subject("search"), {});
  auto stranger = registry.get(key_subject("stranger"), {});
  auto project = registry.get(project_subject("suggest"), {});
  auto all = registry.get(kOrganizationSubject, {});
  const auto spent = [](const std::shared_ptr<LimitCells>& cells, BudgetWindow window,
                        int64_t wall_ms = kNoon, int32_t days = 0) {
    return cells->budgets.spent({.window = window, .days = days}, wall_ms).nano();
  };
  EXPECT_EQ(spent(key, BudgetWindow::day), 1'000);
  EXPECT_EQ(spent(key, BudgetWindow::week), 2'000);
  EXPECT_EQ(spent(key, BudgetWindow::month), 2'000);
  EXPECT_EQ(spent(key, BudgetWindow::rolling, kNoon, 25), 2'000);
  EXPECT_EQ(spent(key, BudgetWindow::rolling, kNoon, 26), 3'000);
  EXPECT_EQ(spent(key, BudgetWindow::total), 3'000);
  EXPECT_EQ(spent(team, BudgetWindow::day), 2'000);
  EXPECT_EQ(spent(team, BudgetWindow::month), 3'000);
  EXPECT_EQ(spent(project, BudgetWindow::total), 4'000);
  EXPECT_EQ(spent(all, BudgetWindow::total), 4'000);
  EXPECT_EQ(spent(stranger, BudgetWindow::total), 0);
  // Cells that are made when the day is over start it empty.
  auto other = registry.get(key_subject("other"), {});
  EXPECT_EQ(spent(other, BudgetWindow::day, kNoon + 2 * store::kDayMs), 0);
  EXPECT_EQ(spent(other, BudgetWindow::month, kNoon + 2 * store::kDayMs), 1'000);
}

}  // namespace
}  // namespace weir::ledger
