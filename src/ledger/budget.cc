#include "ledger/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr uint64_t kSpentBits = 54;
constexpr uint64_t kSpentMax = (uint64_t{1} << kSpentBits) - 1;
constexpr int64_t kTagMask = 1023;
constexpr uint64_t kHeldShift = 20;
constexpr uint64_t kHeldMax = (uint64_t{1} << (64 - kHeldShift)) - 1;
constexpr uint64_t kChangeMask = (uint64_t{1} << kHeldShift) - 1;
// 1970-01-01 was a Thursday: the Monday of its week lies three days before it.
constexpr int64_t kMondayOffset = 3;

constexpr auto kDays = static_cast<int64_t>(Budgets::kDaysKept);

// A day's place in the circle, and which time round it is.
size_t place_of(int64_t day) {
  return static_cast<size_t>((day % kDays + kDays) % kDays);
}
uint64_t tag_of(int64_t day) {
  return static_cast<uint64_t>((day - static_cast<int64_t>(place_of(day))) / kDays & kTagMask);
}
uint64_t amount_of(Money money) {
  return money.nano() <= 0 ? 0 : std::min(static_cast<uint64_t>(money.nano()), kSpentMax);
}

// Reservations are held in whole micro-dollars, rounded up, the same way in and out.
uint64_t micro_of(Money amount) {
  if (amount.nano() <= 0) return 0;
  return std::min((static_cast<uint64_t>(amount.nano()) + 999) / 1000, kHeldMax);
}

uint64_t changed(uint64_t word, uint64_t micro) {
  return micro << kHeldShift | ((word + 1) & kChangeMask);
}

Money money_of(uint64_t nano) {
  return Money::from_nano(static_cast<int64_t>(nano));
}

}  // namespace

std::string_view to_string(BudgetWindow window) {
  switch (window) {
    case BudgetWindow::day:
      return "day";
    case BudgetWindow::week:
      return "week";
    case BudgetWindow::month:
      return "month";
    case BudgetWindow::rolling:
      return "rolling";
    case BudgetWindow::total:
      return "total";
  }
  return "month";
}

std::string window_text(const BudgetRule& rule) {
  if (rule.window == BudgetWindow::rolling) return fmt::format("{}d", rule.days);
  return std::string(to_string(rule.window));
}

std::optional<BudgetWindow> window_of(std::string_view text) {
  for (size_t i = 0; i < kBudgetWindows; ++i) {
    const auto window = static_cast<BudgetWindow>(i);
    if (text == to_string(window)) return window;
  }
  return std::nullopt;
}

Result<BudgetRule> parse_budget(std::string_view text) {
  const size_t slash = text.find('/');
  std::string_view per = slash == std::string_view::npos ? "month" : text.substr(slash + 1);
  BudgetRule rule;
  const auto usd = Money::parse_usd(text.substr(0, slash));
  auto window = per == "rolling" ? std::nullopt : window_of(per);
  if (!window && per.ends_with('d')) {
    per.remove_suffix(1);
    const auto days = parse_uint64(per, Budgets::kRollingDaysMax);
    rule.days = static_cast<int32_t>(days.value_or(0));
    if (rule.days > 0) window = BudgetWindow::rolling;
  }
  if (!usd || usd->nano() <= 0 || !window) {
    return fail(ErrorCode::invalid_argument,
                "a budget is dollars and a window: 50/day, 200/week, 500/month, 400/30d (the last "
                "30 days, at most 92) or 1000/total");
  }
  rule.limit = *usd;
  rule.window = *window;
  return rule;
}

Result<void> check_budgets(std::span<const BudgetRule> rules) {
  for (size_t i = 0; i < rules.size(); ++i) {
    const BudgetRule& rule = rules[i];
    if (rule.limit.nano() <= 0) {
      return fail(ErrorCode::invalid_argument, "a budget is more than nothing");
    }
    if (rule.window == BudgetWindow::rolling &&
        (rule.days < 1 || rule.days > Budgets::kRollingDaysMax)) {
      return fail(ErrorCode::invalid_argument, "a rolling budget is over 1 to 92 days");
    }
    for (size_t j = 0; j < i; ++j) {
      if (rules[j].window != rule.window || rules[j].hard != rule.hard) continue;
      return fail(ErrorCode::invalid_argument,
                  fmt::format("two {} budgets per {}", rule.hard ? "hard" : "soft",
                              to_string(rule.window)));
    }
  }
  return {};
}

int64_t window_index(BudgetWindow window, int64_t wall_ms) {
  const int64_t day = store::day_of(wall_ms);
  switch (window) {
    case BudgetWindow::day:
    case BudgetWindow::rolling:
      return day;
    case BudgetWindow::week: {
      const int64_t since_monday = day + kMondayOffset;
      return (since_monday >= 0 ? since_monday : since_monday - 6) / 7;
    }
    case BudgetWindow::month: {
      const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
      return (static_cast<int>(date.year()) - 1970) * 12 +
             static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    }
    case BudgetWindow::total:
      return 0;
  }
  return 0;
}

int64_t window_start_ms(BudgetWindow window, int64_t index) {
  switch (window) {
    case BudgetWindow::day:
    case BudgetWindow::rolling:
      return index * store::kDayMs;
    case BudgetWindow::week:
      return (index * 7 - kMondayOffset) * store::kDayMs;
    case BudgetWindow::month: {
      const int64_t year = (index >= 0 ? index : index - 11) / 12;
      const std::chrono::year_month_day first{
          std::chrono::year(static_cast<int>(1970 + year)),
          std::chrono::month(static_cast<unsigned>(index - year * 12 + 1)), std::chrono::day(1)};
      return std::chrono::sys_days(first).time_since_epoch().count() * store::kDayMs;
    }
    case BudgetWindow::total:
      return 0;
  }
  return 0;
}

int64_t first_day_of(const BudgetRule& rule, int64_t wall_ms) {
  if (rule.window == BudgetWindow::rolling) {
    return store::day_of(wall_ms) - std::clamp(rule.days, 1, Budgets::kRollingDaysMax) + 1;
  }
  return store::day_of(window_start_ms(rule.window, window_index(rule.window, wall_ms)));
}

void Budgets::apply(std::span<const BudgetRule> rules) {
  std::array<BudgetRule, kBudgetWindows> wanted;
  uint32_t count = 0;
  for (const BudgetRule& rule : rules) {
    if (!rule.hard || rule.limit.nano() <= 0) continue;
    wanted[static_cast<size_t>(rule.window)] = rule;
  }
  for (size_t i = 0; i < kBudgetWindows; ++i) {
    hard_[i].days.store(wanted[i].days, std::memory_order_relaxed);
    hard_[i].nano.store(wanted[i].limit.nano(), std::memory_order_relaxed);
    if (wanted[i].limit.nano() > 0) ++count;
  }
  hard_limits_.store(count, std::memory_order_relaxed);
}

uint64_t Budgets::spent_on(int64_t day) const {
  const uint64_t word = days_[place_of(day)].load(std::memory_order_relaxed);
  return word >> kSpentBits == tag_of(day) ? word & kSpentMax : 0;
}

uint64_t Budgets::spent_since(int64_t first_day, int64_t today) const {
  uint64_t sum = 0;
  size_t place = place_of(first_day);
  uint64_t tag = tag_of(first_day);
  for (int64_t day = first_day; day <= today; ++day) {
    const uint64_t word = days_[place].load(std::memory_order_relaxed);
    if (word >> kSpentBits == tag) sum += word & kSpentMax;
    if (++place == kDaysKept) {
      place = 0;
      tag = tag_of(day + 1);
    }
  }
  return sum;
}

uint64_t Budgets::spent_in(BudgetWindow window, int32_t days, int64_t wall_ms) const {
  if (window == BudgetWindow::total) return total_.load(std::memory_order_relaxed);
  const BudgetRule rule{.window = window, .days = days};
  // Tomorrow counts, too: the wall clock was set back, or its caller read it before midnight.
  return spent_since(first_day_of(rule, wall_ms), store::day_of(wall_ms) + 1);
}

BudgetAnswer Budgets::denial(BudgetWindow window, uint64_t spent, uint64_t held, uint64_t asked,
                             int64_t wall_ms) const {
  const Limit& limit = hard_[static_cast<size_t>(window)];
  BudgetAnswer answer{.allowed = false,
                      .rule = {.limit = money_of(static_cast<uint64_t>(limit.nano.load())),
                               .window = window,
                               .days = limit.days.load()},
                      .spent = money_of(spent),
                      .reserved = money_of(held * 1000)};
  const auto most = static_cast<uint64_t>(answer.rule.limit.nano());
  if (asked * 1000 > most || asked > kHeldMax) return answer;
  if (spent < most && asked * 1000 <= most - spent) {
    answer.in_flight = true;
    answer.resets_at_ms = wall_ms;
    return answer;
  }
  if (window == BudgetWindow::total) return answer;
  if (window != BudgetWindow::rolling) {
    answer.resets_at_ms = window_start_ms(window, window_index(window, wall_ms) + 1);
    return answer;
  }
  // The midnight at which enough has fallen out of the window.
  const int64_t today = store::day_of(wall_ms);
  uint64_t left = spent;
  for (int64_t day = first_day_of(answer.rule, wall_ms); day <= today; ++day) {
    left -= std::min(left, spent_on(day));
    if (left < most && asked * 1000 <= most - left) {
      answer.resets_at_ms = (day + answer.rule.days) * store::kDayMs;
      return answer;
    }
  }
  return answer;
}

// Holds `asked` in place of `back`, which is held already.
BudgetAnswer Budgets::take(uint64_t back, uint64_t asked, int64_t wall_ms) {
  // The order of the words is TokenRate's: spending is charged before its reservation goes, so
  // whoever misses the charge still sees the reservation, or fails to change the word of it.
  uint64_t word = held_.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t held = (word >> kHeldShift) - std::min(word >> kHeldShift, back);
    for (size_t i = 0; i < kBudgetWindows && enforced(); ++i) {
      const int64_t limit = hard_[i].nano.load(std::memory_order_relaxed);
      if (limit <= 0) continue;
      const auto most = static_cast<uint64_t>(limit);
      const auto window = static_cast<BudgetWindow>(i);
      const uint64_t spent =
          spent_in(window, hard_[i].days.load(std::memory_order_relaxed), wall_ms);
      if (spent >= most || (held + asked) * 1000 > most - spent) {
        return denial(window, spent, held, asked, wall_ms);
      }
    }
    if (held + asked > kHeldMax) return denial(BudgetWindow::total, 0, held, asked, wall_ms);
    if (held_.compare_exchange_weak(word, changed(word, held + asked), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      return {.allowed = true, .reserved = money_of((held + asked) * 1000)};
    }
  }
}

BudgetAnswer Budgets::reserve(Money amount, int64_t wall_ms) {
  return take(0, micro_of(amount), wall_ms);
}

bool Budgets::exchange(Money reserved, Money amount, int64_t wall_ms) {
  if (amount <= reserved) {
    give_back(micro_of(reserved) - micro_of(amount));
    return true;
  }
  return take(micro_of(reserved), micro_of(amount), wall_ms).allowed;
}

void Budgets::give_back(uint64_t micro) {
  uint64_t word = held_.load(std::memory_order_relaxed);
  uint64_t held = 0;
  do {
    held = word >> kHeldShift;
  } while (!held_.compare_exchange_weak(word, changed(word, held - std::min(held, micro)),
                                        std::memory_order_release, std::memory_order_relaxed));
}

void Budgets::charge_day(int64_t day, Money amount) {
  const uint64_t more = amount_of(amount);
  std::atomic<uint64_t>& place = days_[place_of(day)];
  uint64_t seen = place.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t before = seen >> kSpentBits == tag_of(day) ? seen & kSpentMax : 0;
    const uint64_t next = tag_of(day) << kSpentBits | std::min(before + more, kSpentMax);
    if (place.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return;
  }
}

void Budgets::commit(Money reserved, Money spent, int64_t wall_ms) {
  if (spent.nano() > 0) {
    charge_day(store::day_of(wall_ms), spent);
    seed_total(spent);
  }
  give_back(micro_of(reserved));
}

void Budgets::seed_day(int64_t day, Money spent) {
  if (spent.nano() > 0) charge_day(day, spent);
}

void Budgets::seed_total(Money spent) {
  const uint64_t more = amount_of(spent);
  uint64_t seen = total_.load(std::memory_order_relaxed);
  while (!total_.compare_exchange_weak(seen, std::min(seen + more, kSpentMax),
                                       std::memory_order_relaxed)) {
  }
}

void Budgets::take_back_on(int64_t day, Money amount) {
  const uint64_t less = amount_of(amount);
  std::atomic<uint64_t>& place = days_[place_of(day)];
  uint64_t seen = place.load(std::memory_order_relaxed);
  for (;;) {
    if (seen >> kSpentBits != tag_of(day)) return;
    const uint64_t before = seen & kSpentMax;
    const uint64_t next = tag_of(day) << kSpentBits | (before - std::min(before, less));
    if (place.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return;
  }
}

void Budgets::correct(int64_t day, Money more, int64_t wall_ms) {
  const int64_t today = store::day_of(wall_ms);
  const bool kept = day <= today && day > today - static_cast<int64_t>(kDaysKept);
  if (more.nano() > 0) {
    if (kept) charge_day(day, more);
    seed_total(more);
    return;
  }
  const Money less = Money{} - more;
  if (kept) take_back_on(day, less);
  uint64_t seen = total_.load(std::memory_order_relaxed);
  while (!total_.compare_exchange_weak(seen, seen - std::min(seen, amount_of(less)),
                                       std::memory_order_relaxed)) {
  }
}

Money Budgets::spent(const BudgetRule& rule, int64_t wall_ms) const {
  return money_of(spent_in(rule.window, rule.days, wall_ms));
}

Money Budgets::spent_ever() const {
  return money_of(total_.load(std::memory_order_relaxed));
}

Money Budgets::reserved() const {
  return money_of((held_.load(std::memory_order_acquire) >> kHeldShift) * 1000);
}

}  // namespace weir::ledger
