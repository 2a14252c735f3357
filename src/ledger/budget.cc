#include "ledger/budget.h"

#include <algorithm>
#include <chrono>

#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr uint64_t kSpentBits = 54;
constexpr uint64_t kSpentMax = (uint64_t{1} << kSpentBits) - 1;
constexpr uint64_t kWindowMask = 1023;
constexpr uint64_t kHeldShift = 20;
constexpr uint64_t kHeldMax = (uint64_t{1} << (64 - kHeldShift)) - 1;
constexpr uint64_t kChangeMask = (uint64_t{1} << kHeldShift) - 1;

uint64_t tag_of(uint64_t word) {
  return word >> kSpentBits;
}
uint64_t pack(uint64_t tag, uint64_t nano) {
  return tag << kSpentBits | std::min(nano, kSpentMax);
}

// Whether the word speaks of the window with that tag. One of a slightly later window does too:
// the wall clock was set back, or the caller read it before the window turned.
bool in_force(uint64_t word, uint64_t tag) {
  return (word & kSpentMax) != 0 && ((tag_of(word) - tag) & kWindowMask) <= 2;
}

uint64_t spent_in(uint64_t word, uint64_t tag) {
  return in_force(word, tag) ? word & kSpentMax : 0;
}

// Reservations are held in whole micro-dollars, rounded up, the same way in and out.
uint64_t micro_of(Money amount) {
  if (amount.nano() <= 0) return 0;
  return std::min((static_cast<uint64_t>(amount.nano()) + 999) / 1000, kHeldMax);
}

uint64_t changed(uint64_t word, uint64_t micro) {
  return micro << kHeldShift | ((word + 1) & kChangeMask);
}

}  // namespace

int64_t window_index(BudgetWindow window, int64_t wall_ms) {
  int64_t day = store::day_of(wall_ms);
  if (window == BudgetWindow::day) return day;
  std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return (static_cast<int>(date.year()) - 1970) * 12 +
         static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

int64_t window_start_ms(BudgetWindow window, int64_t index) {
  if (window == BudgetWindow::day) return index * store::kDayMs;
  int64_t year = (index >= 0 ? index : index - 11) / 12;
  std::chrono::year_month_day first{
      std::chrono::year(static_cast<int>(1970 + year)),
      std::chrono::month(static_cast<unsigned>(index - year * 12 + 1)), std::chrono::day(1)};
  return std::chrono::sys_days(first).time_since_epoch().count() * store::kDayMs;
}

BudgetAnswer BudgetCell::answer(uint64_t spent, uint64_t held, int64_t wall_ms) const {
  return {.allowed = true,
          .limit = limit(),
          .spent = Money::from_nano(static_cast<int64_t>(spent)),
          .reserved = Money::from_nano(static_cast<int64_t>(held * 1000)),
          .resets_at_ms = window_start_ms(window_, window_index(window_, wall_ms) + 1)};
}

BudgetAnswer BudgetCell::reserve(Money amount, int64_t wall_ms) {
  uint64_t tag = static_cast<uint64_t>(window_index(window_, wall_ms)) & kWindowMask;
  uint64_t asked = micro_of(amount);
  // The order of the two words is TokenRate's: spending is charged before its reservation goes.
  uint64_t word = held_.load(std::memory_order_acquire);
  for (;;) {
    uint64_t spent = spent_in(spent_.load(std::memory_order_relaxed), tag);
    uint64_t held = word >> kHeldShift;
    int64_t limit = limit_nano_.load(std::memory_order_relaxed);
    bool allowed = held + asked <= kHeldMax;
    if (limit > 0) {
      uint64_t most = static_cast<uint64_t>(limit);
      allowed = allowed && spent < most && (held + asked) * 1000 <= most - spent;
    }
    if (!allowed) {
      BudgetAnswer denied = answer(spent, held, wall_ms);
      denied.allowed = false;
      return denied;
    }
    if (held_.compare_exchange_weak(word, changed(word, held + asked), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      return answer(spent, held + asked, wall_ms);
    }
  }
}

void BudgetCell::charge(Money amount, int64_t wall_ms) {
  if (amount.nano() <= 0) return;
  uint64_t tag = static_cast<uint64_t>(window_index(window_, wall_ms)) & kWindowMask;
  uint64_t seen = spent_.load(std::memory_order_relaxed);
  for (;;) {
    uint64_t keep = in_force(seen, tag) ? tag_of(seen) : tag;
    uint64_t sum = spent_in(seen, tag) + std::min(static_cast<uint64_t>(amount.nano()), kSpentMax);
    if (spent_.compare_exchange_weak(seen, pack(keep, sum), std::memory_order_relaxed)) return;
  }
}

void BudgetCell::commit(Money reserved, Money spent, int64_t wall_ms) {
  charge(spent, wall_ms);
  uint64_t back = micro_of(reserved);
  uint64_t word = held_.load(std::memory_order_relaxed);
  uint64_t held = 0;
  do {
    held = word >> kHeldShift;
  } while (!held_.compare_exchange_weak(word, changed(word, held - std::min(held, back)),
                                        std::memory_order_release, std::memory_order_relaxed));
}

void BudgetCell::seed(Money spent, int64_t wall_ms) {
  charge(spent, wall_ms);
}

BudgetAnswer BudgetCell::peek(int64_t wall_ms) const {
  uint64_t tag = static_cast<uint64_t>(window_index(window_, wall_ms)) & kWindowMask;
  uint64_t held = held_.load(std::memory_order_acquire) >> kHeldShift;
  uint64_t spent = spent_in(spent_.load(std::memory_order_relaxed), tag);
  BudgetAnswer now = answer(spent, held, wall_ms);
  now.allowed = now.limit.nano() == 0 || spent < static_cast<uint64_t>(now.limit.nano());
  return now;
}

}  // namespace weir::ledger
