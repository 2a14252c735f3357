// Limit cells: requests per minute, tokens per minute, concurrency. One cell is shared by all
// workers: lock-free, a few nanoseconds, exact under concurrency (never admits more than the
// limit). Time is a parameter (monotonic nanoseconds, the same clock for all callers). A limit of
// 0 means none: always allowed. Limits can be changed while in use; what is in flight stays.
//
// Rates are token buckets that start full and refill continuously, as the vendors' do: in any
// span of s seconds at most limit + limit * s / 60 pass.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace weir::ledger {

// What a client is told: x-ratelimit-limit-*, -remaining-*, -reset-* and retry-after.
struct LimitAnswer {
  bool allowed = true;
  bool never = false;          // denied, and waiting does not help: larger than the limit itself
  int64_t limit = 0;           // 0: no limit
  int64_t remaining = 0;       // after this answer
  Nanoseconds reset_after{0};  // until the limit is whole again if nothing else comes
  Nanoseconds retry_after{0};  // denied: until the same question would be allowed; else 0
};

// Requests per minute by GCRA (the generic cell rate algorithm, ITU-T I.371): the whole state is
// one 64-bit theoretical arrival time. Limit: 6e10 per minute.
class RequestRate {
 public:
  explicit RequestRate(int64_t per_minute = 0) { set_limit(per_minute); }
  void set_limit(int64_t per_minute);
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  LimitAnswer take(Nanoseconds now);
  // What take() would have answered, without taking: `remaining` is what is there.
  LimitAnswer ask(Nanoseconds now) const;
  // Whether it would have been allowed: less work than ask().
  bool has_room(Nanoseconds now) const;
  LimitAnswer peek(Nanoseconds now) const;
  // Nothing that was taken is still to be made up for: as good as new.
  bool is_whole(Nanoseconds now) const {
    return arrival_ns_.load(std::memory_order_relaxed) <= now.count();
  }

 private:
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> arrival_ns_{INT64_MIN / 2};  // theoretical arrival time
};

// Tokens per minute, reserve and settle: reserve() holds an estimate while the request is in
// flight, settle() gives it back and charges what was really used, then. What is charged and what
// is held together never exceed the bucket at the time of admission; a request that used more
// than it reserved leaves a debt that later ones wait for. Limits: 2^40 tokens per minute or held,
// 10^8 tokens per reservation (more counts as that).
class TokenRate {
 public:
  explicit TokenRate(int64_t per_minute = 0) { set_limit(per_minute); }
  void set_limit(int64_t per_minute);
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // After an allowed answer the caller owes exactly one settle() with the same `tokens`.
  LimitAnswer reserve(int64_t tokens, Nanoseconds now);
  void settle(int64_t reserved, int64_t used, Nanoseconds now);
  // What reserve() would have answered, without reserving.
  LimitAnswer ask(int64_t tokens, Nanoseconds now) const;
  LimitAnswer peek(Nanoseconds now) const;
  // As RequestRate's, and nothing is held.
  bool is_whole(Nanoseconds now) const {
    return held_.load(std::memory_order_acquire) >> 24 == 0 &&
           arrival_ns_.load(std::memory_order_relaxed) <= now.count();
  }

 private:
  LimitAnswer answer(int64_t limit, int64_t arrival_ns, int64_t held, int64_t asked,
                     Nanoseconds now, bool take) const;

  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> arrival_ns_{INT64_MIN / 2};  // of what has been charged
  // Tokens held by reservations (upper 40 bits) and a change count (lower 24): the count makes a
  // compare-exchange fail when another reservation came and went in between (ABA).
  std::atomic<uint64_t> held_{0};
};

// Requests in flight.
class Concurrency {
 public:
  explicit Concurrency(int64_t limit = 0) { set_limit(limit); }
  void set_limit(int64_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  // After an allowed answer the caller owes exactly one leave().
  LimitAnswer enter();
  // What enter() would have answered.
  LimitAnswer ask() const;
  void leave();

 private:
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> in_flight_{0};
};

}  // namespace weir::ledger
