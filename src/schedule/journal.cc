#include "schedule/journal.h"

#include <fmt/format.h>

#include <algorithm>

#include "schedule/columns.h"

namespace weir::schedule {
namespace {

std::string evidence_text(const Record& r) {
  const std::string peers = fmt::format("its {} peers", r.peers);
  const std::string weighed =
      fmt::format("evidence {:.1f} where {:.1f} is asked", r.evidence, r.threshold);
  switch (r.cause) {
    case Cause::gross:
      return fmt::format("{:.0f} of its last {:.0f} requests failed, {} fail {:.2g} %", r.errors,
                         r.requests, peers, 100 * r.peer_rate);
    case Cause::errors:
      return fmt::format("{:.0f} of its last {:.0f} requests failed, {} fail {:.2g} %; {}",
                         r.errors, r.requests, peers, 100 * r.peer_rate, weighed);
    case Cause::latency:
    case Cause::ttft:
    case Cause::itl:
      return fmt::format(
          "its {} is {:.1f} times its own usual, the common movement of {} taken out; {}",
          to_string(r.cause), r.latency_ratio, peers, weighed);
    case Cause::vanished:
      return "requests go in and none comes back while its peers answer";
    case Cause::counterfactual:
      return "the detector chosen for the service says so";
    default:
      return "no evidence is open";
  }
}

std::string why(const Record& r) {
  switch (r.reason) {
    case Reason::added:
      return "it is new";
    case Reason::removed:
      return "it was removed";
    case Reason::cut:
    case Reason::deeper:
      return evidence_text(r);
    case Reason::recovered:
      if (r.probes == 0) {
        return fmt::format("clean requests have earned it {:.0f} % of its health", 100 * r.health);
      }
      return fmt::format(
          "clean requests, {}{} of them probes, have earned it {:.0f} % of its health", r.probes,
          r.probes == 0xff ? " or more" : "", 100 * r.health);
    case Reason::warming:
      return fmt::format("slow start allows {:.0f} %", 100 * r.warm);
    case Reason::capacity:
      return fmt::format("its capacity is {:.0f} % (rate limits, budget, utilization)",
                         100 * r.capacity);
    case Reason::panic:
      return "too little of the service is left: all serve but the dead";
    case Reason::panic_over:
      return "enough of the service is back";
    case Reason::pinned:
      return "an operator set it";
    case Reason::pin_over:
      return "the operator's setting ended";
    case Reason::preheated:
      return "its warm-up set has run";
    case Reason::base:
      return "the operator's base weight changed";
    case Reason::mode:
      return "dry run was switched";
  }
  return {};
}

}  // namespace

std::string gates_text(uint8_t gates) {
  constexpr std::pair<uint8_t, std::string_view> kNames[] = {
      {kGateCoverage, "too few reporters"},
      {kGateIncident, "an incident of the whole service"},
      {kGateHeadroom, "the survivors' headroom"},
      {kGateMinimum, "the least number of endpoints"},
      {kGateBreaker, "the fleet's breaker"},
      {kGateDisputed, "a disputed reporter"},
      {kGatePanic, "panic"}};
  std::string out;
  for (const auto& [gate, name] : kNames)
    if ((gates & gate) != 0) out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
  return out;
}

std::string_view to_string(Reason reason) {
  constexpr std::string_view kNames[] = {
      "added", "removed",    "cut",    "deeper",   "recovered", "warming", "capacity",
      "panic", "panic_over", "pinned", "pin_over", "preheated", "base",    "mode"};
  return kNames[static_cast<size_t>(reason)];
}

std::string_view to_string(Detector detector) {
  constexpr std::string_view kNames[] = {"sequential", "sigma3", "envoy_success_rate",
                                         "consecutive_errors"};
  return kNames[static_cast<size_t>(detector)];
}

std::string_view to_string(Phase phase) {
  constexpr std::string_view kNames[] = {"steady", "cut", "recovering"};
  return kNames[static_cast<size_t>(phase)];
}

std::string_view to_string(Level level) {
  constexpr std::string_view kNames[] = {"endpoint", "host", "zone", "version", "group", "service"};
  return kNames[static_cast<size_t>(level)];
}

std::string_view to_string(Cause cause) {
  constexpr std::string_view kNames[] = {
      "none",    "chronic", "inter-token time", "time to first token",
      "latency", "errors",  "counterfactual",   "vanished",
      "gross"};
  return kNames[static_cast<size_t>(cause)];
}

std::string sentence(const Record& r, std::string_view endpoint_name) {
  return fmt::format("{} s: {}", r.second, explanation(r, endpoint_name));
}

std::string explanation(const Record& r, std::string_view endpoint_name) {
  std::string out = fmt::format("{} {} from {} to {}", endpoint_name,
                                r.dry_run ? "would go" : "goes", r.old_weight, r.new_weight);
  const bool against = r.reason == Reason::cut || r.reason == Reason::deeper;
  if (against && r.level != Level::endpoint)
    out += fmt::format(" with its whole {}", to_string(r.level));
  out += ": " + why(r);
  if ((r.flags & kGrey) != 0) out += "; the endpoint itself reports no errors";
  if (against) {
    const bool sigma = (r.counterfactual & 1U << static_cast<unsigned>(Detector::sigma3)) != 0;
    out += sigma ? "; three sigma agrees" : "; three sigma sees nothing";
  }
  if (r.gates != 0) out += fmt::format("; other cuts are held back by {}", gates_text(r.gates));
  return out + ".";
}

void Journal::add(const Record& record) {
  if (ring_.size() < limit_)
    ring_.push_back(record);
  else
    ring_[written_ % limit_] = record;
  ++written_;
}

std::vector<Record> Journal::since(uint64_t from) const {
  std::vector<Record> out;
  from = std::max(from, let_go());
  for (uint64_t n = from; n < written_; ++n) out.push_back(ring_[n % limit_]);
  return out;
}

}  // namespace weir::schedule
