// Arrivals: when the calls of an open-loop load are meant to start, decided before anything is
// sent, so that a slow server cannot slow the load down. A constant or Poisson rate, or a recorded
// trace. Deterministic per seed; one thread. Limit: a trace holds 10 million rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace weir::sim {

struct Arrival {
  Nanoseconds at{0};  // since the load began
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  // In order of `at`; nullopt at the end.
  virtual std::optional<Arrival> next() = 0;
};

enum class Spacing : uint8_t { poisson, constant };
// `per_second` > 0. Sizes vary evenly by +-`spread` (0..1) around the given ones.
struct RateShape {
  double per_second = 1;
  Spacing spacing = Spacing::poisson;
  int64_t prompt_tokens = 100;
  int64_t output_tokens = 50;
  double spread = 0;
};
std::unique_ptr<Arrivals> arrivals_by_rate(const RateShape& shape, uint64_t seed);

// The Azure LLM inference traces' form: a header line, then TIMESTAMP,ContextTokens,GeneratedTokens
// with timestamps like "2023-11-16 18:15:46.6805900". `speed` 2 plays it twice as fast.
// invalid_argument names the line.
Result<std::vector<Arrival>> parse_trace(std::string_view csv, double speed);
std::unique_ptr<Arrivals> arrivals_by_trace(std::vector<Arrival> trace);

}  // namespace weir::sim
