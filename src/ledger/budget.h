// Budgets: the money one subject (a key, a project, a team, the organization) may spend in windows
// of any kind, reserve and commit. Shared by all workers, lock-free, exact under concurrency; wall
// time is a parameter. Spending is kept as one sum per UTC day, of the last kDaysKept days, and one
// sum of all time, so every window is a sum over days: a limit that is changed, or given another
// window, knows what was spent before it. What is held by requests in flight is one number for all
// windows: a request holds the same amount in each.
//
// At most one hard and one soft limit stand in a window. A soft one refuses nothing: it is there to
// be watched (alerts.h). Limits: 18 million dollars per day, of all time, and held (saturates).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace weir::ledger {

// Calendar windows are UTC; weeks begin on Monday. `rolling` is the last N days, today included.
enum class BudgetWindow : uint8_t { day, week, month, rolling, total };
inline constexpr size_t kBudgetWindows = 5;
std::string_view to_string(BudgetWindow window);
std::optional<BudgetWindow> window_of(std::string_view text);

struct BudgetRule {
  Money limit;
  BudgetWindow window = BudgetWindow::month;
  int32_t days = 0;  // of a rolling window
  bool hard = true;
  bool operator==(const BudgetRule&) const = default;
};
// "day", "month", "30d", "total".
std::string window_text(const BudgetRule& rule);
// Reads "50/day", "500/month", "200/30d", "1000/total", or dollars alone: per month.
Result<BudgetRule> parse_budget(std::string_view text);
// Errors: invalid_argument for an amount that is not positive, a rolling window without days, two
// budgets of one window and hardness.
Result<void> check_budgets(std::span<const BudgetRule> rules);

// Days since 1970-01-01, Mondays since 1969-12-29, or months since 1970-01, UTC; for `rolling` the
// day, for `total` 0.
int64_t window_index(BudgetWindow window, int64_t wall_ms);
// The first millisecond of that window; of `total` the epoch.
int64_t window_start_ms(BudgetWindow window, int64_t index);
// The first day whose spending counts in the rule's window at that time.
int64_t first_day_of(const BudgetRule& rule, int64_t wall_ms);

struct BudgetAnswer {
  bool allowed = true;
  BudgetRule rule;           // denied: the limit that did
  Money spent;               // in its window, committed
  Money reserved;            // held by requests in flight, this one included when allowed
  int64_t resets_at_ms = 0;  // denied: when waiting helps, wall time; 0: it does not
  bool in_flight = false;    // denied: only by what is in flight, which may cost less
};

class Budgets {
 public:
  static constexpr int32_t kRollingDaysMax = 92;
  static constexpr size_t kDaysKept = 96;

  Budgets() = default;
  Budgets(const Budgets&) = delete;
  Budgets& operator=(const Budgets&) = delete;

  // The limits from now on; of two for one window and hardness the last one holds.
  void apply(std::span<const BudgetRule> rules);
  // Whether any limit refuses anything, so that reservations are worth their estimate.
  bool enforced() const { return hard_limits_.load(std::memory_order_relaxed) > 0; }

  // Allowed while spent + held + amount <= limit in every window with a hard limit, and in any case
  // only while spent < limit. After an allowed answer the caller owes exactly one commit() with the
  // same `reserved`.
  BudgetAnswer reserve(Money amount, int64_t wall_ms);
  // Makes a reservation larger, where the limits allow it, or smaller, which they always do. False:
  // it stays as it was.
  bool exchange(Money reserved, Money amount, int64_t wall_ms);
  // Gives the reservation back and counts `spent` on the day of `wall_ms`: the day on which the
  // request began, as in the ledger. Money{} releases.
  void commit(Money reserved, Money spent, int64_t wall_ms);
  // What the ledger knows of one day, and of all time; at start, before requests.
  void seed_day(int64_t day, Money spent);
  void seed_total(Money spent);

  // What was spent on a day turned out to be so much more, or less. A day that is no longer kept
  // counts in what was spent ever.
  void correct(int64_t day, Money more, int64_t wall_ms);

  // Spent in the window of such a rule.
  Money spent(const BudgetRule& rule, int64_t wall_ms) const;
  Money spent_ever() const;
  Money reserved() const;

 private:
  struct Limit {
    std::atomic<int64_t> nano{0};  // 0: none
    std::atomic<int32_t> days{0};
  };

  BudgetAnswer take(uint64_t back, uint64_t asked, int64_t wall_ms);
  void give_back(uint64_t micro);
  void charge_day(int64_t day, Money amount);
  void take_back_on(int64_t day, Money amount);
  uint64_t spent_on(int64_t day) const;
  uint64_t spent_since(int64_t first_day, int64_t today) const;
  uint64_t spent_in(BudgetWindow window, int32_t days, int64_t wall_ms) const;
  BudgetAnswer denial(BudgetWindow window, uint64_t spent, uint64_t held, uint64_t asked,
                      int64_t wall_ms) const;

  std::array<Limit, kBudgetWindows> hard_;
  std::atomic<uint32_t> hard_limits_{0};
  // By day mod kDaysKept: which time round it is (upper 10 bits), nano-dollars (54).
  std::array<std::atomic<uint64_t>, kDaysKept> days_{};
  std::atomic<uint64_t> total_{0};  // nano-dollars
  std::atomic<uint64_t> held_{0};   // micro-dollars (upper 44 bits), change count (20) against ABA
};

}  // namespace weir::ledger
