#include "provider/quota.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/date.h"
#include "base/text.h"

namespace weir::provider {
namespace {

constexpr double kResetMaxMs = 86'400'000;

struct Names {
  Limited what;
  std::string_view limit, remaining, reset;
};
constexpr Names kOpenAi[] = {
    {Limited::requests, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
     "x-ratelimit-reset-requests"},
    {Limited::tokens, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
     "x-ratelimit-reset-tokens"},
};
constexpr Names kAnthropic[] = {
    {Limited::requests, "anthropic-ratelimit-requests-limit",
     "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
    {Limited::tokens, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
     "anthropic-ratelimit-tokens-reset"},
    {Limited::tokens, "anthropic-ratelimit-input-tokens-limit",
     "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
    {Limited::tokens, "anthropic-ratelimit-output-tokens-limit",
     "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
};

// OpenAI's reset values: "1s", "6m0s", "20ms", "1h2m3.5s".
std::optional<double> duration_ms(std::string_view text) {
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.starts_with("ms")) {
      total += value;
      text.remove_prefix(2);
    } else if (text.starts_with("s")) {
      total += value * 1e3;
      text.remove_prefix(1);
    } else if (text.starts_with("m")) {
      total += value * 6e4;
      text.remove_prefix(1);
    } else if (text.starts_with("h")) {
      total += value * 3.6e6;
      text.remove_prefix(1);
    } else {
      return std::nullopt;
    }
  }
  return total;
}

// Milliseconds from now; 0 where it cannot be read.
double reset_of(std::string_view text, int64_t wall_ms) {
  double ms = 0;
  if (const auto at = parse_rfc3339(text)) {
    ms = static_cast<double>(*at - wall_ms);
  } else if (const auto duration = duration_ms(text)) {
    ms = *duration;
  }
  return std::clamp(ms, 0.0, kResetMaxMs);
}

void read(const http::HeaderList& headers, int64_t wall_ms, std::span<const Names> names,
          RateLimits& into) {
  for (const Names& name : names) {
    const auto remaining = headers.find(name.remaining);
    if (!remaining) continue;
    const auto left = parse_int64(*remaining);
    if (!left || *left < 0) continue;
    RateLimit limit{.what = name.what, .remaining = *left};
    if (const auto most = headers.find(name.limit)) {
      limit.limit = std::max<int64_t>(parse_int64(*most).value_or(0), 0);
    }
    if (const auto reset = headers.find(name.reset)) limit.reset_ms = reset_of(*reset, wall_ms);
    into.add(limit);
  }
}

}  // namespace

RateLimits read_rate_limits(const http::HeaderList& headers, int64_t wall_ms) {
  RateLimits limits;
  // One look for the families spares answers without any a dozen.
  bool openai = false;
  bool anthropic = false;
  for (const http::Header& header : headers) {
    const char first = header.name.empty() ? '\0' : static_cast<char>(header.name[0] | 0x20);
    if (first == 'x' && header.name.size() > 12) {
      openai |= http::iequals(header.name.substr(0, 12), "x-ratelimit-");
    } else if (first == 'a' && header.name.size() > 20) {
      anthropic |= http::iequals(header.name.substr(0, 20), "anthropic-ratelimit-");
    }
  }
  if (openai) read(headers, wall_ms, kOpenAi, limits);
  if (anthropic) read(headers, wall_ms, kAnthropic, limits);
  return limits;
}

}  // namespace weir::provider
