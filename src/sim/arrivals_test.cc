#include "sim/arrivals.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::sim {
namespace {

TEST(Arrivals, ConstantRate) {
  auto arrivals = arrivals_by_rate({.per_second = 4, .spacing = Spacing::constant}, 1);
  EXPECT_EQ(arrivals->next()->at, Nanoseconds(0));
  EXPECT_EQ(arrivals->next()->at, Milliseconds(250));
  EXPECT_EQ(arrivals->next()->at, Milliseconds(500));
}

TEST(Arrivals, PoissonKeepsItsRateAndSeed) {
  const RateShape shape{.per_second = 100, .prompt_tokens = 50, .spread = 0.5};
  auto one = arrivals_by_rate(shape, 1);
  auto two = arrivals_by_rate(shape, 1);
  Nanoseconds last{0};
  for (int i = 0; i < 10'000; ++i) {
    const Arrival arrival = *one->next();
    EXPECT_EQ(arrival.at, two->next()->at);
    EXPECT_GE(arrival.at, last);
    EXPECT_GE(arrival.prompt_tokens, 25);
    EXPECT_LE(arrival.prompt_tokens, 75);
    last = arrival.at;
  }
  EXPECT_NEAR(static_cast<double>(last.count()) / 1e9, 100, 5);
}

TEST(Arrivals, TraceInAzuresForm) {
  const auto trace = parse_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 18:15:46.6805900,374,44\r\n"
      "2023-11-16 18:15:50.9951690,396,109\r\n",
      2);
  ASSERT_TRUE(trace) << trace.error().message();
  ASSERT_EQ(trace->size(), 2U);
  EXPECT_EQ((*trace)[0].at, Nanoseconds(0));
  EXPECT_EQ((*trace)[1].at, Nanoseconds(4'314'579'000 / 2));
  EXPECT_EQ((*trace)[1].output_tokens, 109);
}

TEST(Arrivals, BadTracesNameTheLine) {
  for (const std::string_view row :
       {"x,1,2", "2023-11-16 18:15:46.68,1", "2023-11-16 18:15:46,a,2"}) {
    const auto trace = parse_trace("head\n" + std::string(row), 1);
    ASSERT_FALSE(trace) << row;
    EXPECT_NE(trace.error().message().find("line 2"), std::string_view::npos);
  }
}

TEST(Arrivals, AzuresOwnTrace) {
  const std::filesystem::path path =
      std::filesystem::path(WEIR_SOURCE_DIR) / "../shared/data/azure-llm-2023/conv.csv";
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << "skipped: " << path << " is not here";
  std::stringstream text;
  text << file.rdbuf();
  const auto trace = parse_trace(text.str(), 1);
  ASSERT_TRUE(trace) << trace.error().message();
  EXPECT_EQ(trace->size(), 19'366U);
  EXPECT_LT(trace->back().at, std::chrono::hours(2));
}

}  // namespace
}  // namespace weir::sim
