#include "net/timer.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "net/loop.h"

namespace weir::net {

Timer::Timer(Loop& loop, std::function<void()> callback)
    : Timer(loop.timers(), std::move(callback)) {}

Timer::Timer(TimerWheel& wheel, std::function<void()> callback)
    : wheel_(&wheel), callback_(std::move(callback)) {}

Timer::~Timer() {
  cancel();
  if (wheel_->firing_ == this) wheel_->firing_ = nullptr;
}

void Timer::arm(Nanoseconds after) {
  const Nanoseconds now = wheel_->now();
  arm_at(after >= kNoDeadline - now ? kNoDeadline : now + after);
}

void Timer::arm_at(Deadline deadline) {
  cancel();
  if (deadline == kNoDeadline) return;
  deadline_ = deadline;
  armed_ = true;
  ++wheel_->armed_;
  wheel_->insert(*this);
}

void Timer::cancel() {
  if (!armed_) return;
  armed_ = false;
  --wheel_->armed_;
  wheel_->remove(*this);
}

TimerWheel::TimerWheel(Nanoseconds now) : start_(now), now_(now) {}

// Timers that outlive their loop are a bug of their owner: the node would point into freed memory.
TimerWheel::~TimerWheel() {
  WEIR_ASSERT(armed_ == 0);
}

uint64_t TimerWheel::tick_of(Nanoseconds time) const {
  if (time <= start_) return 0;
  return std::min(static_cast<uint64_t>((time - start_) / kTick), kTickMax);
}

// A timer lies on the level of the highest 6-bit digit in which its tick differs from the current
// one. All timers of one tick therefore share a slot, and cascading keeps their order.
void TimerWheel::insert(Timer& timer) {
  const uint64_t tick = std::max(tick_of(timer.deadline_), tick_);
  const uint64_t differs = tick ^ tick_;
  const unsigned level =
      differs == 0 ? 0 : (63 - static_cast<unsigned>(std::countl_zero(differs))) / kSlotBits;
  const unsigned index = static_cast<unsigned>(tick >> (level * kSlotBits)) & (kSlots - 1);
  used_[level] |= uint64_t{1} << index;
  append(level * kSlots + index, timer);
}

void TimerWheel::append(unsigned slot, Timer& timer) {
  Slot& list = slots_[slot];
  timer.slot_ = static_cast<uint16_t>(slot);
  timer.prev_ = list.last;
  timer.next_ = nullptr;
  (list.last != nullptr ? list.last->next_ : list.first) = &timer;
  list.last = &timer;
}

void TimerWheel::remove(Timer& timer) {
  Slot& list = slots_[timer.slot_];
  (timer.prev_ != nullptr ? timer.prev_->next_ : list.first) = timer.next_;
  (timer.next_ != nullptr ? timer.next_->prev_ : list.last) = timer.prev_;
  timer.prev_ = timer.next_ = nullptr;
  if (list.first == nullptr && timer.slot_ != kDue) {
    used_[timer.slot_ / kSlots] &= ~(uint64_t{1} << (timer.slot_ % kSlots));
  }
}

bool TimerWheel::first_used(Place& place) const {
  for (unsigned level = 0; level < kLevels; ++level) {
    const unsigned shift = level * kSlotBits;
    const unsigned digit = static_cast<unsigned>(tick_ >> shift) & (kSlots - 1);
    // The current slot itself counts on level 0 only: above, it was cascaded when it was entered.
    const uint64_t passed = level == 0 ? (uint64_t{1} << digit) - 1 : (uint64_t{2} << digit) - 1;
    const uint64_t left = used_[level] & ~passed;
    if (left == 0) continue;
    const unsigned index = static_cast<unsigned>(std::countr_zero(left));
    const uint64_t above = tick_ >> (shift + kSlotBits) << (shift + kSlotBits);
    place = {level * kSlots + index, above | (uint64_t{index} << shift)};
    return true;
  }
  return false;
}

void TimerWheel::redistribute(unsigned slot) {
  Timer* timer = std::exchange(slots_[slot].first, nullptr);
  slots_[slot].last = nullptr;
  used_[slot / kSlots] &= ~(uint64_t{1} << (slot % kSlots));
  while (timer != nullptr) {
    Timer* next = timer->next_;
    if (slot < kSlots && timer->deadline_ <= now_) {
      append(kDue, *timer);
    } else {
      insert(*timer);
    }
    timer = next;
  }
}

size_t TimerWheel::fire(Nanoseconds now) {
  set_now(now);
  const uint64_t target = tick_of(now_);
  Place place{};
  while (first_used(place) && place.tick <= target) {
    tick_ = place.tick;
    redistribute(place.slot);
    // What is left in the target's own slot is due within its millisecond.
    if (tick_ == target && place.slot < kSlots) break;
  }
  tick_ = target;

  size_t fired = 0;
  while (Timer* timer = slots_[kDue].first) {
    timer->cancel();
    ++fired;
    // The callback may destroy the timer: it runs from here, and goes back if the timer lives.
    firing_ = timer;
    std::function<void()> callback = std::move(timer->callback_);
    callback();
    if (firing_ == timer) timer->callback_ = std::move(callback);
    firing_ = nullptr;
  }
  return fired;
}

Deadline TimerWheel::next() const {
  if (slots_[kDue].first != nullptr) return now_;
  Place place{};
  if (!first_used(place)) return kNoDeadline;
  const Nanoseconds slot_start = start_ + static_cast<int64_t>(place.tick) * kTick;
  // The exact deadline saves a turn, unless looking for it costs more than the turn. In the current
  // millisecond only the exact one avoids spinning.
  constexpr int kLookMax = 8;
  Deadline earliest = kNoDeadline;
  int looked = 0;
  for (const Timer* timer = slots_[place.slot].first; timer != nullptr; timer = timer->next_) {
    if (++looked > kLookMax && slot_start > now_) return slot_start;
    earliest = std::min(earliest, timer->deadline_);
  }
  return earliest;
}

Sleep::Sleep(Loop& loop, Deadline deadline)
    : loop_(&loop), deadline_(deadline), timer_(loop, [this] { loop_->wake(*this); }) {}

bool Sleep::await_ready() const {
  return false;
}

void Sleep::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  timer_.arm_at(deadline_);
}

Sleep sleep(Loop& loop, Nanoseconds duration) {
  return {loop, loop.deadline_in(duration)};
}
Sleep sleep_until(Loop& loop, Deadline deadline) {
  return {loop, deadline};
}

}  // namespace weir::net
