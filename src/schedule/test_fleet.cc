#include "schedule/test_fleet.h"

#include <algorithm>
#include <cmath>

namespace weir::schedule {
namespace {

constexpr uint32_t kStart = 1'000'000;
constexpr double kSigma = 0.8;

}  // namespace

uint32_t Draws::poisson(double mean) {
  if (mean > 60) {
    const double value = std::round(mean + std::sqrt(mean) * normal());
    return value < 0 ? 0 : static_cast<uint32_t>(value);
  }
  const double stop = std::exp(-mean);
  uint32_t n = 0;
  for (double product = random_.uniform(); product > stop; product *= random_.uniform()) ++n;
  return n;
}

uint32_t Draws::binomial(uint32_t n, double p) {
  if (p <= 0) return 0;
  if (p >= 1) return n;
  uint32_t k = 0;
  for (uint32_t i = 0; i < n; ++i) k += random_.uniform() < p ? 1 : 0;
  return k;
}

double Draws::normal() {
  const double u = 1 - random_.uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * random_.uniform());
}

Fleet::Fleet(const FleetShape& shape)
    : scheduler(shape.policy, Limits{}, kStart), shape_(shape), draws_(shape.seed) {
  const ServiceId service = *scheduler.add_service(shape.service);
  for (uint32_t g = 0; g < shape.groups; ++g) {
    const GroupId group =
        *scheduler.add_group(service, {.zone = static_cast<uint16_t>(g), .expected = 4});
    for (uint32_t i = 0; i < shape.per_group; ++i) {
      const auto number = static_cast<uint32_t>(behaviors.size());
      const uint32_t host = shape.hosts_of == 0 ? kNone : number / shape.hosts_of;
      (void)*scheduler.add_endpoint(group, {.host = host});
      behaviors.push_back(shape.behavior);
    }
  }
}

std::vector<Sample> Fleet::samples(EndpointId endpoint, uint32_t second) {
  const Behavior& b = behaviors[endpoint];
  std::vector<Sample> out;
  const double share =
      shape_.follow_weights ? static_cast<double>(scheduler.weight(endpoint)) / kWeightUnit : 1;
  for (uint32_t r = 0; r < shape_.reporters; ++r) {
    Sample s{.endpoint = endpoint, .second = second, .reporter = r};
    const uint32_t n = draws_.poisson(b.rate * share / shape_.reporters);
    s.utilization = b.utilization;
    if (b.hangs) {
      s.inflight = static_cast<uint16_t>(std::min(n + 1, 1000U));
    } else {
      s.requests = n;
      s.errors = draws_.binomial(n, b.errors);
      for (uint32_t i = 0; i < n - s.errors; ++i)
        s.ln_latency += ln_units(b.ms * 1000 * std::exp(kSigma * draws_.normal()));
      s.throttled = b.throttled;
    }
    out.push_back(s);
  }
  return out;
}

void Fleet::run(uint32_t seconds, const std::function<void(uint32_t)>& each) {
  for (uint32_t t = 0; t < seconds; ++t) {
    const uint32_t second = scheduler.next_second();
    for (EndpointId e = 0; e < behaviors.size(); ++e) {
      for (Sample& sample : samples(e, second))
        if (!meddle || meddle(sample)) scheduler.ingest(sample);
    }
    scheduler.evaluate();
    if (each) each(second);
  }
}

uint32_t Fleet::seconds_to_cut(EndpointId endpoint, uint32_t limit) {
  for (uint32_t t = 1; t <= limit; ++t) {
    run(1);
    if (scheduler.weight(endpoint) < kWeightUnit) return t;
  }
  return limit + 1;
}

}  // namespace weir::schedule
