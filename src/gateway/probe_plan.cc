#include "gateway/probe_plan.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace weir::gateway {
namespace {

using schedule::Cause;
using schedule::Phase;

// Whether a call of one token can say that the deployment is well again.
bool is_told_by_a_call(Cause cause) {
  switch (cause) {
    case Cause::errors:
    case Cause::gross:
    case Cause::vanished:
    case Cause::counterfactual:
      return true;
    case Cause::none:
    case Cause::chronic:
    case Cause::itl:
    case Cause::ttft:
    case Cause::latency:
      return false;
  }
  return false;
}

}  // namespace

bool ProbePlan::allowed(const provider::Account& account, Nanoseconds now) {
  std::deque<Nanoseconds>& calls = calls_[account.name];
  while (!calls.empty() && now - calls.front() >= kWindow) calls.pop_front();
  if (calls.size() >= account.probes_per_hour) return false;
  calls.push_back(now);
  return true;
}

std::vector<ProbeOrder> ProbePlan::due(const Snapshot& snapshot, const TrafficControl& traffic,
                                       Nanoseconds now) {
  std::vector<ProbeOrder> orders;
  ++round_;
  const uint32_t second = traffic.scheduler().next_second() - 1;
  for (const Model& model : snapshot.models) {
    if (model.probe == provider::ProbeKind::off) continue;
    for (const auto& deployment : model.pool.deployments()) {
      if (deployment->weight == 0 || deployment->account->probes_per_hour == 0) continue;
      const auto seen = traffic.seen(deployment->slot);
      if (!seen) continue;
      const uint32_t index = deployment->state->index;
      const TrafficControl::Heard heard = traffic.heard(index);
      const schedule::Verdict& verdict = seen->verdict;
      const bool cut = verdict.phase != Phase::steady && is_told_by_a_call(verdict.cause);
      if (!cut && !heard.avoided) continue;
      Sick& sick = sick_[index];
      // One that serves two models is asked for one of them.
      if (std::exchange(sick.round, round_) == round_) continue;
      if (cut && second < verdict.hold_until) continue;
      if (now - heard.traffic < kQuiet || provider::parked_until(*deployment) > now ||
          deployment->state->in_flight.load(std::memory_order_relaxed) > 0) {
        continue;
      }
      // What is only stepped around has time: each worker finds out by its next request.
      if (std::exchange(sick.answered, heard.probes_answered) != heard.probes_answered && cut) {
        sick.pause = kFirst;
        sick.next = std::min(sick.next, now);
      }
      if (now < sick.next || !can_probe(model, *deployment)) continue;
      if (!allowed(*deployment->account, now)) {
        ++held_back_;
        sick.next = now + kMost;
        if (!std::exchange(sick.told, true)) {
          log::warn("probes_held_back",
                    {{"deployment", deployment->name},
                     {"account", deployment->account->name},
                     {"per_hour", uint64_t{deployment->account->probes_per_hour}}});
        }
        continue;
      }
      ++ordered_;
      sick.next = now + sick.pause;
      sick.pause = std::min<Nanoseconds>(sick.pause + sick.pause / 2, kMost);
      orders.push_back({model.name, deployment->slot, index});
    }
  }
  std::erase_if(sick_, [this](const auto& entry) { return entry.second.round != round_; });
  return orders;
}

}  // namespace weir::gateway
