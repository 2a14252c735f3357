#include "sim/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace weir::sim {
namespace {

using std::chrono::microseconds;

TEST(Histogram, PercentilesAreWithinOnePercent) {
  Random random(3);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const auto us = static_cast<int64_t>(std::exp(random.uniform() * 18));
    values.push_back(us);
    histogram.add(microseconds(us));
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto index = static_cast<size_t>(std::ceil(share * 20'000)) - 1;
    const auto exact = static_cast<double>(values[index]);
    const auto told = static_cast<double>(histogram.percentile(share).count()) / 1000;
    EXPECT_NEAR(told, exact, std::max(1.0, exact / 100)) << share;
  }
  EXPECT_EQ(histogram.max(), microseconds(values.back()));
  EXPECT_EQ(histogram.min(), microseconds(values.front()));
}

TEST(Histogram, EmptyAndExtremes) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), Nanoseconds(0));
  EXPECT_EQ(histogram.mean(), Nanoseconds(0));
  histogram.add(Nanoseconds(-5));
  histogram.add(std::chrono::hours(24 * 400));
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile(0), Nanoseconds(0));
  uint64_t total = 0;
  for (const Histogram::Bar& bar : histogram.bars()) total += bar.count;
  EXPECT_EQ(total, 2U);
}

}  // namespace
}  // namespace weir::sim
