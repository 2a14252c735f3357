// A histogram with fixed bounds in seconds, made for latencies of model APIs: 1 ms to 10 min.
// Plain numbers, one writer; copy it to read it elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"

namespace weir::observe {

class Histogram {
 public:
  // Upper bounds in seconds; the last bucket has none.
  static constexpr std::array<double, 17> kBounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600};
  static constexpr size_t kBuckets = kBounds.size() + 1;

  void add(Nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
    ++counts_[static_cast<size_t>(at - kBounds.begin())];
    sum_ns_ += duration.count();
  }
  void add(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    sum_ns_ += other.sum_ns_;
  }
  const std::array<uint64_t, kBuckets>& counts() const { return counts_; }
  double sum_seconds() const { return static_cast<double>(sum_ns_) * 1e-9; }

 private:
  std::array<uint64_t, kBuckets> counts_{};
  int64_t sum_ns_ = 0;
};

}  // namespace weir::observe
