// Histogram: durations by size in buckets whose width is under 1 % of their value (128 per power of
// two), from a microsecond to twelve days, so that a run of any length keeps its percentiles in 36
// KiB. Values outside are held at the ends. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace weir::sim {

class Histogram {
 public:
  Histogram();

  void add(Nanoseconds value);
  uint64_t count() const { return count_; }
  // The value that this share (0..1) of the values does not exceed; 0 where there are none.
  Nanoseconds percentile(double share) const;
  Nanoseconds mean() const;
  Nanoseconds max() const { return max_; }
  Nanoseconds min() const { return count_ > 0 ? min_ : Nanoseconds(0); }

  // For drawing: (upper bound, count) of the buckets that are not empty.
  struct Bar {
    Nanoseconds upper;
    uint64_t count;
  };
  std::vector<Bar> bars() const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  Nanoseconds sum_{0}, min_{0}, max_{0};
};

}  // namespace weir::sim
