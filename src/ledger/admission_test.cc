#include "ledger/admission.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/random.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

using std::chrono::seconds;

constexpr int64_t kNoon = 1'795'348'800'000;  // 2026-11-22T12:00:00Z

Money cents(int64_t count) {
  return Money::from_nano(count * 10'000'000);
}

TEST(BudgetWindow, IndexAndStart) {
  struct {
    BudgetWindow window;
    int64_t wall_ms;
    const char* start;
    const char* next;
  } cases[] = {
      {BudgetWindow::day, kNoon, "2026-11-22", "2026-11-23"},
      {BudgetWindow::month, kNoon, "2026-11-01", "2026-12-01"},
      {BudgetWindow::month, 1'798'675'200'000, "2026-12-01", "2027-01-01"},
      {BudgetWindow::month, 1'709'164'800'000, "2024-02-01", "2024-03-01"},
      {BudgetWindow::month, 0, "1970-01-01", "1970-02-01"},
  };
  for (const auto& c : cases) {
    int64_t index = window_index(c.window, c.wall_ms);
    EXPECT_EQ(store::day_text(store::day_of(window_start_ms(c.window, index))), c.start);
    EXPECT_EQ(store::day_text(store::day_of(window_start_ms(c.window, index + 1))), c.next);
  }
}

TEST(BudgetCell, ReservesCommitsAndRefuses) {
  BudgetCell cell(cents(100), BudgetWindow::day);
  BudgetAnswer first = cell.reserve(cents(60), kNoon);
  EXPECT_TRUE(first.allowed);
  EXPECT_EQ(first.reserved, cents(60));
  EXPECT_EQ(store::day_text(store::day_of(first.resets_at_ms)), "2026-11-23");
  EXPECT_FALSE(cell.reserve(cents(50), kNoon).allowed);
  cell.commit(cents(60), cents(10), kNoon);
  EXPECT_EQ(cell.peek(kNoon).spent, cents(10));
  EXPECT_EQ(cell.peek(kNoon).reserved, Money{});
  EXPECT_TRUE(cell.reserve(cents(90), kNoon).allowed);
  cell.commit(cents(90), cents(95), kNoon);
  BudgetAnswer over = cell.reserve(Money{}, kNoon);
  EXPECT_FALSE(over.allowed) << "what is overspent is refused even when nothing is asked for";
  EXPECT_EQ(over.spent, cents(105));
}

TEST(BudgetCell, TurnsWithTheCalendar) {
  for (BudgetWindow window : {BudgetWindow::day, BudgetWindow::month}) {
    BudgetCell cell(cents(100), window);
    int64_t now = kNoon;
    // More windows than the tag counts, so that the circle closes.
    for (int i = 0; i < 1500; ++i) {
      ASSERT_EQ(cell.peek(now).spent, Money{}) << i;
      ASSERT_TRUE(cell.reserve(cents(100), now).allowed) << i;
      cell.commit(cents(100), cents(100), now);
      ASSERT_FALSE(cell.reserve(cents(1), now).allowed) << i;
      now = window_start_ms(window, window_index(window, now) + 1);
    }
    // A clock that was set back does not open the budget again.
    cell.reserve(cents(100), now);
    cell.commit(cents(100), cents(100), now);
    EXPECT_FALSE(cell.reserve(cents(1), now - 1000).allowed);
  }
}

TEST(BudgetCell, CountsWithoutALimitAndSeeds) {
  BudgetCell cell({}, BudgetWindow::month);
  EXPECT_TRUE(cell.reserve(cents(1'000'000), kNoon).allowed);
  cell.commit(cents(1'000'000), cents(7), kNoon);
  cell.seed(cents(3), kNoon);
  EXPECT_EQ(cell.peek(kNoon).spent, cents(10));
  cell.set_limit(cents(10));
  EXPECT_FALSE(cell.reserve(Money{}, kNoon).allowed);
}

TEST(BudgetCell, SmallReservationsAreGivenBackExactly) {
  BudgetCell cell(cents(1), BudgetWindow::day);
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    Money amount = Money::from_nano(random.below(1'000'000));
    ASSERT_TRUE(cell.reserve(amount, kNoon).allowed) << i;
    cell.commit(amount, Money{}, kNoon);
  }
  EXPECT_EQ(cell.peek(kNoon).reserved, Money{});
}

TEST(BudgetCell, ThreadsTogetherNeverExceedTheLimit) {
  BudgetCell cell(cents(500), BudgetWindow::day);
  std::atomic<int64_t> spent_nano{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      for (int i = 0; i < 5000; ++i) {
        Money asked = Money::from_nano(1 + random.below(5'000'000));
        if (!cell.reserve(asked, kNoon).allowed) continue;
        Money used = Money::from_nano(random.below(static_cast<uint32_t>(asked.nano()) + 1));
        spent_nano.fetch_add(used.nano());
        cell.commit(asked, used, kNoon);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(spent_nano.load(), cents(500).nano());
  EXPECT_GT(spent_nano.load(), cents(490).nano()) << "and it can be used up";
  EXPECT_EQ(cell.peek(kNoon).spent.nano(), spent_nano.load());
  EXPECT_EQ(cell.peek(kNoon).reserved, Money{});
}

struct Subjects {
  std::shared_ptr<LimitCells> key = std::make_shared<LimitCells>();
  std::shared_ptr<LimitCells> team = std::make_shared<LimitCells>();
  std::vector<std::shared_ptr<LimitCells>> list() const { return {key, nullptr, team}; }
};

AdmitRequest request(int64_t tokens, Money cost, Nanoseconds now = seconds(1)) {
  return {.tokens = tokens, .cost = cost, .now = now, .wall_ms = kNoon};
}

TEST(Admission, TakesAllOrNothing) {
  struct {
    const char* name;
    LimitRules key;
    LimitRules team;
    Denial denial;
    size_t subject;
  } cases[] = {
      {"free", {}, {}, Denial::none, 0},
      {"key requests", {.requests_per_minute = 1}, {}, Denial::requests, 0},
      {"team requests",
       {.requests_per_minute = 5},
       {.requests_per_minute = 1},
       Denial::requests,
       2},
      {"key tokens", {.tokens_per_minute = 150}, {}, Denial::tokens, 0},
      {"team tokens", {.tokens_per_minute = 900}, {.tokens_per_minute = 150}, Denial::tokens, 2},
      {"key concurrency", {.concurrency = 1}, {}, Denial::concurrency, 0},
      {"team concurrency", {}, {.concurrency = 1}, Denial::concurrency, 2},
      {"key budget", {.budget = BudgetRule{cents(15), BudgetWindow::day}}, {}, Denial::budget, 0},
      {"team budget",
       {.budget = BudgetRule{cents(90), BudgetWindow::day}},
       {.budget = BudgetRule{cents(15), BudgetWindow::month}},
       Denial::budget,
       2},
  };
  for (const auto& c : cases) {
    Subjects subjects;
    subjects.key->apply(c.key);
    subjects.team->apply(c.team);
    AdmitAnswer answer;
    Admission first = admit(subjects.list(), request(100, cents(10)), answer);
    ASSERT_TRUE(answer.allowed()) << c.name;
    Admission second = admit(subjects.list(), request(100, cents(10)), answer);
    EXPECT_EQ(answer.denial, c.denial) << c.name;
    EXPECT_EQ(answer.allowed(), second.held()) << c.name;
    if (answer.allowed()) continue;
    EXPECT_EQ(answer.subject, c.subject) << c.name;
    EXPECT_TRUE(answer.retry_after.has_value()) << c.name;
    // The refused one left nothing behind.
    EXPECT_EQ(subjects.key->concurrency.in_flight(), 1) << c.name;
    EXPECT_EQ(subjects.team->concurrency.in_flight(), 1) << c.name;
    EXPECT_EQ(subjects.key->month.peek(kNoon).reserved, cents(10)) << c.name;
    EXPECT_EQ(subjects.team->day.peek(kNoon).reserved, cents(10)) << c.name;
    first.settle(60, cents(4), seconds(1), kNoon);
    EXPECT_FALSE(first.held());
    EXPECT_EQ(subjects.key->concurrency.in_flight(), 0) << c.name;
    EXPECT_EQ(subjects.team->month.peek(kNoon).spent, cents(4)) << c.name;
    EXPECT_EQ(subjects.team->month.peek(kNoon).reserved, Money{}) << c.name;
  }
}

TEST(Admission, TellsTheTightestLimits) {
  Subjects subjects;
  subjects.key->apply({.requests_per_minute = 600, .tokens_per_minute = 1000});
  subjects.team->apply({.requests_per_minute = 60, .tokens_per_minute = 5000});
  AdmitAnswer answer;
  Admission held = admit(subjects.list(), request(100, {}), answer);
  EXPECT_EQ(answer.requests.limit, 60);
  EXPECT_EQ(answer.requests.remaining, 59);
  EXPECT_EQ(answer.tokens.limit, 1000);
  EXPECT_EQ(answer.tokens.remaining, 900);
  Admission never = admit(subjects.list(), request(2000, {}), answer);
  EXPECT_EQ(answer.denial, Denial::tokens);
  EXPECT_FALSE(answer.retry_after.has_value());
  EXPECT_EQ(answer.requests.limit, 60) << "headers are known on refusals too";
}

TEST(Admission, IsGivenBackWhenForgotten) {
  Subjects subjects;
  subjects.key->apply({.concurrency = 1});
  AdmitAnswer answer;
  {
    Admission forgotten = admit(subjects.list(), request(10, cents(1)), answer);
  }
  Admission moved = admit(subjects.list(), request(10, cents(1)), answer);
  EXPECT_TRUE(answer.allowed());
  Admission target = std::move(moved);
  target = Admission();
  EXPECT_EQ(subjects.key->concurrency.in_flight(), 0);
}

TEST(LimitRegistry, KeepsCellsAcrossGenerations) {
  LimitRegistry registry;
  auto cells = registry.get("key/a", {.requests_per_minute = 1});
  EXPECT_TRUE(cells->requests.take(seconds(1)).allowed);
  EXPECT_EQ(registry.get("key/a", {.requests_per_minute = 1}), cells);
  EXPECT_FALSE(cells->requests.take(seconds(1)).allowed);
  cells->month.seed(cents(1), kNoon);
  cells.reset();
  auto other = registry.get("key/b", {});
  other.reset();
  registry.drop_unused(kNoon);
  EXPECT_EQ(registry.size(), 1u) << "what has spent this month is kept";
  EXPECT_EQ(registry.get("key/a", {})->month.peek(kNoon).spent, cents(1));
  registry.drop_unused(
      window_start_ms(BudgetWindow::month, window_index(BudgetWindow::month, kNoon) + 1));
  EXPECT_EQ(registry.size(), 0u);
}

}  // namespace
}  // namespace weir::ledger
