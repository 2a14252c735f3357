// Sample: what one reporter saw of one endpoint in one second, 64 bytes. Every field is an integer
// and merges by saturating sum, maximum, minimum or bitwise or, so any tree of aggregators, in any
// order, gives the same bytes: that is what makes replay exact. Latencies travel as sums of
// logarithms, because a mean of logarithms is what the detectors need and one slow request cannot
// drown it. Values only; any thread.
#pragma once

#include <cstdint>

namespace weir::schedule {

// Who looked. The callers' view decides; the endpoint's own view decides where no caller reports,
// and explains where both do.
enum class View : uint8_t { client, server };

inline constexpr uint16_t kBudgetUnknown = 0xffff;
inline constexpr uint16_t kBudgetFull = 10'000;
inline constexpr uint8_t kUtilizationUnknown = 0xff;
inline constexpr uint32_t kLnUnit = 256;  // ln of microseconds is counted in 1/256
inline constexpr uint32_t kLnMost = 24;   // e^24 us is seven hours: nothing real takes longer
inline constexpr uint32_t kReporterMost = 0x7ffffffe;

// Marks: what a reporter says of the second besides counts.
inline constexpr uint8_t kMarkAvoided = 1;  // it steps around the endpoint, and so sends nothing
inline constexpr uint8_t kMarkProbeAnswered = 2;  // a call of its own, made to see, was answered
inline constexpr uint8_t kMarkProbeFailed = 4;    // ... and failed as a sick endpoint does

struct Sample {
  uint32_t endpoint = 0;       // EndpointId of the scheduler
  uint32_t second = 0;         // of the reporter's clock
  uint32_t requests = 0;       // finished; without the throttled and the caller's own faults
  uint32_t errors = 0;         // of them: 5xx, time-out, reset, cut stream, empty answer
  uint32_t unreachable = 0;    // of the errors: no connection at all
  uint32_t throttled = 0;      // 429: a matter of capacity, never of health
  uint32_t caller_faults = 0;  // other 4xx: nobody's but the caller's
  uint32_t ln_latency = 0;     // sum over the successes, in kLnUnit
  uint32_t streams = 0;        // successes with a time to first token
  uint32_t ln_ttft = 0;        // sums over the streams, in kLnUnit
  uint32_t ln_itl = 0;
  uint32_t tokens = 0;
  uint32_t budget_reset_ms = 0;  // until the scarcest rate limit is whole again; merges by maximum
  uint32_t reporter = 0;
  uint16_t inflight = 0;                      // most at once; merges by maximum
  uint16_t budget = kBudgetUnknown;           // left of it, 1/10,000; merges by minimum
  uint8_t utilization = kUtilizationUnknown;  // percent, up to 200; merges by maximum
  View view = View::client;
  uint8_t sources = 1;  // reporters summed in here
  uint8_t marks = 0;    // kMark...; merges by or

  bool operator==(const Sample&) const = default;
};
static_assert(sizeof(Sample) == 64);

// Saturating addition of counts: associative and commutative, so order never matters.
inline uint32_t saturating_add(uint32_t a, uint32_t b) {
  const uint32_t sum = a + b;
  return sum < a ? 0xffff'ffffu : sum;
}
inline uint16_t saturating_add16(uint32_t a, uint32_t b) {
  const uint32_t sum = a + b;
  return static_cast<uint16_t>(sum > 0xffff ? 0xffff : sum);
}

// ln of a duration as samples count it; below a microsecond it is one microsecond.
uint32_t ln_units(double microseconds);

// Adds one request that ended after `microseconds`. `error` requests leave no latency behind: a
// failure that is fast must not look like a fast endpoint.
void add_request(Sample& sample, double microseconds, bool error);

// Adds `other` to `into`; endpoint, second, reporter and view stay those of `into`.
void merge(Sample& into, const Sample& other);

// Whether the sample could describe anything at all: parts no larger than the whole, means within
// what a clock can show.
bool plausible(const Sample& sample);

}  // namespace weir::schedule
