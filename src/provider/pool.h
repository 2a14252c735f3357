// Pool: the deployments that serve one model, and the choice among them. Immutable; choosing reads
// the shared states and is O(1) in the usual case: two draws from an alias table by weight, the
// one with less in flight for its weight wins. Only when both draws are closed does it look at all.
//
// A pool is never emptied: when every deployment is parked, the one whose parking ends first is
// used all the same, so a wrong verdict costs one attempt and not an outage. A weight of 0 takes a
// deployment out: it is never picked, not even then (the configuration has one above 0 per model).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "provider/account.h"

namespace weir::provider {

// Vose's alias method: a draw by weight in constant time. Weights of 0 are never drawn while any
// other is positive. At most 65,536 entries.
class AliasTable {
 public:
  AliasTable() = default;
  explicit AliasTable(std::span<const uint32_t> weights);
  uint32_t draw(Random& random) const;
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    uint64_t keep;  // of 2^32: how often this slot answers itself
    uint32_t alias;
  };
  std::vector<Slot> slots_;
};

// How a deployment was chosen, for the plan that explains itself.
enum class Choice : uint8_t {
  weighted,      // by weight and load
  trial,         // half open: this request is its trial
  only_open,     // the others are parked or already tried
  least_parked,  // all are parked: the one that comes back first
};
std::string_view to_string(Choice choice);

struct Pick {
  const Deployment* deployment = nullptr;
  Choice choice = Choice::weighted;
};

// Gives back the trial that a pick took and no attempt will report on.
void abandon_trial(const Deployment& deployment);

class Pool {
 public:
  Pool() = default;
  explicit Pool(std::vector<std::shared_ptr<const Deployment>> deployments);

  // A deployment for the next attempt. `usable` filters by what the request needs (an operation
  // the provider serves, not tried before); nullptr deployment when it lets nothing through.
  template <class Usable>
  Pick pick(Random& random, Nanoseconds now, Usable&& usable) const;

  std::span<const std::shared_ptr<const Deployment>> deployments() const { return deployments_; }

 private:
  // Whether credential and deployment let a request through; takes the trial when it is one.
  static Health::Gate ask(const Deployment& deployment, Nanoseconds now);
  static bool less_loaded(const Deployment& a, const Deployment& b);
  template <class Usable>
  Pick pick_any(Nanoseconds now, Usable&& usable) const;

  std::vector<std::shared_ptr<const Deployment>> deployments_;
  AliasTable weights_;
};

template <class Usable>
Pick Pool::pick(Random& random, Nanoseconds now, Usable&& usable) const {
  if (deployments_.empty()) return {};
  const Deployment* first = deployments_[weights_.draw(random)].get();
  const Deployment* second = deployments_[weights_.draw(random)].get();
  if (second != first && less_loaded(*second, *first)) std::swap(first, second);
  for (const Deployment* candidate : {first, second}) {
    if (candidate->weight == 0 || !usable(*candidate)) continue;
    switch (ask(*candidate, now)) {
      case Health::Gate::open:
        return {candidate, Choice::weighted};
      case Health::Gate::trial:
        return {candidate, Choice::trial};
      case Health::Gate::closed:
        break;
    }
  }
  return pick_any(now, usable);
}

template <class Usable>
Pick Pool::pick_any(Nanoseconds now, Usable&& usable) const {
  Pick best;
  const Deployment* soonest = nullptr;
  Nanoseconds soonest_at{0};
  for (const auto& candidate : deployments_) {
    if (candidate->weight == 0 || !usable(*candidate)) continue;
    const bool open =
        candidate->state->health.is_open(now) && candidate->account->state->credential.is_open(now);
    if (open && (best.deployment == nullptr || less_loaded(*candidate, *best.deployment))) {
      // A closed answer here means that another request holds the trial.
      const Health::Gate gate = ask(*candidate, now);
      if (gate != Health::Gate::closed) {
        best = {candidate.get(), gate == Health::Gate::trial ? Choice::trial : Choice::only_open};
        if (gate == Health::Gate::trial) return best;
      }
    }
    const Nanoseconds at = std::max(candidate->state->health.parked_until(),
                                    candidate->account->state->credential.parked_until());
    if (soonest == nullptr || at < soonest_at) {
      soonest = candidate.get();
      soonest_at = at;
    }
  }
  if (best.deployment != nullptr) return best;
  return {soonest, Choice::least_parked};
}

}  // namespace weir::provider
