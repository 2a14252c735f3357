// simulate(): one scenario under one policy with one seed, by discrete events. Arrivals, service
// times and faults are drawn from the scenario and the seed alone, so all policies meet the same
// requests and the same bad luck, and a run gives the same numbers each time. One thread a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/balancer.h"
#include "lab/scenario.h"

namespace weir::lab {

struct Outcome {
  uint64_t requests = 0;
  uint64_t failed = 0;  // what users saw, after retries
  uint64_t attempts = 0;
  uint64_t refusals_429 = 0;
  // Of all requests; for models, to the first token. A failure counts as the time-out, or a policy
  // would look fast by failing what is slow.
  double p50_ms = 0;
  double p99_ms = 0;
  double first_cut = -1;      // seconds after the fault until the first sick server lost weight
  double moved = -1;          // ... until nine tenths of the sick servers' traffic had left them
  double returned = -1;       // seconds after the fault until four fifths of it were back
  double found = 0;           // share of the sick that lost weight while they were sick
  uint32_t false_cuts = 0;    // healthy servers that lost weight, restarts aside
  double survivors_peak = 0;  // highest utilization of a healthy server over 5 s, during the fault
  // For plots: share of all traffic by server, each second.
  std::vector<std::vector<float>> shares;
  std::vector<std::string> sentences;

  double failed_share() const {
    return requests == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(requests);
  }
};

Outcome simulate(const Scenario& scenario, const BalancerKind& kind, uint64_t seed,
                 bool keep_story = false);

}  // namespace weir::lab
