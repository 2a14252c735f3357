// Experiment: every scenario under every policy with the same seeds, and what that says: medians
// with intervals, how Weir stands against the best of the others and against round robin, and
// whether the demands of the specification hold. Runs are spread over threads; results do not
// depend on how.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/balancer.h"
#include "lab/scenario.h"
#include "lab/simulate.h"
#include "lab/stats.h"

namespace weir::lab {

struct Experiment {
  std::vector<Scenario> scenarios;
  std::vector<BalancerKind> policies;  // the first is the one that is judged
  uint32_t seeds = 5;
  uint32_t jobs = 1;
};

struct Row {                      // one policy in one scenario
  std::vector<Outcome> outcomes;  // by seed; the first holds the story
  Estimate failed;                // share of the users' requests
  Estimate p99_ms;
  double first_cut = -1;  // medians; -1 where it did not happen in most runs
  double moved = -1;
  double returned = -1;
  double found = 0;
  double false_cuts = 0;
  double survivors_peak = 0;
  double refusals_429 = 0;
};

struct Results {
  std::vector<Scenario> scenarios;
  std::vector<BalancerKind> policies;
  std::vector<std::vector<Row>> rows;  // by scenario, by policy
};

Results run(const Experiment& experiment, const std::function<void(size_t, size_t)>& progress);

// How the first policy stands in one scenario, from paired differences over the seeds.
struct Standing {
  std::string best_failed;  // the policy with the lowest median
  std::string best_p99;
  bool failed_best = false;  // best, or within noise of it
  bool p99_best = false;
  bool no_worse_than_round_robin = true;  // at most 1 % more failures
};
Standing standing(const Results& results, size_t scenario);

// A demand of the specification, what was measured, and whether it holds.
struct Demand {
  std::string text;
  std::string measured;
  bool holds = false;
};
std::vector<Demand> demands(const Results& results);

std::string table(const Results& results);
std::string html(const Results& results);

}  // namespace weir::lab
