#include "sim/rate_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/date.h"

namespace weir::sim {
namespace {

constexpr double kMinuteNs = 60e9;

Nanoseconds time_for(double amount, int64_t per_minute) {
  if (per_minute <= 0 || amount <= 0) return Nanoseconds(0);
  return Nanoseconds(static_cast<int64_t>(amount / static_cast<double>(per_minute) * kMinuteNs));
}

// "6m0s", "1s", "120ms": as OpenAI writes durations.
std::string openai_duration(Nanoseconds time) {
  const int64_t ms = (time.count() + 999'999) / 1'000'000;
  if (ms < 1000) return fmt::format("{}ms", ms);
  const int64_t seconds = (ms + 999) / 1000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  return fmt::format("{}m{}s", seconds / 60, seconds % 60);
}

void add_openai(HeaderFields& out, std::string_view what, int64_t limit, int64_t left,
                Nanoseconds reset) {
  if (limit <= 0) return;
  out.emplace_back(fmt::format("x-ratelimit-limit-{}", what), std::to_string(limit));
  out.emplace_back(fmt::format("x-ratelimit-remaining-{}", what), std::to_string(left));
  out.emplace_back(fmt::format("x-ratelimit-reset-{}", what), openai_duration(reset));
}

void add_anthropic(HeaderFields& out, std::string_view what, int64_t limit, int64_t left,
                   Nanoseconds reset, int64_t wall_ms) {
  if (limit <= 0) return;
  const int64_t at = wall_ms + (reset.count() + 999'999) / 1'000'000;
  out.emplace_back(fmt::format("anthropic-ratelimit-{}-limit", what), std::to_string(limit));
  out.emplace_back(fmt::format("anthropic-ratelimit-{}-remaining", what), std::to_string(left));
  out.emplace_back(fmt::format("anthropic-ratelimit-{}-reset", what), rfc3339(at));
}

}  // namespace

void RateLimiter::Bucket::drain(double limit, Nanoseconds now) {
  const double passed = static_cast<double>((now - at).count());
  used = std::max(0.0, used - limit * passed / kMinuteNs);
  at = now;
}

RateLimiter::Verdict RateLimiter::take(const std::string& model, const RateLimits& limits,
                                       int64_t tokens, Nanoseconds now) {
  Verdict verdict;
  if (limits.requests_per_minute <= 0 && limits.tokens_per_minute <= 0) return verdict;
  auto& [requests, used_tokens] = buckets_[model];
  const auto request_limit = static_cast<double>(limits.requests_per_minute);
  const auto token_limit = static_cast<double>(limits.tokens_per_minute);
  const auto wanted = static_cast<double>(tokens);
  requests.drain(request_limit, now);
  used_tokens.drain(token_limit, now);
  const bool no_request = request_limit > 0 && requests.used + 1 > request_limit;
  const bool no_tokens = token_limit > 0 && used_tokens.used + wanted > token_limit;
  if (no_request || no_tokens) {
    verdict.allowed = false;
    verdict.by_tokens = !no_request;
    verdict.retry_after = std::max(
        no_request ? time_for(requests.used + 1 - request_limit, limits.requests_per_minute)
                   : Nanoseconds(0),
        no_tokens ? time_for(used_tokens.used + wanted - token_limit, limits.tokens_per_minute)
                  : Nanoseconds(0));
  } else {
    requests.used += 1;
    used_tokens.used += wanted;
  }
  const auto left = [](double limit, double used) {
    return std::max<int64_t>(0, static_cast<int64_t>(std::floor(limit - used)));
  };
  verdict.requests_left = left(request_limit, requests.used);
  verdict.tokens_left = left(token_limit, used_tokens.used);
  verdict.requests_reset = time_for(requests.used, limits.requests_per_minute);
  verdict.tokens_reset = time_for(used_tokens.used, limits.tokens_per_minute);
  return verdict;
}

HeaderFields rate_limit_headers(dialect::Dialect dialect, const RateLimits& limits,
                                const RateLimiter::Verdict& verdict, int64_t wall_ms) {
  HeaderFields out;
  const int64_t rpm = limits.requests_per_minute;
  const int64_t tpm = limits.tokens_per_minute;
  if (dialect == dialect::Dialect::anthropic_messages) {
    add_anthropic(out, "requests", rpm, verdict.requests_left, verdict.requests_reset, wall_ms);
    add_anthropic(out, "tokens", tpm, verdict.tokens_left, verdict.tokens_reset, wall_ms);
  } else if (dialect != dialect::Dialect::gemini && dialect != dialect::Dialect::bedrock_converse) {
    add_openai(out, "requests", rpm, verdict.requests_left, verdict.requests_reset);
    add_openai(out, "tokens", tpm, verdict.tokens_left, verdict.tokens_reset);
  }
  return out;
}

}  // namespace weir::sim
