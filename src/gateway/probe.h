// Probe: a call of Weir's own at one deployment, made to see whether it is well again where no
// traffic says so (probe_plan.h decides that). It goes the way of a client's request from the
// attempt on, so that it is held by the account's limits, priced, put on the ledger (key
// "weir:probe", tag weir=probe) and counted like one; its outcome is told to the scheduler as a
// mark and not as a request, because one token says nothing of how long answers take.
//
// Worker's thread. Limits: one attempt, one token, kProbeMost.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/worker.h"
#include "net/task.h"

namespace weir::gateway {

inline constexpr Milliseconds kProbeMost{20'000};
inline constexpr std::string_view kProbeKey = "weir:probe";

struct ProbeOrder {
  std::string model;
  uint32_t slot = 0;   // Deployment::slot
  uint32_t index = 0;  // DeploymentState::index
};

// Whether Weir knows of a cheap call for what the deployment was last asked for, by that kind.
bool can_probe(const Model& model, const provider::Deployment& deployment);

// Makes the call; nothing where the worker's snapshot has no such deployment, or it is parked.
net::Task<void> probe(Worker& worker, ProbeOrder order);

}  // namespace weir::gateway
