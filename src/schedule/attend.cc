// What is done about one endpoint of which something may change: findings against it, evidence for
// it, slow start, capacity. Called only for endpoints that are busy in this sense.
#include <algorithm>
#include <cmath>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

constexpr float kThrottleNoticed = 0.01F;  // share of refusals that costs capacity
constexpr float kCapacityLeast = 0.02F;
// A second without refusals gives back this part of what is missing to where it was refused last,
// at least so much; beyond, twice what the second before gave, from so much on.
constexpr float kCapacityReturn = 0.3F;
constexpr float kCapacityStep = 0.02F;
constexpr float kCapacityTry = 0.01F;
constexpr float kBurnMemory = 0.3F;
constexpr float kBudgetHorizon = 10;  // seconds that a budget must last at least
constexpr float kBudgetKept = 0.1F;
constexpr float kBudgetScarce = 0.5F;
constexpr float kBalanceStep = 0.01F;
constexpr float kBalanceLeast = 0.2F;
constexpr float kBalanceFrom = 0.3F;  // below this mean utilization nothing is balanced
constexpr float kBalanceSlack = 0.1F;
constexpr float kFineShift = 0.22F;  // ln 1.25
constexpr float kWarmShift = 0.4F;   // ln 1.5
constexpr float kWarmDone = 0.18F;   // ln 1.2

}  // namespace

void Scheduler::weigh_accusation(uint32_t slot, const Cell& cell) {
  Columns& columns = store_.columns;
  uint8_t& reporters = columns.reporters[slot];
  const bool decay = closed_ % 16 == 0 && reporters > 0;
  reporters = std::max(cell.reporters, static_cast<uint8_t>(reporters - (decay ? 1 : 0)));
  uint16_t& by_first = columns.accused_by_first[slot];
  uint16_t& by_others = columns.accused_by_others[slot];
  const float needed = span_threshold();
  if (columns.evidence[slot] == 0 && columns.spans[0][slot].evidence == 0) {
    by_first = by_others = 0;
    columns.accuser[slot] = cell.accuser;
  }
  if (cell.accuser != kNobody) {
    if (columns.accuser[slot] == kNobody) columns.accuser[slot] = cell.accuser;
    const bool same = cell.accuser == columns.accuser[slot] && cell.accuser != kSeveral;
    uint16_t& count = same ? by_first : by_others;
    count = saturating_add16(count, 1);
  }
  // With two reporters nobody can say which of them is wrong, so the accusation stands.
  const bool disputed = reporters >= 3 && by_first >= 1 && by_others * 8 < by_first;
  if (disputed) {
    columns.flags[slot] |= kDisputed;
    columns.evidence[slot] = std::min(columns.evidence[slot], 0.9F * threshold_);
    for (auto& span : columns.spans)
      span[slot].evidence = std::min(span[slot].evidence, 0.9F * needed);
  } else {
    columns.flags[slot] &= static_cast<uint8_t>(~kDisputed);
  }
}

Finding Scheduler::find(const Group& group, uint32_t slot, const Cell& cell,
                        const Peers& peers) const {
  const Columns& columns = store_.columns;
  const Course& course = columns.course[slot];
  Finding finding{.rate = columns.rate[slot]};
  const Detector detector = store_.services[group.service].options.detector;
  if (detector != Detector::sequential) {
    if (columns.window[slot].verdicts & 1U << static_cast<unsigned>(detector))
      finding.cause = Cause::counterfactual, finding.severity = 1, finding.bad_rate = 1;
    return finding;
  }
  if (columns.flags[slot] & kDisputed) return finding;
  // On probation half of the evidence is enough.
  const float threshold = course.phase == Phase::steady ? threshold_ : threshold_ / 2;
  const float needed = span_threshold() * (threshold / threshold_);
  const float recent = columns.recent[slot];
  const float bad = columns.recent_bad[slot];
  const float bad_rate = recent > 0 ? bad / recent : 0;
  const auto raise = [&finding](Cause cause, float severity) {
    if (cause > finding.cause) finding.cause = cause;
    finding.severity = std::max(finding.severity, severity);
  };
  for (size_t s = 0; s < kSpans; ++s) {
    constexpr Cause kCauses[kSpans] = {Cause::latency, Cause::ttft, Cause::itl};
    const SpanState& span = columns.spans[s][slot];
    if (span.evidence <= needed || span.shift < std::log(policy_.latency_ratio)) continue;
    const float usual_ms = std::exp(span.baseline) / 1000;
    if (usual_ms * (std::exp(span.shift) - 1) >= policy_.latency_ms)
      raise(kCauses[s], span.evidence / needed);
  }
  if (columns.evidence[slot] > threshold && bad_rate > peers.errors.p0 + policy_.error_margin) {
    raise(Cause::errors, columns.evidence[slot] / threshold);
    finding.bad_rate = bad_rate;
  }
  if (columns.silence[slot] > threshold) {
    raise(Cause::vanished, columns.silence[slot] / threshold);
    finding.bad_rate = 0.95F;
  }
  const uint32_t n = cell.requests > 0 ? cell.requests : cell.server_requests;
  const uint32_t k = cell.requests > 0 ? cell.errors : cell.server_errors;
  const auto gross = [this](float requests, float errors) {
    return errors >= static_cast<float>(policy_.gross_requests) &&
           errors >= policy_.gross_errors * requests;
  };
  if (k > 0 && peers.errors.p0 < 0.5F &&
      (gross(static_cast<float>(n), static_cast<float>(k)) || gross(recent, bad))) {
    raise(Cause::gross, 4);
    finding.bad_rate = std::max(bad_rate, 0.9F);
  }
  return finding;
}

void Scheduler::recover(uint32_t slot, const Cell& cell, const Peers& peers) {
  Columns& columns = store_.columns;
  Course& course = columns.course[slot];
  const bool own_view = cell.requests == 0 && cell.server_requests > 0;
  const bool by_latency =
      course.cause == Cause::latency || course.cause == Cause::ttft || course.cause == Cause::itl;
  uint32_t n = own_view ? cell.server_requests : cell.requests;
  uint32_t k = own_view ? cell.server_errors : cell.errors;
  float evidence = 0;
  bool fine = true;
  const uint32_t answers = n - k;
  if ((cell.marks & (kMarkProbeAnswered | kMarkProbeFailed)) != 0) {
    ++n;
    const bool failed = (cell.marks & kMarkProbeFailed) != 0;
    k += failed ? 1 : 0;
    if (!failed && closed_ >= course.hold_until && course.probes < 0xff) ++course.probes;
  }
  if (n > 0) {
    const ErrorTest against = error_test_between(
        peers.errors.p0, std::max(peers.errors.p1, std::min(0.95F, course.bad_rate * 0.8F)));
    const auto errors = static_cast<float>(k);
    evidence = -(errors * against.failed + static_cast<float>(n - k) * against.succeeded);
    evidence = std::min(evidence, 2.0F);
  }
  for (size_t s = 0; s < kSpans; ++s) fine &= columns.spans[s][slot].shift < kFineShift;
  if (by_latency) {
    const size_t s = static_cast<size_t>(Cause::latency) - static_cast<size_t>(course.cause);
    const SpanState& span = columns.spans[s][slot];
    const uint32_t count = s == 0 ? answers : cell.streams;
    const uint32_t sum = s == 0   ? (own_view ? cell.server_ln : cell.ln_latency)
                         : s == 1 ? cell.ln_ttft
                                  : cell.ln_itl;
    evidence = std::min(evidence, 0.0F);
    if (count > 0) {
      // Normal densities: as it used to be, against slower by the factor that is worth a cut.
      const float slow = std::log(policy_.latency_ratio);
      const float mean =
          static_cast<float>(sum) / (static_cast<float>(kLnUnit) * static_cast<float>(count));
      const float excess = mean - span.baseline - peers.shift[s];
      const float precision = 1 / (span.variance / static_cast<float>(count) +
                                   policy_.latency_wobble * policy_.latency_wobble);
      evidence += std::clamp(precision * slow * (slow / 2 - excess), -2.0F, 2.0F);
    }
  }
  if (course.recover(evidence, fine, closed_, policy_)) {
    columns.evidence[slot] = 0;
    for (auto& span : columns.spans) span[slot].evidence = 0;
    if (course.phase == Phase::steady) ++counters_.recoveries;
  }
}

void Scheduler::warm_up(const Service& service, const Group& group, uint32_t slot, const Cell& cell,
                        const Peers& peers) {
  Columns& columns = store_.columns;
  uint8_t& flags = columns.flags[slot];
  float& warm = columns.warm[slot];
  float step = 0.25F;  // without traffic, or while it is slow: on, but slowly
  const uint32_t successes = cell.requests - cell.errors;
  if (successes > 0) {
    const float mean = static_cast<float>(cell.ln_latency) /
                       (static_cast<float>(kLnUnit) * static_cast<float>(successes));
    const float excess = group.level == 0 ? 0 : mean - peers.shift[0] - group.level;
    columns.spans[0][slot].shift += (excess - columns.spans[0][slot].shift) * 0.3F;
    const float shift = columns.spans[0][slot].shift;
    step = shift < kWarmDone ? 2.0F : shift < kWarmShift ? 1.0F : 0.25F;
  }
  // With this much of the service cold, the warm rest would be crushed by what they spare.
  const bool crowd = static_cast<float>(service.warming_before) >
                     policy_.warm_share_most * static_cast<float>(service.endpoints);
  const bool crushed = service.utilization > policy_.utilization_most;
  if (crowd || crushed) step = 10;
  warm += step;
  if (warm >= static_cast<float>(policy_.warm_seconds)) {
    flags |= kWarmed;
    columns.spans[0][slot].shift = 0;
  }
}

void Scheduler::fit_capacity(const Service& service, uint32_t slot, const Cell& cell) {
  Columns& columns = store_.columns;
  float& throttle = columns.throttle[slot];
  const float before = throttle;
  const uint32_t offered = cell.requests + cell.throttled;
  const float refused =
      offered == 0 ? 0 : static_cast<float>(cell.throttled) / static_cast<float>(offered);
  float& ceiling = columns.ceiling[slot];
  if (refused > kThrottleNoticed) {
    ceiling = throttle;
    throttle = std::max(kCapacityLeast, throttle * (1 - 0.7F * refused));
  } else if (throttle < ceiling) {
    // What a limit counts comes back with time, not with requests: nothing need be heard.
    throttle = std::min(ceiling,
                        throttle + std::max(kCapacityStep, (ceiling - throttle) * kCapacityReturn));
  } else if (throttle < 1) {
    throttle = std::min(1.0F, throttle + (throttle - ceiling) + kCapacityTry);
  }

  uint16_t& last = columns.budget[slot];
  if (cell.budget != kBudgetUnknown) {
    // What is spent a second, net of what comes back, against what may be: a tenth of the budget
    // should be left when it is whole again.
    const float left = static_cast<float>(cell.budget) / kBudgetFull;
    float& burn = columns.burn[slot];
    if (last != kBudgetUnknown) {
      const float spent =
          (static_cast<float>(last) - static_cast<float>(cell.budget)) / kBudgetFull;
      burn += (spent - burn) * kBurnMemory;
    }
    last = cell.budget;
    const float horizon = std::max(static_cast<float>(cell.budget_reset_s), kBudgetHorizon);
    const float allowed = std::max(0.0F, left - kBudgetKept) / horizon;
    if (burn > allowed) {  // a refusal to come
      ceiling = std::min(throttle, before);
      throttle = std::max(kCapacityLeast, ceiling * (1 - 0.3F * (burn - allowed) / burn));
    } else if (left < kBudgetScarce) {  // no room to try for more
      throttle = std::min(throttle, before);
    }
  }

  float& balance = columns.balance[slot];
  if (cell.utilization == kUtilizationUnknown || service.utilization < kBalanceFrom) {
    balance = std::min(1.0F, balance + kBalanceStep);
    return;
  }
  const float own = static_cast<float>(cell.utilization) / 100;
  const float error = (service.utilization - own) / service.utilization;
  if (std::abs(error) > kBalanceSlack) {
    balance *= 1 + kBalanceStep * std::clamp(error, -1.0F, 1.0F);
    balance = std::clamp(balance, kBalanceLeast, 1.0F);
  }
}

void Scheduler::attend(GroupId id, uint32_t slot, const Cell& cell, const Peers& peers) {
  Columns& columns = store_.columns;
  const Group& group = store_.groups[id];
  Service& service = store_.services[group.service];
  Course& course = columns.course[slot];
  uint8_t& flags = columns.flags[slot];
  Reason reason = Reason::capacity;
  if (cell.server_requests > 0 && cell.requests > 0) {
    const bool callers_suffer = columns.recent_bad[slot] * 5 > columns.recent[slot];
    const bool admits = cell.server_errors * 10 >= cell.server_requests;
    flags = static_cast<uint8_t>(callers_suffer && !admits ? flags | kGrey : flags & ~kGrey);
  }
  flags &= static_cast<uint8_t>(~kHeldBack);
  const Finding finding = find(group, slot, cell, peers);
  if (finding.cause != Cause::none) {
    wanted_.push_back({slot, id, finding, Level::endpoint});
  } else if (course.phase != Phase::steady || course.relapses > 0) {
    const float before = course.health;
    recover(slot, cell, peers);
    if (course.health != before) reason = Reason::recovered;
  }
  if (!(flags & (kWarmed | kPreheating))) {
    warm_up(service, group, slot, cell, peers);
    ++service.warming;
    if (reason == Reason::capacity) reason = Reason::warming;
  }
  fit_capacity(service, slot, cell);
  if (course.phase != Phase::steady) ++service.unsteady;
  publish(group.service, id, slot, reason, Level::endpoint);
  const bool busy = course.phase != Phase::steady || course.relapses > 0 || !(flags & kWarmed) ||
                    columns.throttle[slot] < 1 || columns.balance[slot] < 1 ||
                    (flags & (kPinned | kPreheating)) || finding.cause != Cause::none;
  flags = static_cast<uint8_t>(busy ? flags | kBusy : flags & ~kBusy);
}

}  // namespace weir::schedule
