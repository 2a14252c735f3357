// A made-up fleet for the tests: endpoints that answer with a given error rate, latency and
// traffic, and a reporter or several that tell a Scheduler of it, second by second. Requests follow
// the published weights only if asked to. Deterministic from its seed. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.h"
#include "schedule/scheduler.h"

namespace weir::schedule {

// Poisson and normal draws from one generator.
class Draws {
 public:
  explicit Draws(uint64_t seed) : random_(seed) {}
  uint32_t poisson(double mean);
  uint32_t binomial(uint32_t n, double p);
  double normal();
  Random& random() { return random_; }

 private:
  Random random_;
};

struct Behavior {
  double errors = 0.001;
  double ms = 20;    // median latency
  double rate = 10;  // requests a second at full weight
  uint32_t throttled = 0;
  uint8_t utilization = kUtilizationUnknown;
  bool hangs = false;  // requests go in, none comes out
};

struct FleetShape {
  uint32_t groups = 1;
  uint32_t per_group = 20;
  uint32_t reporters = 1;
  Behavior behavior;
  bool follow_weights = false;
  uint64_t seed = 1;
  Policy policy;
  ServiceOptions service;
  uint32_t hosts_of = 0;  // endpoints per host; 0: no hosts are told
};

class Fleet {
 public:
  explicit Fleet(const FleetShape& shape);

  // Runs so many seconds; `each` is called after every evaluation.
  void run(uint32_t seconds, const std::function<void(uint32_t second)>& each = {});
  // Samples of one endpoint for the second that is open now.
  std::vector<Sample> samples(EndpointId endpoint, uint32_t second);

  uint32_t now() const { return scheduler.next_second(); }
  uint16_t weight(EndpointId e) const { return scheduler.weight(e); }
  // Seconds until the weight of `endpoint` first falls below full, at most `limit`.
  uint32_t seconds_to_cut(EndpointId endpoint, uint32_t limit);

  Scheduler scheduler;
  std::vector<Behavior> behaviors;  // by endpoint
  // Called with each sample before it is sent; false drops it.
  std::function<bool(Sample&)> meddle;

 private:
  FleetShape shape_;
  Draws draws_;
};

}  // namespace weir::schedule
