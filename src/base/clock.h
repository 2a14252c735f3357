// Time as a parameter. Everything that waits or windows takes a Clock, so tests run on ManualClock.
// Monotonic time is nanoseconds since an arbitrary start; wall time is milliseconds since the Unix
// epoch. SystemClock is thread-safe; ManualClock belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

using Nanoseconds = std::chrono::nanoseconds;
using Milliseconds = std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanoseconds monotonic() const = 0;
  virtual int64_t wall_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  Nanoseconds monotonic() const override {
    return std::chrono::duration_cast<Nanoseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
  }
  int64_t wall_ms() const override {
    return std::chrono::duration_cast<Milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms = 1'700'000'000'000) : wall_ms_start_(wall_ms) {}
  Nanoseconds monotonic() const override { return now_; }
  int64_t wall_ms() const override {
    return wall_ms_start_ + std::chrono::duration_cast<Milliseconds>(now_).count();
  }
  void advance(Nanoseconds by) { now_ += by; }

 private:
  int64_t wall_ms_start_;
  Nanoseconds now_{0};
};

}  // namespace weir
