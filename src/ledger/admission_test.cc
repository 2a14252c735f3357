#include "ledger/admission.h"

#include <gtest/gtest.h>

#include <atomic>
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
      {BudgetWindow::week, kNoon, "2026-11-16", "2026-11-23"},
      {BudgetWindow::week, 0, "1969-12-29", "1970-01-05"},
      {BudgetWindow::week, -4 * store::kDayMs, "1969-12-22", "1969-12-29"},
  };
  for (const auto& c : cases) {
    int64_t index = window_index(c.window, c.wall_ms);
    EXPECT_EQ(store::day_text(store::day_of(window_start_ms(c.window, index))), c.start);
    EXPECT_EQ(store::day_text(store::day_of(window_start_ms(c.window, index + 1))), c.next);
  }
}

BudgetRule hard(Money limit, BudgetWindow window, int32_t days = 0) {
  return {.limit = limit, .window = window, .days = days};
}

TEST(Budgets, ReserveCommitAndRefuse) {
  Budgets budgets;
  budgets.apply({{hard(cents(100), BudgetWindow::day)}});
  BudgetAnswer first = budgets.reserve(cents(60), kNoon);
  EXPECT_TRUE(first.allowed);
  EXPECT_EQ(first.reserved, cents(60));
  BudgetAnswer second = budgets.reserve(cents(50), kNoon);
  EXPECT_FALSE(second.allowed);
  EXPECT_TRUE(second.in_flight) << "what is under way may cost less";
  budgets.commit(cents(60), cents(10), kNoon);
  EXPECT_EQ(budgets.spent(hard({}, BudgetWindow::day), kNoon), cents(10));
  EXPECT_EQ(budgets.reserved(), Money{});
  EXPECT_TRUE(budgets.reserve(cents(90), kNoon).allowed);
  budgets.commit(cents(90), cents(95), kNoon);
  BudgetAnswer over = budgets.reserve(Money{}, kNoon);
  EXPECT_FALSE(over.allowed) << "what is overspent is refused even when nothing is asked for";
  EXPECT_EQ(over.spent, cents(105));
  EXPECT_EQ(store::day_text(store::day_of(over.resets_at_ms)), "2026-11-23");
  BudgetAnswer never = budgets.reserve(cents(101), kNoon + store::kDayMs);
  EXPECT_FALSE(never.allowed);
  EXPECT_EQ(never.resets_at_ms, 0) << "more than the whole budget: waiting does not help";
}

TEST(Budgets, TurnWithTheCalendar) {
  for (BudgetWindow window : {BudgetWindow::day, BudgetWindow::week, BudgetWindow::month}) {
    Budgets budgets;
    budgets.apply({{hard(cents(100), window)}});
    int64_t now = kNoon;
    // More windows than the days that are kept, so that the circle closes.
    for (int i = 0; i < 1500; ++i) {
      ASSERT_EQ(budgets.spent(hard({}, window), now), Money{}) << i;
      ASSERT_TRUE(budgets.reserve(cents(100), now).allowed) << i;
      budgets.commit(cents(100), cents(100), now);
      ASSERT_FALSE(budgets.reserve(cents(1), now).allowed) << i;
      now = window_start_ms(window, window_index(window, now) + 1);
    }
    // A clock that was set back does not open the budget again.
    budgets.reserve(cents(100), now);
    budgets.commit(cents(100), cents(100), now);
    EXPECT_FALSE(budgets.reserve(cents(1), now - 1000).allowed);
  }
}

TEST(Budgets, RollAndCountForever) {
  Budgets budgets;
  budgets.apply(
      {{hard(cents(100), BudgetWindow::rolling, 7), hard(cents(250), BudgetWindow::total)}});
  for (int64_t day = 0; day < 5; ++day) {
    const int64_t now = kNoon + day * store::kDayMs;
    ASSERT_TRUE(budgets.reserve(cents(20), now).allowed) << day;
    budgets.commit(cents(20), cents(20), now);
  }
  BudgetAnswer full = budgets.reserve(cents(30), kNoon + 5 * store::kDayMs);
  ASSERT_FALSE(full.allowed);
  EXPECT_EQ(full.rule.window, BudgetWindow::rolling);
  EXPECT_EQ(store::day_text(store::day_of(full.resets_at_ms)), "2026-11-30")
      << "two days must fall out of the seven";
  EXPECT_FALSE(budgets.reserve(cents(30), full.resets_at_ms - 1).allowed);
  EXPECT_TRUE(budgets.reserve(cents(30), full.resets_at_ms).allowed);
  budgets.commit(cents(30), cents(160), full.resets_at_ms);
  BudgetAnswer over = budgets.reserve(cents(1), kNoon + 60 * store::kDayMs);
  EXPECT_FALSE(over.allowed);
  EXPECT_EQ(over.rule.window, BudgetWindow::total);
  EXPECT_EQ(over.resets_at_ms, 0) << "waiting does not help";
}

TEST(Budgets, CountWithoutALimitAndSeed) {
  Budgets budgets;
  EXPECT_FALSE(budgets.enforced());
  EXPECT_TRUE(budgets.reserve(cents(1'000'000), kNoon).allowed);
  budgets.commit(cents(1'000'000), cents(7), kNoon);
  budgets.seed_day(store::day_of(kNoon), cents(3));
  budgets.seed_total(cents(3));
  EXPECT_EQ(budgets.spent(hard({}, BudgetWindow::month), kNoon), cents(10));
  EXPECT_EQ(budgets.spent_ever(), cents(10));
  BudgetRule soft = hard(cents(1), BudgetWindow::month);
  soft.hard = false;
  budgets.apply({{soft}});
  EXPECT_TRUE(budgets.reserve(Money{}, kNoon).allowed) << "a soft limit refuses nothing";
  budgets.commit(Money{}, Money{}, kNoon);
  budgets.apply({{soft, hard(cents(10), BudgetWindow::month)}});
  EXPECT_FALSE(budgets.reserve(Money{}, kNoon).allowed);
}

TEST(Budgets, SmallReservationsAreGivenBackExactly) {
  Budgets budgets;
  budgets.apply({{hard(cents(1), BudgetWindow::day)}});
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    Money amount = Money::from_nano(random.below(1'000'000));
    ASSERT_TRUE(budgets.reserve(amount, kNoon).allowed) << i;
    budgets.commit(amount, Money{}, kNoon);
  }
  EXPECT_EQ(budgets.reserved(), Money{});
}

TEST(Budgets, ThreadsTogetherNeverExceedALimit) {
  Budgets budgets;
  budgets.apply({{hard(cents(500), BudgetWindow::day), hard(cents(505), BudgetWindow::week),
                  hard(cents(510), BudgetWindow::total)}});
  std::atomic<int64_t> spent_nano{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      for (int i = 0; i < 5000; ++i) {
        Money asked = Money::from_nano(1 + random.below(5'000'000));
        if (!budgets.reserve(asked, kNoon).allowed) continue;
        Money used = Money::from_nano(random.below(static_cast<uint32_t>(asked.nano()) + 1));
        spent_nano.fetch_add(used.nano());
        budgets.commit(asked, used, kNoon);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(spent_nano.load(), cents(500).nano());
  EXPECT_GT(spent_nano.load(), cents(490).nano()) << "and it can be used up";
  EXPECT_EQ(budgets.spent_ever().nano(), spent_nano.load());
  EXPECT_EQ(budgets.reserved(), Money{});
}

struct Subjects {
  std::shared_ptr<LimitCells> key = std::make_shared<LimitCells>();
  std::shared_ptr<LimitCells> team = std::make_shared<LimitCells>();
  std::vector<Subject> list() const { return {key, {}, team}; }
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
      {"key budget", {.budgets = {hard(cents(15), BudgetWindow::day)}}, {}, Denial::budget, 0},
      {"team budget",
       {.budgets = {hard(cents(90), BudgetWindow::day)}},
       {.budgets = {hard(cents(90), BudgetWindow::day), hard(cents(15), BudgetWindow::month)}},
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
    EXPECT_EQ(subjects.key->budgets.reserved(), cents(10)) << c.name;
    EXPECT_EQ(subjects.team->budgets.reserved(), cents(10)) << c.name;
    first.settle(60, cents(4), seconds(1), kNoon);
    EXPECT_FALSE(first.held());
    EXPECT_EQ(subjects.key->concurrency.in_flight(), 0) << c.name;
    EXPECT_EQ(subjects.team->budgets.spent_ever(), cents(4)) << c.name;
    EXPECT_EQ(subjects.team->budgets.reserved(), Money{}) << c.name;
  }
}

TEST(Admission, IsRaisedInEveryBudgetOrInNone) {
  Subjects subjects;
  subjects.key->apply({.budgets = {hard(cents(50), BudgetWindow::day)}});
  subjects.team->apply({.budgets = {hard(cents(30), BudgetWindow::week)}});
  AdmitAnswer answer;
  Admission admission = admit(subjects.list(), request(0, cents(10)), answer);
  ASSERT_TRUE(answer.allowed());
  EXPECT_TRUE(admission.raise(cents(30)));
  EXPECT_FALSE(admission.raise(cents(31)));
  EXPECT_EQ(subjects.key->budgets.reserved(), cents(30));
  EXPECT_EQ(subjects.team->budgets.reserved(), cents(30));
  EXPECT_TRUE(admission.raise(cents(5))) << "it never shrinks";
  admission.settle(0, cents(29), seconds(1), kNoon);
  EXPECT_EQ(subjects.key->budgets.reserved(), Money{});
  EXPECT_EQ(subjects.team->budgets.reserved(), Money{});
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

// Whatever the limits and what came before: after Retry-After the request passes, and one tick
// before it does not. What one of several limits says is not enough: the others hold, too.
TEST(Admission, RetryAfterIsExactOverAllLimits) {
  int denied = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const auto rules = [&random] {
      LimitRules rules;
      if (random.below(3) > 0) rules.requests_per_minute = 1 + random.below(50);
      if (random.below(3) > 0) rules.tokens_per_minute = 500 + random.below(5'000);
      return rules;
    };
    std::vector<Subject> subjects;
    for (int i = 0; i < 5; ++i) {
      auto cells = std::make_shared<LimitCells>();
      cells->apply(rules());
      subjects.emplace_back(std::move(cells));
    }
    Nanoseconds now = seconds(1);
    for (int i = 0; i < 60; ++i) {
      now += Nanoseconds(random.below(1'000'000'000));
      const AdmitRequest wanted = request(1 + random.below(500), {}, now);
      AdmitAnswer answer;
      Admission held = admit(subjects, wanted, answer);
      if (answer.allowed()) {
        held.settle(random.below(700), {}, now, kNoon);
        continue;
      }
      ++denied;
      ASSERT_TRUE(answer.retry_after.has_value()) << seed;
      AdmitRequest again = wanted;
      again.now = now + *answer.retry_after - Nanoseconds(1);
      AdmitAnswer early;
      EXPECT_FALSE(admit(subjects, again, early).held()) << "seed " << seed;
      again.now += Nanoseconds(1);
      Admission passed = admit(subjects, again, early);
      ASSERT_TRUE(early.allowed()) << "seed " << seed << ": " << to_string(early.denial);
      now = again.now;
      passed.settle(random.below(700), {}, now, kNoon);
    }
  }
  EXPECT_GT(denied, 1'000);
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
  cells->budgets.commit(Money{}, cents(1), kNoon);
  cells.reset();
  auto other = registry.get("key/b", {.budgets = {hard(cents(5), BudgetWindow::day)}});
  ASSERT_EQ(registry.standings(kNoon).size(), 1u) << "of those in use";
  EXPECT_EQ(registry.standings(kNoon)[0].subject, "key/b");
  other.reset();
  registry.drop_unused();
  EXPECT_EQ(registry.size(), 1u) << "what has spent is kept";
  EXPECT_EQ(registry.get("key/a", {})->budgets.spent_ever(), cents(1));
}

}  // namespace
}  // namespace weir::ledger
