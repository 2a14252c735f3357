// Budget cell: money spent per calendar window (day or month, UTC), reserve and commit. Shared by
// all workers, lock-free; wall time is a parameter. The window rolls over by itself: the first
// touch in a new window starts from zero. A limit of 0 means none, but spending is still counted.
// Limits: 18 million dollars spent per window and held in flight (saturates).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/money.h"

namespace weir::ledger {

enum class BudgetWindow : uint8_t { day, month };

// Days since 1970-01-01, or months since 1970-01, UTC.
int64_t window_index(BudgetWindow window, int64_t wall_ms);
// The first millisecond of that window.
int64_t window_start_ms(BudgetWindow window, int64_t index);

struct BudgetAnswer {
  bool allowed = true;
  Money limit;
  Money spent;               // in the current window, committed
  Money reserved;            // held by requests in flight, this one included when allowed
  int64_t resets_at_ms = 0;  // wall time of the next window
};

class BudgetCell {
 public:
  explicit BudgetCell(Money limit = {}, BudgetWindow window = BudgetWindow::month)
      : limit_nano_(limit.nano()), window_(window) {}
  // The window itself can not change: a budget with another window is another cell.
  void set_limit(Money limit) { limit_nano_.store(limit.nano(), std::memory_order_relaxed); }
  Money limit() const { return Money::from_nano(limit_nano_.load(std::memory_order_relaxed)); }
  BudgetWindow window() const { return window_; }

  // Allowed while spent + held + amount <= limit, and in any case only while spent < limit. After
  // an allowed answer the caller owes exactly one commit() with the same `reserved`.
  BudgetAnswer reserve(Money amount, int64_t wall_ms);
  // Gives the reservation back and counts `spent` in the window of `wall_ms`. Money{} releases.
  void commit(Money reserved, Money spent, int64_t wall_ms);
  // Adds what the ledger knows of the current window; once at start, before requests.
  void seed(Money spent, int64_t wall_ms);
  BudgetAnswer peek(int64_t wall_ms) const;

 private:
  void charge(Money amount, int64_t wall_ms);
  BudgetAnswer answer(uint64_t spent, uint64_t held, int64_t wall_ms) const;

  std::atomic<int64_t> limit_nano_;
  const BudgetWindow window_;
  std::atomic<uint64_t> spent_{0};  // window index mod 1024 (upper 10 bits), nano-dollars (54)
  std::atomic<uint64_t> held_{0};   // micro-dollars (upper 44 bits), change count (20) against ABA
};

}  // namespace weir::ledger
