// What a provider says of its rate limits in the headers of an answer: OpenAI's and Azure's
// x-ratelimit-{limit,remaining,reset}-{requests,tokens}, Anthropic's
// anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}. Resets
// are durations ("1s", "6m0s", "20ms"), seconds or moments (RFC 3339). Azure has been seen to say
// -1 or a limit of 0: that is taken for nothing said. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "http/headers.h"

namespace weir::provider {

enum class Limited : uint8_t { requests, tokens };

struct RateLimit {
  Limited what = Limited::requests;
  int64_t limit = 0;  // 0: not told
  int64_t remaining = 0;
  double reset_ms = 0;  // until all is back; 0: not told
};

class RateLimits {
 public:
  // Requests and tokens of the one form, and four of the other.
  static constexpr size_t kMost = 6;
  void add(const RateLimit& limit) { all_[count_++] = limit; }
  const RateLimit* begin() const { return all_.data(); }
  const RateLimit* end() const { return all_.data() + count_; }
  bool empty() const { return count_ == 0; }

 private:
  std::array<RateLimit, kMost> all_{};
  size_t count_ = 0;
};

// Those of which the headers tell what remains.
RateLimits read_rate_limits(const http::HeaderList& headers, int64_t wall_ms);

}  // namespace weir::provider
