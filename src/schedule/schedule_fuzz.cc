// Any bytes as samples and orders to a small fleet: weights stay within bounds, their sum stays
// positive unless an operator drained all, evidence stays finite, and the records lead from the
// first table to the last.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

#include "schedule/scheduler.h"

namespace {

using namespace weir::schedule;

constexpr uint32_t kEndpoints = 6;
constexpr uint32_t kSecondsMost = 2'000;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_state(const Scheduler& scheduler, bool pinned) {
  uint64_t sum = 0;
  for (const auto& [endpoint, weight] : scheduler.snapshot(0)) {
    sum += weight;
    const Verdict v = *scheduler.verdict(endpoint);
    check(v.health > 0 && v.health <= 1);
    check(v.evidence >= 0 && v.evidence < 1e3F);
    check(v.latency_ratio > 0);
  }
  check(sum > 0 || pinned);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Limits limits;
  limits.reporters = 64;
  limits.samples_per_second = 64;
  limits.records = 1U << 20;
  Scheduler scheduler(Policy{}, limits, 1000);
  const ServiceId service = *scheduler.add_service();
  for (uint16_t zone = 0; zone < 2; ++zone) {
    const GroupId group = *scheduler.add_group(service, {.zone = zone, .expected = 1});
    for (uint32_t i = 0; i < kEndpoints / 2; ++i)
      (void)*scheduler.add_endpoint(group, {.host = i, .cold = i == 2});
  }
  std::string_view left(reinterpret_cast<const char*>(data), size);
  bool pinned = false;
  uint32_t seconds = 0;
  while (!left.empty() && seconds < kSecondsMost) {
    const auto op = static_cast<uint8_t>(left[0]);
    left.remove_prefix(1);
    const uint32_t endpoint = op / 8U % kEndpoints;
    switch (op % 8) {
      case 0:
        scheduler.evaluate();
        ++seconds;
        check_state(scheduler, pinned);
        break;
      case 1:
        (void)scheduler.pin(endpoint, (op / 64U) / 3.0F, scheduler.next_second() + 5);
        pinned = true;
        break;
      case 2:
        (void)scheduler.unpin(endpoint);
        break;
      case 3:
        (void)scheduler.restarted(endpoint);
        break;
      case 4:
        (void)scheduler.set_base(endpoint, static_cast<float>(1 + op / 64U));
        break;
      default: {
        Sample sample;
        if (left.size() < sizeof sample) return 0;
        std::memcpy(&sample, left.data(), sizeof sample);
        left.remove_prefix(sizeof sample);
        if (op % 8 == 7) {  // brought near to something that could be
          sample.endpoint %= kEndpoints;
          sample.second = scheduler.next_second() + sample.second % 4;
          sample.reporter %= 8;
          sample.view = static_cast<View>(static_cast<uint8_t>(sample.view) & 1);
          sample.requests %= 1000;
          sample.errors %= sample.requests + 1;
          sample.unreachable = 0;
          sample.ln_latency %= 4000 * (sample.requests - sample.errors) + 1;
          sample.streams = sample.ln_ttft = sample.ln_itl = 0;
          sample.throttled %= 1000;
          sample.budget = kBudgetUnknown;
          sample.utilization %= 201;
          sample.sources = 1;
        }
        scheduler.ingest(sample);
      }
    }
  }
  std::map<EndpointId, uint16_t> replayed;
  for (const Record& r : scheduler.journal().since(0)) {
    replayed[r.endpoint] = r.new_weight;
    check(!sentence(r, "e").empty());
  }
  for (const auto& [endpoint, weight] : scheduler.snapshot(0)) check(replayed[endpoint] == weight);
  return 0;
}
