#include "lab/day.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "schedule/scheduler.h"

namespace weir::lab {
namespace {

constexpr uint32_t kStart = 1'000'000;
constexpr double kSigma = 0.8;        // of one request's ln latency
constexpr uint32_t kPool = 1U << 16;  // normal draws, made once

}  // namespace

DayResult run_day(const Day& day, const std::function<void(uint32_t)>& progress) {
  using namespace schedule;
  Scheduler scheduler(Policy{}, Limits{}, kStart);
  Random random(day.seed);
  std::vector<float> normals(kPool);
  for (float& n : normals)
    n = static_cast<float>(std::sqrt(-2 * std::log(1 - random.uniform())) *
                           std::cos(2 * M_PI * random.uniform()));
  const auto drawn = [&](uint64_t bits) { return normals[bits & (kPool - 1)]; };
  const auto normal = [&] { return drawn(random.next()); };
  struct Endpoint {
    float rate;
    float ln_us;
    float errors;
    double calm;  // requests until its next error
  };
  // Errors of a healthy endpoint are few: the distance to the next is drawn, not each request.
  const auto distance = [&](float errors) { return -std::log(1 - random.uniform()) / errors; };
  std::vector<Endpoint> endpoints;
  ServiceId service = 0;
  for (uint32_t e = 0; e < day.endpoints;) {
    if (e % (day.per_group * 20) == 0) service = *scheduler.add_service();
    const GroupId group = *scheduler.add_group(
        service, {.zone = static_cast<uint16_t>(e % 7), .expected = day.per_group});
    const auto rate = static_cast<float>(std::exp(2 + normal()));  // 1 to 50 a second
    const float level = 9.0F + normal();
    const auto errors = static_cast<float>(std::exp(-7.5 + normal()));
    for (uint32_t i = 0; i < day.per_group && e < day.endpoints; ++i, ++e) {
      (void)*scheduler.add_endpoint(group);
      endpoints.push_back({rate * (0.8F + 0.4F * static_cast<float>(random.uniform())),
                           level + 0.3F * normal(), errors, distance(errors)});
    }
  }
  for (uint32_t t = 0; t < day.seconds; ++t) {
    const auto tide =
        static_cast<float>(1 + 0.5 * std::sin(2 * M_PI * t / std::min(day.seconds, 86'400U)));
    float together = 0;
    for (uint32_t e = 0; e < day.endpoints; ++e) {
      if (e % day.per_group == 0) together = 0.2F * (tide - 1) + 0.05F * normal();
      Endpoint& p = endpoints[e];
      const uint64_t bits = random.next();  // three draws of sixteen bits
      const float mean = p.rate * tide;
      const auto n =
          static_cast<uint32_t>(std::max(0.0F, mean + std::sqrt(mean) * drawn(bits) + 0.5F));
      Sample s{.endpoint = e, .second = kStart + t, .reporter = e};
      s.requests = n;
      for (p.calm -= n; p.calm < 0; p.calm += distance(p.errors)) ++s.errors;
      s.errors = std::min(s.errors, n);
      const auto ok = static_cast<float>(n - s.errors);
      if (ok > 0) {
        const float sum = ok * (p.ln_us + together + 0.03F * drawn(bits >> 16)) +
                          std::sqrt(ok) * static_cast<float>(kSigma) * drawn(bits >> 32);
        s.ln_latency = static_cast<uint32_t>(
            std::clamp(sum * kLnUnit, 0.0F, ok * static_cast<float>(kLnMost * kLnUnit)));
      }
      scheduler.ingest(s);
    }
    scheduler.evaluate();
    progress(t + 1);
  }
  const Counters& counters = scheduler.counters();
  return {.endpoint_seconds = uint64_t{day.endpoints} * day.seconds,
          .cuts = counters.cuts,
          .group_cuts = counters.group_cuts,
          .denied = counters.cuts_denied,
          .evidence_needed = scheduler.evidence_needed()};
}

}  // namespace weir::lab
