#include "base/random.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Random, IsTheKnownSequence) {
  // SplitMix64 from state 1234567, the vector that its other implementations test against.
  Random random(1234567);
  for (const uint64_t expected : {6457827717110365317ULL, 3203168211198807973ULL,
                                  9817491932198370423ULL, 4593380528125082431ULL}) {
    EXPECT_EQ(random.next(), expected);
  }
}

TEST(Random, StaysInRangeAndReachesAll) {
  Random random(42);
  int counts[7] = {};
  for (int i = 0; i < 70'000; ++i) {
    const uint32_t value = random.below(7);
    ASSERT_LT(value, 7u);
    ++counts[value];
    const double share = random.uniform();
    ASSERT_GE(share, 0.0);
    ASSERT_LT(share, 1.0);
  }
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);  // more than five deviations
  EXPECT_EQ(Random(1).below(1), 0u);
}

}  // namespace
}  // namespace weir
