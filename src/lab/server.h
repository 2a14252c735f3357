// Server: a simulated server. Its workers take requests in order; because a queue is first in,
// first out, the end of a request is known when it arrives, and one event per request is enough.
// Faults are looked up by the time at which the work begins. One run, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lab/balancer.h"
#include "lab/scenario.h"

namespace weir::lab {

struct Draws {  // of one attempt, all uniform in [0, 1)
  double service;
  double service_angle;
  double fails;
};

class Server {
 public:
  Server(const ServerShape& shape, std::vector<Fault> faults);

  struct Visit {
    double ends;  // when the client knows, its time-out aside
    Ending ending;
    double first_token = 0;  // absolute
    double token_gap = 0;
  };
  Visit visit(uint32_t client, const Request& request, double now, const Draws& draws);
  void left(double seconds, bool good);  // a client got its answer or gave up
  void restart();
  // Runs its warm-up set, alone; returns how long that takes.
  double preheat();
  double budget_limit() const;

  double utilization(uint64_t second) const;  // of that second
  double recent_utilization() const { return recent_; }
  void tick(uint64_t second);
  double inflight() const { return inflight_; }
  double usual_seconds() const { return usual_; }
  double queries() const { return queries_; }
  double failures() const { return failures_; }
  bool refuses(uint32_t client, double now) const;
  double budget() const;  // below 0 without a limit
  double budget_reset() const;

 private:
  static constexpr size_t kBusySeconds = 128;
  bool on(const Fault& fault, uint32_t client, double now) const;
  void refill(double now);

  ServerShape shape_;
  std::vector<Fault> faults_;
  std::vector<double> free_at_;
  std::array<double, kBusySeconds> busy_{};
  double served_ = 1e9;  // since the last start; a cold one has compiled little
  double bucket_ = 0;
  double bucket_at_ = 0;
  double inflight_ = 0;
  double usual_ = 0;
  double recent_ = 0;
  double queries_ = 0;
  double failures_ = 0;
  double queries_now_ = 0;
  double failures_now_ = 0;
};

}  // namespace weir::lab
