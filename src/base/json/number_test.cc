#include "base/json/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::json {
namespace {

const std::string kZeros(400, '0');

TEST(JsonNumber, WholeNumbersHoweverWritten) {
  struct Case {
    std::string text;
    std::optional<int64_t> value;
  };
  const Case cases[] = {
      {"0", 0},
      {"-0", 0},
      {"-0.0", 0},
      {"0e99999999999999999999", 0},
      {"0.000e-5", 0},
      {"1", 1},
      {"1.0", 1},
      {"1e2", 100},
      {"1E+2", 100},
      {"-1.5e1", -15},
      {"100e-2", 1},
      {"1000e-1", 100},
      {"12.34e2", 1234},
      {"12.340e2", 1234},
      {"12.345e2", std::nullopt},
      {"1.5", std::nullopt},
      {"0.1", std::nullopt},
      {"1e-1", std::nullopt},
      {"10e-2", std::nullopt},
      {"1e-99999999999999999999", std::nullopt},
      {"1e30", std::nullopt},
      {"1e99999999999999999999", std::nullopt},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775808", std::nullopt},
      {"-9223372036854775808", INT64_MIN},
      {"-9223372036854775809", std::nullopt},
      {"9223372036854775807.0", INT64_MAX},
      {"9223372036854775808.0", std::nullopt},
      {"-9223372036854775808.0", INT64_MIN},
      {"-9223372036854775809.0", std::nullopt},
      {"9.223372036854775807e18", INT64_MAX},
      {"9.3e18", std::nullopt},
      {"1e18", 1'000'000'000'000'000'000},
      {"9e18", 9'000'000'000'000'000'000},
      {"1e19", std::nullopt},
      {"99999999999999999999", std::nullopt},
      {"9007199254740993", 9'007'199'254'740'993},  // 2^53 + 1: no double in between
      {"9007199254740993.0", 9'007'199'254'740'993},
      {"1" + kZeros + "e-400", 1},
      {"0." + kZeros + "1e401", 1},
      {"0." + kZeros + "12e401", std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(read_int64(c.text), c.value) << c.text;
}

TEST(JsonNumber, Doubles) {
  struct Case {
    std::string text;
    std::optional<double> value;
  };
  const Case cases[] = {
      {"0", 0.0},
      {"1.5", 1.5},
      {"-2e3", -2000.0},
      {"0.1", 0.1},
      {"1e308", 1e308},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
      {"1e309", std::nullopt},
      {"-1e309", std::nullopt},
      {"1e99999999999999999999", std::nullopt},
      {"1" + kZeros, std::nullopt},
      {"1" + kZeros + "e-400", 1.0},
      {"1e-400", 0.0},
      {"1e-99999999999999999999", 0.0},
      {"0." + kZeros + "1", 0.0},
      {"0." + kZeros + "1e401", 1.0},
      {"5e-324", std::numeric_limits<double>::denorm_min()},
      {"9007199254740993", 9'007'199'254'740'992.0},
      {"0e99999999999999999999", 0.0},
  };
  for (const Case& c : cases) EXPECT_EQ(read_double(c.text), c.value) << c.text;
  EXPECT_TRUE(std::signbit(*read_double("-0")));
  EXPECT_TRUE(std::signbit(*read_double("-1e-400")));
}

}  // namespace
}  // namespace weir::json
