#include "provider/pool.h"

#include <algorithm>

namespace weir::provider {

std::string_view to_string(Choice choice) {
  switch (choice) {
    case Choice::weighted:
      return "weighted";
    case Choice::affinity:
      return "affinity";
    case Choice::spill:
      return "spill";
    case Choice::trial:
      return "trial";
    case Choice::least_parked:
      return "least_parked";
    case Choice::hedge:
      return "hedge";
    case Choice::probe:
      return "probe";
  }
  return "unknown";
}

Lease::Gate ask(const Deployment& deployment, Nanoseconds now) {
  if (!deployment.state->lease.is_open(now)) return Lease::Gate::closed;
  const Lease::Gate credential = deployment.account->state->credential.ask(now);
  if (credential == Lease::Gate::closed) return credential;
  const Lease::Gate lease = deployment.state->lease.ask(now);
  if (lease == Lease::Gate::closed && credential == Lease::Gate::trial) {
    deployment.account->state->credential.trial_abandoned();
  }
  if (lease == Lease::Gate::closed) return lease;
  return credential == Lease::Gate::trial ? credential : lease;
}

bool would_open(const Deployment& deployment, Nanoseconds now) {
  return deployment.state->lease.would_open(now) &&
         deployment.account->state->credential.would_open(now);
}

Nanoseconds parked_until(const Deployment& deployment) {
  return std::max(deployment.state->lease.parked_until(),
                  deployment.account->state->credential.parked_until());
}

void abandon_trial(const Deployment& deployment) {
  deployment.state->lease.trial_abandoned();
  deployment.account->state->credential.trial_abandoned();
}

}  // namespace weir::provider
