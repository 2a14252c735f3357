// RateLimiter: the limits a provider puts on a model, and the headers it tells them in. A bucket of
// requests and one of tokens per model, refilled evenly over a minute. Time is a parameter; one
// thread. Limit: one bucket pair per model that has limits.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dialect/conversation.h"

namespace weir::sim {

struct RateLimits {
  int64_t requests_per_minute = 0;  // 0: no limit
  int64_t tokens_per_minute = 0;
};

class RateLimiter {
 public:
  struct Verdict {
    bool allowed = true;
    bool by_tokens = false;      // which limit was hit
    Nanoseconds retry_after{0};  // when refused: until the call would pass
    int64_t requests_left = 0, tokens_left = 0;
    Nanoseconds requests_reset{0}, tokens_reset{0};  // until full again
  };

  // Takes a request and its tokens out of the model's buckets, if both have enough.
  Verdict take(const std::string& model, const RateLimits& limits, int64_t tokens, Nanoseconds now);

 private:
  struct Bucket {
    double used = 0;
    Nanoseconds at{0};
    void drain(double limit, Nanoseconds now);
  };
  std::map<std::string, std::pair<Bucket, Bucket>> buckets_;
};

using HeaderFields = std::vector<std::pair<std::string, std::string>>;
// The vendor's rate-limit headers for a verdict; nothing for dialects that have none (Gemini).
HeaderFields rate_limit_headers(dialect::Dialect dialect, const RateLimits& limits,
                                const RateLimiter::Verdict& verdict, int64_t wall_ms);

}  // namespace weir::sim
