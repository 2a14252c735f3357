// LocalView: what one client (a worker of the gateway, say) knows right now of the endpoints of a
// service, between two tables from the scheduler. The table is seconds old and speaks for all
// clients; the view is milliseconds old and speaks for this one. It adds three things to a weighted
// choice of two: load and pace, a guard that steps around an endpoint that fails everything this
// client sends, and rate-limit budgets that would not hold the request. It also keeps the budget of
// retries. Positions are those of the Picker. One thread; time comes in as seconds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedule/picker.h"

namespace weir::schedule {

enum class Ended : uint8_t { good, failed, unreachable, throttled };

class LocalView {
 public:
  explicit LocalView(uint32_t endpoints);

  // The weights of a new table. Endpoints keep their history.
  void use(std::span<const uint16_t> weights);

  // One endpoint for a request that will cost about `work` (1, or tokens), `avoid` being one it has
  // failed at; or nothing if every weight is zero.
  static constexpr uint32_t kNothing = 0xffff'ffff;
  uint32_t pick(uint64_t random, double now, double tokens = 0, uint32_t avoid = kNothing);

  void sent(uint32_t endpoint, double work, double tokens = 0);
  void finished(uint32_t endpoint, double now, double seconds, double work, Ended ended,
                double tokens = 0);
  // What the endpoint says of its rate limit: tokens left, and seconds until all are back.
  void budget(uint32_t endpoint, double now, double left, double limit, double reset);
  void restarted(uint32_t endpoint);

  // Retries are at most a fifth of the requests, and a few more.
  bool may_retry();

  double inflight(uint32_t endpoint) const { return all_[endpoint].inflight; }
  bool avoided(uint32_t endpoint, double now) const;

 private:
  struct Endpoint {
    double inflight = 0;  // work
    double pace = 0;      // seconds per unit of work, smoothed; 0 is unknown
    double pace_at = 0;
    double until = 0;  // stepped around until then
    double lease = 0;
    double left = -1;  // tokens of the budget; below 0 is unknown
    double left_at = 0;
    double refill = 0;  // tokens a second
    double limit = 0;
    double reserved = 0;  // tokens of requests in flight
    uint32_t in_a_row = 0;
    bool probing = false;
  };
  bool fits(const Endpoint& endpoint, double now, double tokens) const;
  bool usable(uint32_t endpoint, double now, double tokens, uint32_t avoid) const;
  double score(uint32_t endpoint, bool paced) const;
  void refresh(double now);
  uint32_t choose(uint32_t endpoint, double now);

  std::vector<Endpoint> all_;
  std::vector<uint16_t> weights_;
  Picker picker_;
  uint16_t most_ = 0;  // largest weight
  uint64_t whole_ = 0;
  double refreshed_ = -1;  // when the two below were counted
  double pace_ = 0;        // usual pace of the endpoints
  bool guarded_ = true;    // false while too much would be stepped around
  double retries_ = 10;
};

}  // namespace weir::schedule
