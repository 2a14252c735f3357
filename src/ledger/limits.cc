#include "ledger/limits.h"

#include <algorithm>

namespace weir::ledger {

namespace {

static_assert(std::atomic<int64_t>::is_always_lock_free);

constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr int64_t kTokensMax = 100'000'000;      // of one reservation
constexpr int64_t kLimitMax = int64_t{1} << 40;  // of a limit, and of all reservations together
constexpr uint64_t kHeldShift = 24;
constexpr uint64_t kChangeMask = (uint64_t{1} << kHeldShift) - 1;

// Limit times nanoseconds leaves 64 bits.
__extension__ using Wide = unsigned __int128;

// The time that `count` units take at `limit` per minute, rounded up: never admits more.
int64_t time_of(int64_t count, int64_t limit) {
  Wide unit = static_cast<Wide>(limit);
  return static_cast<int64_t>((static_cast<Wide>(count) * kMinuteNs + unit - 1) / unit);
}

// The same of one unit; with 64 bits, which divide several times as fast.
int64_t step_of(int64_t limit) {
  return (kMinuteNs + limit - 1) / limit;
}

// How many units fit into `free_ns` of a bucket that is a minute deep, rounded down.
int64_t units_in(int64_t free_ns, int64_t limit) {
  if (free_ns <= 0) return 0;
  return static_cast<int64_t>(static_cast<Wide>(limit) * static_cast<Wide>(free_ns) / kMinuteNs);
}

int64_t held_of(uint64_t word) {
  return static_cast<int64_t>(word >> kHeldShift);
}
uint64_t changed(uint64_t word, int64_t held) {
  return (static_cast<uint64_t>(held) << kHeldShift) | ((word + 1) & kChangeMask);
}

}  // namespace

void RequestRate::set_limit(int64_t per_minute) {
  limit_.store(std::clamp<int64_t>(per_minute, 0, kMinuteNs), std::memory_order_relaxed);
}

LimitAnswer RequestRate::take(Nanoseconds now) {
  int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return {};
  int64_t step = step_of(limit);
  // A full bucket is exactly `limit` steps deep, so that `limit` requests pass at once.
  int64_t depth = step * limit;
  int64_t seen = arrival_ns_.load(std::memory_order_relaxed);
  for (;;) {
    int64_t base = std::max(seen, now.count());
    int64_t next = base + step;
    if (next - now.count() > depth) {
      LimitAnswer denied = peek(now);
      denied.allowed = false;
      denied.retry_after = Nanoseconds(next - now.count() - depth);
      return denied;
    }
    // Relaxed: the word is the whole state and guards no other memory.
    if (arrival_ns_.compare_exchange_weak(seen, next, std::memory_order_relaxed)) {
      return {.limit = limit,
              .remaining = (depth - (next - now.count())) / step,
              .reset_after = Nanoseconds(next - now.count())};
    }
  }
}

bool RequestRate::has_room(Nanoseconds now) const {
  const int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return true;
  const int64_t step = step_of(limit);
  const int64_t seen = arrival_ns_.load(std::memory_order_relaxed);
  return std::max(seen, now.count()) + step - now.count() <= step * limit;
}

LimitAnswer RequestRate::ask(Nanoseconds now) const {
  LimitAnswer answer = peek(now);
  if (answer.limit == 0) return answer;
  const int64_t step = step_of(answer.limit);
  const int64_t wait = answer.reset_after.count() + step - step * answer.limit;
  if (wait <= 0) return answer;
  answer.allowed = false;
  answer.retry_after = Nanoseconds(wait);
  return answer;
}

LimitAnswer RequestRate::peek(Nanoseconds now) const {
  int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return {};
  int64_t step = step_of(limit);
  int64_t used = std::max<int64_t>(arrival_ns_.load(std::memory_order_relaxed) - now.count(), 0);
  return {.limit = limit,
          .remaining = std::max<int64_t>(step * limit - used, 0) / step,
          .reset_after = Nanoseconds(used)};
}

void TokenRate::set_limit(int64_t per_minute) {
  limit_.store(std::clamp<int64_t>(per_minute, 0, kLimitMax), std::memory_order_relaxed);
}

LimitAnswer TokenRate::answer(int64_t limit, int64_t arrival_ns, int64_t held, int64_t asked,
                              Nanoseconds now, bool take) const {
  int64_t used_ns = std::max<int64_t>(arrival_ns - now.count(), 0);
  int64_t level = used_ns >= kMinuteNs ? 0 : units_in(kMinuteNs - used_ns, limit);
  LimitAnswer result{.limit = limit};
  int64_t free = level - held;
  if (take && asked <= free) free -= asked;
  result.remaining = std::max<int64_t>(free, 0);
  result.reset_after =
      Nanoseconds(used_ns + time_of(std::min(held + (take ? asked : 0), limit), limit));
  if (asked > level - held) {
    result.allowed = false;
    result.never = asked > limit;
    // Charged tokens drain with time; held ones are counted as if they were to be charged now.
    const int64_t wait = used_ns + time_of(std::min(held + asked, 2 * limit), limit) - kMinuteNs;
    result.retry_after = Nanoseconds(std::max<int64_t>(wait, 1));
    result.reset_after = Nanoseconds(used_ns + time_of(std::min(held, limit), limit));
  }
  return result;
}

LimitAnswer TokenRate::reserve(int64_t tokens, Nanoseconds now) {
  int64_t asked = std::clamp<int64_t>(tokens, 0, kTokensMax);
  // (1) Acquire pairs with the release in settle(): who sees a reservation gone also sees in
  // arrival_ns_ what was charged for it.
  uint64_t word = held_.load(std::memory_order_acquire);
  for (;;) {
    int64_t limit = limit_.load(std::memory_order_relaxed);
    // (2) Read after (1). A charge in between changes held_ right after, and the exchange fails.
    int64_t arrival = arrival_ns_.load(std::memory_order_relaxed);
    int64_t held = held_of(word);
    LimitAnswer result;
    // Without a limit reservations are counted all the same, so that settle() is symmetrical when
    // a limit appears in between.
    if (limit != 0) {
      result = answer(limit, arrival, held, asked, now, true);
      if (!result.allowed) return result;
    }
    if (held + asked >= kLimitMax) {
      result.allowed = false;
      result.retry_after = Nanoseconds(kMinuteNs);
      return result;
    }
    // (3) Fails when anything was reserved or settled since (1), thanks to the change count.
    if (held_.compare_exchange_weak(word, changed(word, held + asked), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      return result;
    }
  }
}

void TokenRate::settle(int64_t reserved, int64_t used, Nanoseconds now) {
  int64_t asked = std::clamp<int64_t>(reserved, 0, kTokensMax);
  int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit != 0 && used > 0) {
    int64_t cost = time_of(std::min(used, kTokensMax), limit);
    int64_t seen = arrival_ns_.load(std::memory_order_relaxed);
    while (!arrival_ns_.compare_exchange_weak(seen, std::max(seen, now.count()) + cost,
                                              std::memory_order_relaxed)) {
    }
  }
  // (4) Release, after the charge: see (1). Between both the tokens count twice, never not at all.
  uint64_t word = held_.load(std::memory_order_relaxed);
  while (!held_.compare_exchange_weak(word,
                                      changed(word, std::max<int64_t>(held_of(word) - asked, 0)),
                                      std::memory_order_release, std::memory_order_relaxed)) {
  }
}

LimitAnswer TokenRate::ask(int64_t tokens, Nanoseconds now) const {
  const int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return {};
  const int64_t held = held_of(held_.load(std::memory_order_acquire));
  return answer(limit, arrival_ns_.load(std::memory_order_relaxed), held,
                std::clamp<int64_t>(tokens, 0, kTokensMax), now, true);
}

LimitAnswer TokenRate::peek(Nanoseconds now) const {
  int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return {};
  int64_t held = held_of(held_.load(std::memory_order_acquire));
  return answer(limit, arrival_ns_.load(std::memory_order_relaxed), held, 0, now, false);
}

LimitAnswer Concurrency::enter() {
  int64_t limit = limit_.load(std::memory_order_relaxed);
  int64_t seen = in_flight_.load(std::memory_order_relaxed);
  do {
    if (limit != 0 && seen >= limit) return {.allowed = false, .limit = limit, .remaining = 0};
  } while (!in_flight_.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
  return {.limit = limit, .remaining = limit == 0 ? 0 : limit - seen - 1};
}

LimitAnswer Concurrency::ask() const {
  const int64_t limit = limit_.load(std::memory_order_relaxed);
  const int64_t seen = in_flight_.load(std::memory_order_relaxed);
  if (limit == 0) return {};
  return {.allowed = seen < limit, .limit = limit, .remaining = std::max<int64_t>(limit - seen, 0)};
}

void Concurrency::leave() {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace weir::ledger
