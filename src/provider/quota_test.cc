// Headers of rate limits, as the providers write them and as they should not.
#include "provider/quota.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace weir::provider {
namespace {

constexpr int64_t kWall = 1'780'272'000'000;  // 2026-06-01T00:00:00Z

RateLimits read(std::initializer_list<http::Header> headers) {
  return read_rate_limits(http::HeaderList(headers), kWall);
}

TEST(RateLimits, OfOpenAiAndAzure) {
  const RateLimits limits = read({{"X-RateLimit-Limit-Requests", "500"},
                                  {"x-ratelimit-remaining-requests", "499"},
                                  {"x-ratelimit-reset-requests", "120ms"},
                                  {"x-ratelimit-limit-tokens", "30000"},
                                  {"x-ratelimit-remaining-tokens", "29000"},
                                  {"x-ratelimit-reset-tokens", "6m0s"}});
  ASSERT_EQ(limits.end() - limits.begin(), 2);
  const RateLimit& requests = limits.begin()[0];
  EXPECT_EQ(requests.what, Limited::requests);
  EXPECT_EQ(requests.limit, 500);
  EXPECT_EQ(requests.remaining, 499);
  EXPECT_DOUBLE_EQ(requests.reset_ms, 120);
  const RateLimit& tokens = limits.begin()[1];
  EXPECT_EQ(tokens.what, Limited::tokens);
  EXPECT_EQ(tokens.remaining, 29'000);
  EXPECT_DOUBLE_EQ(tokens.reset_ms, 360'000);
}

TEST(RateLimits, OfAnthropic) {
  const RateLimits limits =
      read({{"anthropic-ratelimit-requests-limit", "50"},
            {"anthropic-ratelimit-requests-remaining", "49"},
            {"anthropic-ratelimit-requests-reset", "2026-06-01T00:00:02Z"},
            {"anthropic-ratelimit-input-tokens-limit", "40000"},
            {"anthropic-ratelimit-input-tokens-remaining", "0"},
            {"anthropic-ratelimit-input-tokens-reset", "2026-06-01T00:01:00Z"}});
  ASSERT_EQ(limits.end() - limits.begin(), 2);
  EXPECT_DOUBLE_EQ(limits.begin()[0].reset_ms, 2'000);
  EXPECT_EQ(limits.begin()[1].what, Limited::tokens);
  EXPECT_EQ(limits.begin()[1].remaining, 0);
  EXPECT_DOUBLE_EQ(limits.begin()[1].reset_ms, 60'000);
}

TEST(RateLimits, NonsenseIsNothingSaid) {
  EXPECT_TRUE(read({{"content-type", "application/json"}, {"x-request-id", "1"}}).empty());
  EXPECT_TRUE(read({{"x-ratelimit-remaining-tokens", "-1"}}).empty());
  EXPECT_TRUE(read({{"x-ratelimit-remaining-tokens", "many"}}).empty());
  EXPECT_TRUE(read({{"x-ratelimit-limit-tokens", "100"}}).empty()) << "nothing is left to say";
  const RateLimits limits = read({{"x-ratelimit-limit-tokens", "-5"},
                                  {"x-ratelimit-remaining-tokens", "7"},
                                  {"x-ratelimit-reset-tokens", "1h junk"}});
  ASSERT_EQ(limits.end() - limits.begin(), 1);
  EXPECT_EQ(limits.begin()->limit, 0);
  EXPECT_DOUBLE_EQ(limits.begin()->reset_ms, 0);
  // A moment that has passed, and one that nobody waits for.
  EXPECT_DOUBLE_EQ(read({{"anthropic-ratelimit-tokens-remaining", "7"},
                         {"anthropic-ratelimit-tokens-reset", "2020-01-01T00:00:00Z"}})
                       .begin()
                       ->reset_ms,
                   0);
  EXPECT_DOUBLE_EQ(
      read({{"x-ratelimit-remaining-tokens", "7"}, {"x-ratelimit-reset-tokens", "999999h"}})
          .begin()
          ->reset_ms,
      86'400'000);
}

}  // namespace
}  // namespace weir::provider
