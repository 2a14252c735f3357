// ProbePlan: when Weir asks a deployment by itself whether it is well again (probe.h makes the
// call). Only one that is found sick, or that a worker steps around, and of which clients' requests
// say nothing: a healthy or an idle one is never asked. Asked less and less often while it fails,
// and again as soon as an answer is known, so that it comes back in stages as it would by traffic;
// never more often than its account's cap in an hour, because calls cost money.
//
// A call says nothing of how long answers take: what was cut for its latency waits for traffic. So
// does what the provider told to wait (a lease), for that ends by itself.
//
// Control plane's thread; time is a parameter. Limits: one entry for each sick deployment, and of
// each account the calls of an hour.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gateway/probe.h"
#include "gateway/traffic_control.h"

namespace weir::gateway {

class ProbePlan {
 public:
  static constexpr std::chrono::seconds kQuiet{4};  // without a client's request
  static constexpr std::chrono::seconds kFirst{5};  // after a failure; half as long again each time
  static constexpr std::chrono::seconds kMost{300};  // at most
  static constexpr std::chrono::hours kWindow{1};

  // Who is to be asked now: to be called once a second, and the calls to be made.
  std::vector<ProbeOrder> due(const Snapshot& snapshot, const TrafficControl& traffic,
                              Nanoseconds now);

  // Calls ordered, and those that an account's cap did not allow.
  uint64_t ordered() const { return ordered_; }
  uint64_t held_back() const { return held_back_; }

 private:
  struct Sick {
    Nanoseconds next{0};
    Nanoseconds pause = kFirst;
    uint32_t answered = 0;  // of TrafficControl::Heard, when it was asked last
    bool told = false;      // that the cap holds it back
    uint64_t round = 0;     // of due(), when it was last found sick
  };
  bool allowed(const provider::Account& account, Nanoseconds now);

  std::map<uint32_t, Sick> sick_;                         // by DeploymentState::index
  std::map<std::string, std::deque<Nanoseconds>> calls_;  // by account, oldest first
  uint64_t round_ = 0;
  uint64_t ordered_ = 0;
  uint64_t held_back_ = 0;
};

}  // namespace weir::gateway
