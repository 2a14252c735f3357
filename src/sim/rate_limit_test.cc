#include "sim/rate_limit.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateLimiter, RequestsPerMinute) {
  RateLimiter limiter;
  const RateLimits limits{.requests_per_minute = 2};
  EXPECT_TRUE(limiter.take("m", limits, 10, seconds(0)).allowed);
  EXPECT_TRUE(limiter.take("m", limits, 10, seconds(0)).allowed);
  const auto refused = limiter.take("m", limits, 10, seconds(0));
  EXPECT_FALSE(refused.allowed);
  EXPECT_FALSE(refused.by_tokens);
  EXPECT_EQ(refused.retry_after, seconds(30));
  EXPECT_TRUE(limiter.take("other", limits, 10, seconds(0)).allowed);
  EXPECT_TRUE(limiter.take("m", limits, 10, seconds(30)).allowed);
}

TEST(RateLimiter, TokensPerMinute) {
  RateLimiter limiter;
  const RateLimits limits{.tokens_per_minute = 600};
  EXPECT_TRUE(limiter.take("m", limits, 500, seconds(0)).allowed);
  const auto refused = limiter.take("m", limits, 200, seconds(0));
  EXPECT_FALSE(refused.allowed);
  EXPECT_TRUE(refused.by_tokens);
  EXPECT_EQ(refused.retry_after, seconds(10));
  EXPECT_EQ(refused.tokens_left, 100);
  EXPECT_TRUE(limiter.take("m", limits, 200, seconds(10)).allowed);
}

TEST(RateLimiter, HeadersOfTheVendors) {
  RateLimiter limiter;
  const RateLimits limits{.requests_per_minute = 60, .tokens_per_minute = 600};
  const auto verdict = limiter.take("m", limits, 5, seconds(0));
  const HeaderFields openai = rate_limit_headers(dialect::Dialect::openai_chat, limits, verdict, 0);
  EXPECT_EQ(openai, (HeaderFields{{"x-ratelimit-limit-requests", "60"},
                                  {"x-ratelimit-remaining-requests", "59"},
                                  {"x-ratelimit-reset-requests", "1s"},
                                  {"x-ratelimit-limit-tokens", "600"},
                                  {"x-ratelimit-remaining-tokens", "595"},
                                  {"x-ratelimit-reset-tokens", "500ms"}}));
  const HeaderFields anthropic =
      rate_limit_headers(dialect::Dialect::anthropic_messages, limits, verdict, 0);
  EXPECT_EQ(anthropic[2].second, "1970-01-01T00:00:01.000Z");
  EXPECT_TRUE(rate_limit_headers(dialect::Dialect::gemini, limits, verdict, 0).empty());
}

}  // namespace
}  // namespace weir::sim
