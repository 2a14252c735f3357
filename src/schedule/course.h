// Course: the control law of one thing that can be cut and brought back, an endpoint or a whole
// group. Health falls by halves while bad evidence stands, or to the floor at once; it is held
// there, longer with each relapse, and rises in stages of which each must be earned by evidence
// that the thing is good again, not by time alone. The first step asks for most; each further one
// for as much as it raises the share, so that share times the chance of still being sick stays the
// same: a chance that falls by e with each nat. Plain state machine: no clock, no allocation.
#pragma once

#include <cstdint>
#include <string_view>

#include "schedule/policy.h"

namespace weir::schedule {

enum class Phase : uint8_t { steady, cut, recovering };
std::string_view to_string(Phase phase);  // journal.cc

// What a cut is for. The order is that of severity among causes found at once.
enum class Cause : uint8_t {
  none,
  chronic,  // always was slow: told, never cut
  itl,
  ttft,
  latency,
  errors,
  counterfactual,  // a selected detector other than the sequential ones
  vanished,
  gross,
};

struct Finding {
  Cause cause = Cause::none;
  float severity = 0;  // evidence over its threshold
  float bad_rate = 0;  // error rate seen
  float rate = 0;      // requests a second before the cut
};

struct Course {
  float health = 1;
  float good = 0;      // nats for "good again", from zero at every step
  float bad_rate = 0;  // what it failed with when it was cut
  float floor = 0.01F;
  float full_rate = 0;  // requests a second before it was cut
  uint32_t hold_until = 0;
  uint32_t since = 0;  // second of the last change of phase
  Phase phase = Phase::steady;
  uint8_t relapses = 0;
  Cause cause = Cause::none;
  uint8_t probes = 0;  // calls made only to see that have spoken for it since it was cut

  // One more second of bad evidence, permitted by the safety gates.
  void cut(const Finding& finding, uint32_t now, uint32_t jitter, const Policy& policy);
  // One second without bad evidence. `evidence` is in nats, positive for good; `fine` says whether
  // latency allows a step. True when a step up was taken: the caller forgets older bad evidence.
  bool recover(float evidence, bool fine, uint32_t now, const Policy& policy);
};

}  // namespace weir::schedule
