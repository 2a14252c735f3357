#include "base/money.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

TEST(Money, ReadsDollars) {
  EXPECT_EQ(Money::parse_usd("0.15")->nano(), 150'000'000);
  EXPECT_EQ(Money::parse_usd("12")->nano(), 12'000'000'000);
  EXPECT_EQ(Money::parse_usd("-1.5")->nano(), -1'500'000'000);
  EXPECT_EQ(Money::parse_usd("2.5e-06")->nano(), 2'500);
  EXPECT_EQ(Money::parse_usd("0.0000000010")->nano(), 1);
  EXPECT_EQ(Money::parse_usd("0")->nano(), 0);
}

TEST(Money, RefusesWhatItCannotHoldExactly) {
  for (const char* text : {"", "-", ".", "1.2.3", "abc", "1e", "0.00000000001", "1e30",
                           "99999999999999999999", "1 ", "+1", "1e999999999"}) {
    EXPECT_FALSE(Money::parse_usd(text)) << text;
  }
}

TEST(Money, WritesDollars) {
  EXPECT_EQ(Money::from_nano(0).to_usd(), "0.00");
  EXPECT_EQ(Money::from_nano(1'500'000'000).to_usd(), "1.50");
  EXPECT_EQ(Money::from_nano(12'500).to_usd(), "0.0000125");
  EXPECT_EQ(Money::from_nano(-12'500).to_usd(), "-0.0000125");
  EXPECT_EQ(Money::from_nano(std::numeric_limits<int64_t>::min()).to_usd(),
            "-9223372036.854775808");
}

TEST(Money, SaturatesInsteadOfWrapping) {
  const Money most = Money::from_nano(std::numeric_limits<int64_t>::max());
  EXPECT_TRUE((most + Money::from_nano(1)).saturated());
  EXPECT_TRUE(most.times(2).saturated());
  EXPECT_EQ((Money::from_nano(std::numeric_limits<int64_t>::min()) - most).nano(),
            std::numeric_limits<int64_t>::min());
}

}  // namespace
}  // namespace weir
