#include "schedule/sample.h"

#include <algorithm>
#include <cmath>

namespace weir::schedule {
namespace {

constexpr uint32_t kRequestsMost = 10'000'000;  // in a second at one endpoint

// Unknown is not zero: it yields to any value that is known.
uint8_t merge_utilization(uint8_t a, uint8_t b) {
  if (a == kUtilizationUnknown) return b;
  if (b == kUtilizationUnknown) return a;
  return std::max(a, b);
}

bool mean_in_range(uint32_t sum, uint32_t count) {
  return static_cast<uint64_t>(sum) <= static_cast<uint64_t>(count) * kLnMost * kLnUnit;
}

}  // namespace

uint32_t ln_units(double microseconds) {
  if (!(microseconds > 1)) return 0;
  const double ln = std::min(std::log(microseconds), static_cast<double>(kLnMost));
  return static_cast<uint32_t>(ln * kLnUnit + 0.5);
}

void add_request(Sample& sample, double microseconds, bool error) {
  sample.requests = saturating_add(sample.requests, 1);
  if (error)
    sample.errors = saturating_add(sample.errors, 1);
  else
    sample.ln_latency = saturating_add(sample.ln_latency, ln_units(microseconds));
}

void merge(Sample& into, const Sample& other) {
  for (uint32_t Sample::* field :
       {&Sample::requests, &Sample::errors, &Sample::unreachable, &Sample::throttled,
        &Sample::caller_faults, &Sample::ln_latency, &Sample::streams, &Sample::ln_ttft,
        &Sample::ln_itl, &Sample::tokens}) {
    into.*field = saturating_add(into.*field, other.*field);
  }
  into.budget_reset_ms = std::max(into.budget_reset_ms, other.budget_reset_ms);
  into.inflight = std::max(into.inflight, other.inflight);
  into.budget = std::min(into.budget, other.budget);
  into.utilization = merge_utilization(into.utilization, other.utilization);
  into.marks |= other.marks;
  into.sources = static_cast<uint8_t>(std::min(255, into.sources + other.sources));
}

bool plausible(const Sample& sample) {
  return sample.requests <= kRequestsMost && sample.throttled <= kRequestsMost &&
         sample.errors <= sample.requests && sample.unreachable <= sample.errors &&
         sample.streams <= sample.requests - sample.errors &&
         mean_in_range(sample.ln_latency, sample.requests - sample.errors) &&
         mean_in_range(sample.ln_ttft, sample.streams) &&
         mean_in_range(sample.ln_itl, sample.streams) && sample.reporter <= kReporterMost &&
         (sample.budget <= kBudgetFull || sample.budget == kBudgetUnknown) &&
         (sample.utilization <= 200 || sample.utilization == kUtilizationUnknown) &&
         (sample.view == View::client || sample.view == View::server) && sample.sources > 0;
}

}  // namespace weir::schedule
