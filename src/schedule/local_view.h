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

enum class Ended : uint8_t {
  good,
  answered,  // it answered, but what it took says nothing: the request itself was refused
  failed,
  unreachable,
  throttled,
  unknown,  // broken off by us
};

// What a rate limit counts.
enum class Resource : uint8_t { requests, tokens };
inline constexpr size_t kResources = 2;

class LocalView {
 public:
  explicit LocalView(uint32_t endpoints);

  // The weights of a new table. Endpoints keep their history.
  void use(std::span<const uint16_t> weights);

  // One endpoint for a request that will cost about `work` (1, or tokens), `avoid` being one it has
  // failed at; or nothing if every weight is zero.
  static constexpr uint32_t kNothing = 0xffff'ffff;
  uint32_t pick(uint64_t random, double now, double tokens = 0, uint32_t avoid = kNothing);

  // The same among those that `allowed(position)` lets through, or nothing where it lets through
  // none that this view would use. Not `strict`: guard and budgets do not count.
  template <class Allowed>
  uint32_t pick_among(uint64_t random, double now, double tokens, bool strict,
                      const Allowed& allowed);
  // Whether guard and budgets would let a request through.
  bool passes(uint32_t endpoint, double now, double tokens) const {
    return !(guarded_ && avoided(endpoint, now)) && fits(all_[endpoint], now, tokens);
  }
  // An endpoint was chosen by other means than pick(): a probe of the guard is noted.
  void chosen(uint32_t endpoint, double now) { choose(endpoint, now); }

  void sent(uint32_t endpoint, double work, double tokens = 0);
  void finished(uint32_t endpoint, double now, double seconds, double work, Ended ended,
                double tokens = 0);
  // Something that was broken off took at least so long: it may show that the endpoint is slow, and
  // nothing else.
  void at_least(uint32_t endpoint, double now, double seconds, double work);
  // What was sent turned out to be another amount of work than was thought.
  void corrected(uint32_t endpoint, double work, double actual) {
    all_[endpoint].inflight += actual - work;
  }
  // What the endpoint says of a rate limit: what is left, and seconds until all is back.
  void budget(uint32_t endpoint, double now, double left, double limit, double reset,
              Resource resource = Resource::tokens);
  void restarted(uint32_t endpoint);

  // Retries are at most a fifth of the requests, and a few more.
  bool may_retry();

  double inflight(uint32_t endpoint) const { return all_[endpoint].inflight; }
  uint16_t weight(uint32_t endpoint) const { return weights_[endpoint]; }
  uint64_t whole() const { return whole_; }
  size_t size() const { return all_.size(); }
  bool avoided(uint32_t endpoint, double now) const;

 private:
  struct Budget {
    double left = -1;  // below 0 is unknown
    double left_at = 0;
    double refill = 0;  // a second
    double limit = 0;
    double reserved = 0;  // by requests in flight

    bool holds(double now, double wanted) const;
  };
  struct Endpoint {
    double inflight = 0;  // work
    double pace = 0;      // seconds per unit of work, smoothed; 0 is unknown
    double pace_at = 0;
    double until = 0;  // stepped around until then
    double lease = 0;
    Budget budgets[kResources];  // by Resource
    uint32_t in_a_row = 0;
    bool probing = false;
  };
  bool fits(const Endpoint& endpoint, double now, double tokens) const;
  static void learn_pace(Endpoint& endpoint, double now, double pace);
  // One choice in four goes by load alone, for evidence.
  static bool is_paced(uint64_t random) { return (random >> 20) % 4 != 0; }
  bool usable(uint32_t endpoint, double now, double tokens, uint32_t avoid) const;
  double score(uint32_t endpoint, bool paced) const;
  void refresh(double now);
  uint32_t choose(uint32_t endpoint, double now);
  // Of two usable draws, the one to take.
  uint32_t better(uint32_t a, uint32_t b, bool paced) const;
  void refresh_if_due(double now);

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

template <class Allowed>
uint32_t LocalView::pick_among(uint64_t random, double now, double tokens, bool strict,
                               const Allowed& allowed) {
  if (whole_ == 0) return kNothing;
  refresh_if_due(now);
  const bool paced = is_paced(random);
  const auto usable = [&](uint32_t i) {
    return weights_[i] > 0 && (!strict || passes(i, now, tokens)) && allowed(i);
  };
  const uint32_t a = picker_.draw(static_cast<uint32_t>(random));
  const uint32_t b = picker_.draw(static_cast<uint32_t>(random >> 32));
  const bool use_a = usable(a);
  if (a == b && use_a) return choose(a, now);
  if (a != b) {
    const bool use_b = usable(b);
    if (use_a && use_b) return choose(better(a, b, paced), now);
    if (use_a || use_b) return choose(use_a ? a : b, now);
  }
  // Most are closed: two draws by weight among those that are not.
  uint64_t sum = 0;
  for (uint32_t i = 0; i < weights_.size(); ++i) sum += usable(i) ? weights_[i] : 0;
  if (sum == 0) return kNothing;
  uint32_t drawn[2] = {kNothing, kNothing};
  const uint64_t marks[2] = {((random & 0xffff'ffff) * sum) >> 32, ((random >> 32) * sum) >> 32};
  uint64_t passed = 0;
  for (uint32_t i = 0; i < weights_.size(); ++i) {
    if (!usable(i)) continue;
    passed += weights_[i];
    for (int k = 0; k < 2; ++k)
      if (drawn[k] == kNothing && marks[k] < passed) drawn[k] = i;
  }
  return choose(drawn[0] == drawn[1] ? drawn[0] : better(drawn[0], drawn[1], paced), now);
}

}  // namespace weir::schedule
