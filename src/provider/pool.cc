#include "provider/pool.h"

namespace weir::provider {
namespace {

constexpr uint64_t kWhole = uint64_t{1} << 32;

}  // namespace

AliasTable::AliasTable(std::span<const uint32_t> weights) : slots_(weights.size()) {
  uint64_t total = 0;
  for (const uint32_t weight : weights) total += weight;
  const auto count = static_cast<uint32_t>(weights.size());
  // Each slot's share scaled so that the average is `total`: below it the slot needs an alias.
  std::vector<uint64_t> share(count);
  std::vector<uint32_t> small;
  std::vector<uint32_t> large;
  for (uint32_t i = 0; i < count; ++i) {
    slots_[i] = {kWhole, i};
    share[i] = total == 0 ? 0 : uint64_t{weights[i]} * count;
    (share[i] < total ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const uint32_t poor = small.back();
    const uint32_t rich = large.back();
    small.pop_back();
    slots_[poor].keep =
        static_cast<uint64_t>(static_cast<__uint128_t>(share[poor]) * kWhole / total);
    slots_[poor].alias = rich;
    share[rich] -= total - share[poor];
    if (share[rich] < total) {
      large.pop_back();
      small.push_back(rich);
    }
  }
}

uint32_t AliasTable::draw(Random& random) const {
  const uint32_t slot = random.below(static_cast<uint32_t>(slots_.size()));
  return (random.next() >> 32) < slots_[slot].keep ? slot : slots_[slot].alias;
}

std::string_view to_string(Choice choice) {
  switch (choice) {
    case Choice::weighted:
      return "weighted";
    case Choice::trial:
      return "trial";
    case Choice::only_open:
      return "only_open";
    case Choice::least_parked:
      return "least_parked";
  }
  return "unknown";
}

void abandon_trial(const Deployment& deployment) {
  deployment.state->health.trial_abandoned();
  deployment.account->state->credential.trial_abandoned();
}

Pool::Pool(std::vector<std::shared_ptr<const Deployment>> deployments)
    : deployments_(std::move(deployments)) {
  std::vector<uint32_t> weights;
  weights.reserve(deployments_.size());
  for (const auto& deployment : deployments_) weights.push_back(deployment->weight);
  weights_ = AliasTable(weights);
}

Health::Gate Pool::ask(const Deployment& deployment, Nanoseconds now) {
  if (!deployment.state->health.is_open(now)) return Health::Gate::closed;
  const Health::Gate credential = deployment.account->state->credential.ask(now);
  if (credential == Health::Gate::closed) return credential;
  const Health::Gate health = deployment.state->health.ask(now);
  if (health == Health::Gate::closed && credential == Health::Gate::trial) {
    deployment.account->state->credential.trial_abandoned();
  }
  if (health == Health::Gate::closed) return health;
  return credential == Health::Gate::trial ? credential : health;
}

bool Pool::less_loaded(const Deployment& a, const Deployment& b) {
  const uint64_t load_a = a.state->in_flight.load(std::memory_order_relaxed);
  const uint64_t load_b = b.state->in_flight.load(std::memory_order_relaxed);
  // (load + 1) / weight, compared without dividing: an idle deployment still counts its weight.
  return (load_a + 1) * b.weight < (load_b + 1) * a.weight;
}

}  // namespace weir::provider
