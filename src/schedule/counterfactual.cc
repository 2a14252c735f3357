// The classic rules, computed beside the sequential tests from the same samples, over ten seconds:
// what they would have cut stands in each record, and a service may choose one of them to act.
#include <cmath>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

// Envoy's success-rate outliers: hosts with 100 requests, at least 5 of them, 1.9 deviations.
constexpr uint32_t kEnvoyRequests = 100;
constexpr size_t kEnvoyHosts = 5;
constexpr float kEnvoyDeviations = 1.9F;
constexpr uint16_t kConsecutive = 5;

constexpr uint8_t bit(Detector detector) {
  return static_cast<uint8_t>(1U << static_cast<unsigned>(detector));
}

}  // namespace

void Scheduler::classic_rules(Group& group) {
  std::vector<Window>& windows = store_.columns.window;
  std::vector<float>& errors = scratch_;
  std::vector<float>& latency = shifts_[0];
  std::vector<float>& success = rates_;
  errors.clear();
  latency.clear();
  success.clear();
  const auto each = [&](auto&& f) {
    for (uint32_t i = group.first; i < group.first + group.size; ++i)
      if (windows[i].requests > 0) f(windows[i]);
  };
  const auto mean_ln = [](const Window& w) {
    return w.ln_sum / static_cast<float>(std::max<uint32_t>(1, w.requests - w.errors));
  };
  const auto rate = [](const Window& w) {
    return static_cast<float>(w.errors) / static_cast<float>(w.requests);
  };
  each([&](const Window& w) {
    errors.push_back(rate(w));
    if (w.requests > w.errors) latency.push_back(std::exp(mean_ln(w)));
    if (w.requests >= kEnvoyRequests) success.push_back(1 - rate(w));
  });
  const Spread by_errors = spread(errors);
  const Spread by_latency = spread(latency);
  const Spread by_success = spread(success);
  const auto beyond = [](float value, const Spread& s) {
    return s.deviation > 0 && value > s.mean + 3 * s.deviation;
  };
  each([&](Window& w) {
    w.verdicts = 0;
    if (beyond(rate(w), by_errors) ||
        (w.requests > w.errors && beyond(std::exp(mean_ln(w)), by_latency)))
      w.verdicts |= bit(Detector::sigma3);
    if (success.size() >= kEnvoyHosts && w.requests >= kEnvoyRequests &&
        1 - rate(w) < by_success.mean - kEnvoyDeviations * by_success.deviation)
      w.verdicts |= bit(Detector::envoy_success_rate);
    if (w.consecutive >= kConsecutive) w.verdicts |= bit(Detector::consecutive_errors);
    w.requests = w.errors = 0;
    w.ln_sum = 0;
  });
}

}  // namespace weir::schedule
