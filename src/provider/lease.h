// Lease: a time for which one thing (a credential, a deployment) is left alone, because its
// provider said so: 429 with Retry-After, a refused credential, an empty quota. Whether something
// is sick is not said here but by the scheduler's weights and each worker's guard
// (gateway/traffic.h). Three states, all in atomics: open; parked until a moment; half open, when
// that moment has passed and one trial is let through. Shared by all workers; every call is
// wait-free; time is a parameter (monotonic).
//
// Attempts that were under way when it was parked say nothing about it any more: a stream that ends
// well does not cut short the wait that a newer request was told to keep.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace weir::provider {

class Lease {
 public:
  static constexpr Nanoseconds kTrialMax{30'000'000'000};  // a trial that never reports is over

  enum class Gate : uint8_t {
    open,    // use it
    trial,   // use it, and this request is the one trial
    closed,  // leave it alone
  };
  // Asks to use it now. `trial` is given to one caller per kTrialMax until somebody reports.
  Gate ask(Nanoseconds now) {
    const int64_t until = parked_until_.load(std::memory_order_relaxed);
    if (until == 0) return Gate::open;
    if (now.count() < until) return Gate::closed;
    int64_t trial = trial_until_.load(std::memory_order_relaxed);
    if (now.count() < trial) return Gate::closed;
    return trial_until_.compare_exchange_strong(trial, (now + kTrialMax).count(),
                                                std::memory_order_relaxed)
               ? Gate::trial
               : Gate::closed;
  }
  // The same without taking the trial: for showing and for choosing.
  bool is_open(Nanoseconds now) const {
    const int64_t until = parked_until_.load(std::memory_order_relaxed);
    return until == 0 || now.count() >= until;
  }
  // When it may be tried again; zero when open.
  Nanoseconds parked_until() const {
    return Nanoseconds(parked_until_.load(std::memory_order_relaxed));
  }
  // Whether ask() would let a request through.
  bool would_open(Nanoseconds now) const {
    const int64_t until = parked_until_.load(std::memory_order_relaxed);
    return until == 0 ||
           (now.count() >= until && now.count() >= trial_until_.load(std::memory_order_relaxed));
  }
  uint32_t times() const { return times_.load(std::memory_order_relaxed); }

  // An attempt that began at `started` went well.
  void succeeded(Nanoseconds started) {
    // The usual case writes nothing: workers share this cache line.
    if (parked_until_.load(std::memory_order_relaxed) == 0) return;
    if (!began_before_parking(started)) open();
  }
  // What parked it is over: forgets everything.
  void open() {
    times_.store(0, std::memory_order_relaxed);
    parked_until_.store(0, std::memory_order_relaxed);
    trial_until_.store(0, std::memory_order_relaxed);
  }
  // Parks for twice as long each time in a row: where the provider names no moment.
  void park_backing_off(Nanoseconds now, Nanoseconds first, Nanoseconds most) {
    const uint32_t step = std::min(times_.fetch_add(1, std::memory_order_relaxed), 20U);
    park_until(now, now + std::min(first * (int64_t{1} << step), most));
  }
  // Parks until the moment the provider named; a later moment that is already set stands.
  void park_until(Nanoseconds now, Nanoseconds until) {
    parked_at_.store(now.count(), std::memory_order_relaxed);
    int64_t current = parked_until_.load(std::memory_order_relaxed);
    while (current < until.count() && !parked_until_.compare_exchange_weak(
                                          current, until.count(), std::memory_order_relaxed)) {
    }
    trial_until_.store(0, std::memory_order_relaxed);
  }
  // The trial ended without saying anything about health (client gone, a 400): the next may try.
  // Only for whoever was given the trial.
  void trial_abandoned() { trial_until_.store(0, std::memory_order_relaxed); }

 private:
  bool began_before_parking(Nanoseconds started) const {
    return started.count() < parked_at_.load(std::memory_order_relaxed);
  }

  std::atomic<int64_t> parked_until_{0};  // monotonic ns; 0 = open
  std::atomic<int64_t> parked_at_{0};     // when it was parked last
  std::atomic<int64_t> trial_until_{0};   // a trial is under way until then
  std::atomic<uint32_t> times_{0};        // parked by back-off since it was open
};

}  // namespace weir::provider
