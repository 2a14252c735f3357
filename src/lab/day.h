// A day without faults: a fleet of any size, a sample for each endpoint and second, and nothing
// that ought to be cut. Endpoints differ in traffic, speed and error rate, traffic has a tide,
// latency wobbles together and apart. Counts the cuts, all of them false. One thread.
#pragma once

#include <cstdint>
#include <functional>

namespace weir::lab {

struct Day {
  uint32_t endpoints = 400'000;
  uint32_t per_group = 200;
  uint32_t seconds = 86'400;
  uint64_t seed = 1;
};

struct DayResult {
  uint64_t endpoint_seconds = 0;
  uint64_t cuts = 0;
  uint64_t group_cuts = 0;
  uint64_t denied = 0;
  double evidence_needed = 0;
};

DayResult run_day(const Day& day, const std::function<void(uint32_t second)>& progress);

}  // namespace weir::lab
