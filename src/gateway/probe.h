// Probe: a call of Weir's own at one deployment, made to see whether it is well again where no
// traffic says so (probe_plan.h decides that). It goes the way of a client's request from the
// attempt on, so that it is held by the account's limits, priced, put on the ledger (key
// "weir:probe", tag weir=probe) and counted like one; its outcome is told to the scheduler as a
// mark and not as a request, because one token says nothing of how long answers take.
//
// Worker's thread. Limits: one attempt, one token, kProbeMost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gateway/worker.h"
#include "ledger/cost.h"
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

// How a call ended that a person made to see whether an account answers.
struct TrialEnd {
  bool ok = false;
  int status = 0;       // the provider's; 0: none came
  std::string failure;  // its class; empty: none
  std::string detail;   // without secrets
  std::string request_id;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  ledger::Cost cost;
};

// One token of the only model of that snapshot, at its only deployment, which no traffic sees: made
// like a probe, on the ledger like a probe.
net::Task<TrialEnd> try_model(Worker& worker, std::shared_ptr<const Snapshot> snapshot);

}  // namespace weir::gateway
