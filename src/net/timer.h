// Timer and TimerWheel: a hierarchical timing wheel per loop, seven levels of 64 slots over ticks
// of 1 ms (139 years). Arming, re-arming and cancelling are O(1) and allocate nothing; the node is
// the Timer itself. Deadlines are exact nanoseconds: a timer never fires early, and fires as soon
// after its deadline as the loop turns. Timers due in one turn fire by millisecond, then in arming
// order. Under a ManualClock, Loop::advance() stops at each deadline in turn. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "net/wakeup.h"

namespace weir::net {

class Loop;
class TimerWheel;

// A point on the loop's monotonic clock, as in `loop.deadline_in(2s)`.
using Deadline = Nanoseconds;
inline constexpr Deadline kNoDeadline = Nanoseconds::max();

class Timer {
 public:
  // The callback may arm, cancel or destroy any timer, this one included.
  Timer(Loop& loop, std::function<void()> callback);
  Timer(TimerWheel& wheel, std::function<void()> callback);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // Arms or re-arms. after <= 0 fires on the loop's next turn.
  void arm(Nanoseconds after);
  // kNoDeadline cancels.
  void arm_at(Deadline deadline);
  void cancel();
  bool armed() const { return armed_; }
  // Meaningful while armed.
  Deadline deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  TimerWheel* wheel_;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  uint16_t slot_ = 0;  // level * 64 + index while armed
  bool armed_ = false;
  Deadline deadline_{0};
  std::function<void()> callback_;
};

class TimerWheel {
 public:
  static constexpr Nanoseconds kTick = Milliseconds(1);

  explicit TimerWheel(Nanoseconds now);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires what is due at `now` (never before an earlier call's). Timers that callbacks arm for
  // `now` or the past wait for the next call. Returns how many fired.
  size_t fire(Nanoseconds now);
  // The time to call fire() next: kNoDeadline when nothing is armed, never later than the earliest
  // deadline, and earlier only by an empty stop on the way there.
  Deadline next() const;
  size_t armed() const { return armed_; }
  // The time that Timer::arm() counts from. set_now() moves it on without firing anything.
  Nanoseconds now() const { return now_; }
  void set_now(Nanoseconds now) {
    if (now > now_) now_ = now;
  }

 private:
  friend class Timer;
  static constexpr unsigned kLevels = 7;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr unsigned kDue = kLevels * kSlots;  // the slot of timers about to fire
  static constexpr uint64_t kTickMax = (uint64_t{1} << (kLevels * kSlotBits)) - 1;

  struct Place {
    unsigned slot;
    uint64_t tick;  // the first tick of the slot
  };

  struct Slot {  // a list with the order of arming
    Timer* first = nullptr;
    Timer* last = nullptr;
  };

  void insert(Timer& timer);
  void append(unsigned slot, Timer& timer);
  void remove(Timer& timer);
  uint64_t tick_of(Nanoseconds time) const;
  // The earliest slot that is not empty; false when there is none.
  bool first_used(Place& place) const;
  // Empties the slot: what is due goes to kDue (from level 0 only, which keeps the order by tick),
  // the rest to where it now belongs.
  void redistribute(unsigned slot);

  Nanoseconds start_;
  Nanoseconds now_;
  uint64_t tick_ = 0;  // ticks before this one have been fired
  size_t armed_ = 0;
  Timer* firing_ = nullptr;  // whose callback runs; null again when that timer goes meanwhile
  std::array<uint64_t, kLevels> used_{};  // bit per slot that is not empty
  std::array<Slot, kDue + 1> slots_{};
};

// co_await sleep(loop, 20ms): needs no frame of its own.
class [[nodiscard]] Sleep : public CoroutineWakeup {
 public:
  Sleep(Loop& loop, Deadline deadline);
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume() const {}

 private:
  Loop* loop_;
  Deadline deadline_;
  Timer timer_;
};
Sleep sleep(Loop& loop, Nanoseconds duration);
Sleep sleep_until(Loop& loop, Deadline deadline);

}  // namespace weir::net
