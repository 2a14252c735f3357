// The text of /metrics from what was sampled. docs/reference/metrics.md is made by calling this
// with one of everything. Reads the clock for what is parked, else pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "admin/backend.h"

namespace weir::admin {

struct MetricsInput {
  const std::vector<WorkerSample>& samples;
  const SlotNames& names;
  const gateway::Snapshot& snapshot;
  const gateway::TrafficControl& traffic;
  const gateway::ProbePlan& probes;
  ledger::LogHealth ledger;
  ledger::AlertCounts alerts = {};
  AnomalyState anomalies;
  identity::SignInCounts sign_ins = {};
  identity::OidcCounts oidc = {};
  uint64_t audit_records = 0;
  uint64_t audit_failures = 0;
  state::KeeperSample state;
  std::string version;
  int64_t started_ms = 0;
};
std::string metrics_text(const MetricsInput& in);

}  // namespace weir::admin
