// Policy: every threshold of the scheduler in one place, with the reason for its default;
// ServiceOptions: what is chosen for one service; Limits: how much it may hold. Plain values, read
// once per evaluation; docs/scheduling.md derives them.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::schedule {

// Which finding may move weights. The others are computed all the same and stand beside each change
// as what they would have said.
enum class Detector : uint8_t { sequential, sigma3, envoy_success_rate, consecutive_errors };
std::string_view to_string(Detector detector);  // journal.cc

// What an owner chooses for one service.
struct ServiceOptions {
  Detector detector = Detector::sequential;
  bool dry_run = false;  // weights are computed and explained, the published ones stay at base
};

struct Policy {
  // Evidence. A sequential test crosses e^h by chance once in e^h endpoint-seconds, so the number
  // of endpoints and the false alarms one can bear give h.
  double false_alarms_per_day = 1;
  float evidence_min = 12;
  float error_floor = 1e-3F;          // error rates below this are nobody's fault
  float error_margin = 0.01F;         // a cut needs at least this much over the peers
  float error_ratio_tested = 5;       // the alternative: five times the peers' rate ...
  float error_excess_tested = 0.05F;  // ... and at least this much more
  float gross_errors = 0.9F;          // nearly everything fails: to the floor at once
  uint32_t gross_requests = 5;

  // Latency, on a logarithmic scale, against the endpoint's own past.
  float latency_drift = 0.75F;   // standard deviations a second that are forgiven
  float latency_clip = 4;        // one second says no more than this
  float latency_wobble = 0.05F;  // what a mean moves by without any cause
  float latency_ratio = 1.5F;    // less than this is not worth a cut
  float latency_ms = 5;          // nor is less than this
  uint32_t learn_seconds = 600;  // memory of the baseline

  // Control law.
  float decrease = 0.5F;    // per second while the evidence stands
  float floor = 0.01F;      // least share that still brings evidence ...
  float floor_rate = 0.5F;  // ... or as many requests a second, whichever is more
  float floor_most = 0.1F;
  float floor_rate_dead = 0.1F;  // where nearly every request fails, users pay for the evidence
  uint32_t hold_seconds = 10;    // after a cut; doubles with each relapse
  uint32_t hold_most = 300;
  uint32_t relapse_seconds = 600;  // steady for so long forgives half of the relapses
  float recovery_evidence = 3;     // nats for "good" that the first step up must bring
  uint32_t stage_seconds = 2;      // what ends this soon after a step was sent before it

  // Slow start.
  uint32_t warm_seconds = 60;
  float warm_first = 0.1F;       // weight of the first second
  float warm_curve = 1;          // exponent is 1/curve
  float warm_share_most = 0.4F;  // with more of the service cold, the rest would be crushed

  // Safety.
  float coverage = 0.8F;           // of what reported lately
  float incident_errors = 0.05F;   // most endpoints above this: the cause lies elsewhere
  float incident_latency = 2;      // most endpoints slower by this factor: the same
  float utilization_most = 0.85F;  // of the survivors, after a cut
  float cut_blind = 0.2F;          // share of a service cut at most while utilization is unknown
  float cut_blind_later = 0.34F;   // ... after a minute of standing evidence
  float panic = 0.5F;              // less than this left: everybody serves, but the dead
  float breaker_share = 0.02F;     // of the fleet cut within a minute: stop and call a person
  uint32_t breaker_least = 50;
};

struct Limits {
  uint32_t endpoints = 4'194'304;
  uint32_t groups = 262'144;
  uint32_t services = 65'536;
  uint32_t reporters = 1'048'576;
  uint32_t hosts = 4'194'304;
  uint32_t samples_per_second = 16'777'216;  // from second reporters on, for telling duplicates
  uint32_t pins = 65'536;
  uint32_t records = 65'536;      // explanations kept in memory
  uint32_t changes_kept = 4'096;  // per service, for deltas
};

}  // namespace weir::schedule
