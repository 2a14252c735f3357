// Pool: the deployments that serve one model, and whether each may be asked now. Which of them is
// asked is decided in gateway/traffic.h. Immutable; asking reads the shared states.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "provider/account.h"

namespace weir::provider {

// How a deployment was chosen, for the plan that explains itself.
enum class Choice : uint8_t {
  weighted,      // by weight, load and pace
  affinity,      // it served this session, or a prompt that begins like this one
  spill,         // those of higher priority have no capacity left
  trial,         // its wait is over: this request is its trial
  least_parked,  // all are parked: the one that comes back first
  hedge,         // beside another attempt that took long to begin
  probe,         // a call of Weir's own, to see whether it is well
};
std::string_view to_string(Choice choice);

struct Pick {
  const Deployment* deployment = nullptr;
  Choice choice = Choice::weighted;
};

// Whether credential and deployment let a request through; takes the trial when it is one.
Lease::Gate ask(const Deployment& deployment, Nanoseconds now);
// The same without taking anything.
bool would_open(const Deployment& deployment, Nanoseconds now);
// When both are over.
Nanoseconds parked_until(const Deployment& deployment);
// Gives back the trial that a pick took and no attempt will report on.
void abandon_trial(const Deployment& deployment);

class Pool {
 public:
  Pool() = default;
  explicit Pool(std::vector<std::shared_ptr<const Deployment>> deployments)
      : deployments_(std::move(deployments)) {}
  std::span<const std::shared_ptr<const Deployment>> deployments() const { return deployments_; }

 private:
  std::vector<std::shared_ptr<const Deployment>> deployments_;
};

}  // namespace weir::provider
