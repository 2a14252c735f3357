#include "sim/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::sim {
namespace {

constexpr unsigned kSubBits = 7;
constexpr uint64_t kSub = uint64_t{1} << kSubBits;
constexpr uint64_t kMostUs = (uint64_t{1} << 40) - 1;

// Below 2 * kSub a bucket is a microsecond wide; above, each power of two has kSub buckets.
size_t bucket_of(uint64_t us) {
  if (us < 2 * kSub) return us;
  const auto shift = static_cast<unsigned>(std::bit_width(us)) - kSubBits - 1;
  return (static_cast<size_t>(shift) << kSubBits) + (us >> shift);
}

uint64_t upper_of(size_t bucket) {
  if (bucket < 2 * kSub) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  return (((bucket & (kSub - 1)) + kSub + 1) << shift) - 1;
}

Nanoseconds from_us(uint64_t us) {
  return Nanoseconds(static_cast<int64_t>(us) * 1000);
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(kMostUs) + 1) {}

void Histogram::add(Nanoseconds value) {
  value = std::max(value, Nanoseconds(0));
  const uint64_t us = std::min((static_cast<uint64_t>(value.count()) + 500) / 1000, kMostUs);
  ++buckets_[bucket_of(us)];
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += value;
  ++count_;
}

Nanoseconds Histogram::percentile(double share) const {
  if (count_ == 0) return Nanoseconds(0);
  const auto wanted =
      static_cast<uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<uint64_t>(wanted, 1)) return std::clamp(from_us(upper_of(i)), min_, max_);
  }
  return max_;
}

Nanoseconds Histogram::mean() const {
  return count_ == 0 ? Nanoseconds(0) : sum_ / static_cast<int64_t>(count_);
}

std::vector<Histogram::Bar> Histogram::bars() const {
  std::vector<Bar> bars;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] > 0) bars.push_back({from_us(upper_of(i)), buckets_[i]});
  }
  return bars;
}

}  // namespace weir::sim
