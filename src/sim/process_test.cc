#include "sim/process.h"

#include <gtest/gtest.h>

#include "sim/sim_command.h"

namespace weir::sim {
namespace {

TEST(Process, Durations) {
  struct Case {
    std::string_view text;
    Nanoseconds value;
  };
  for (const Case& c : {Case{"250ms", Milliseconds(250)}, Case{"2", std::chrono::seconds(2)},
                        Case{"1.5m", std::chrono::seconds(90)}, Case{"40us", Nanoseconds(40'000)},
                        Case{"2h", std::chrono::hours(2)}, Case{"0", Nanoseconds(0)}}) {
    const auto parsed = parse_duration(c.text);
    ASSERT_TRUE(parsed) << c.text;
    EXPECT_EQ(*parsed, c.value) << c.text;
  }
  for (const std::string_view text : {"", "s", "-1s", "1d", "1 s", "1e30s", "nan"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Process, FaultsOfTheCommandLine) {
  const auto status = parse_fault_option("429@5%");
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->fault->status, 429);
  EXPECT_DOUBLE_EQ(status->rate, 0.05);
  const auto reset = parse_fault_option("reset");
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->fault->kind, FaultKind::reset);
  EXPECT_DOUBLE_EQ(reset->rate, 1);
  for (const std::string_view text : {"rest", "429@", "429@2", "stall@x", ""}) {
    EXPECT_FALSE(parse_fault_option(text)) << text;
  }
}

}  // namespace
}  // namespace weir::sim
