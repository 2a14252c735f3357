// Policies in which each client takes servers out for a time: Envoy's outlier detection, Finagle's
// failure accrual, LiteLLM's cooldown.
#include <algorithm>
#include <cmath>

#include "lab/balancer.h"

namespace weir::lab {
namespace {

class Envoy final : public Balancer {
 public:
  Envoy(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed),
        hosts_(size_t{count()} * around_.clients),
        started_(count(), -1e9) {
    for (uint32_t c = 0; c < around_.clients; ++c) next_.push_back(random_.below(count()));
  }
  uint32_t pick(uint32_t client, double now, uint32_t avoid, double) override {
    if (members_ == 0) return kNoServer;
    uint32_t available = 0;
    for (uint32_t s = 0; s < count(); ++s)
      available += present_[s] && hosts_[at(client, s)].until <= now ? 1 : 0;
    const bool panic = available * 2 < members_;
    uint32_t& next = next_[client];
    uint32_t fallback = kNoServer;
    for (uint32_t tries = 0; tries < 20 * count(); ++tries) {
      next = (next + 1) % count();
      if (!usable(next, avoid)) continue;
      if (!panic && hosts_[at(client, next)].until > now) continue;
      fallback = next;
      const double age = now - started_[next];
      const double warm = std::max(0.1, std::min(1.0, std::max(age, 1.0) / kSlowStart));
      if (warm >= 1 || random_.uniform() < warm) return next;
    }
    return fallback == kNoServer ? any(avoid) : fallback;
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    Host& host = hosts_[at(reply.client, reply.server)];
    ++host.requests;
    if (reply.good()) {
      host.in_a_row = 0;
      return;
    }
    ++host.errors;
    // 429 is not among the 5xx that count.
    if (reply.ending == Ending::throttled) return;
    if (++host.in_a_row >= kInARow) eject(reply.client, reply.server, reply.ended);
  }
  void second(double now) override {
    if (static_cast<uint64_t>(now) % kInterval != 0) return;
    for (uint32_t c = 0; c < around_.clients; ++c) sweep(c, now);
  }
  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    if (present) started_[server] = now;
    for (uint32_t c = 0; c < around_.clients; ++c) hosts_[at(c, server)] = {};
  }

 private:
  static constexpr uint32_t kInARow = 5;
  static constexpr uint64_t kInterval = 10;
  static constexpr double kDeviations = 1.9;
  static constexpr double kSlowStart = 60;
  struct Host {
    uint32_t requests = 0;
    uint32_t errors = 0;
    uint32_t in_a_row = 0;
    uint32_t times = 0;
    double until = 0;
  };
  void eject(uint32_t client, uint32_t server, double now) {
    uint32_t out = 0;
    for (uint32_t s = 0; s < count(); ++s) out += hosts_[at(client, s)].until > now ? 1 : 0;
    Host& host = hosts_[at(client, server)];
    if (host.until > now || (out > 0 && (out + 1) * 10 > count())) return;
    host.until = now + std::min(300.0, 30.0 * ++host.times);
    host.in_a_row = 0;
  }
  void sweep(uint32_t client, double now) {
    std::vector<double> rates;
    for (uint32_t s = 0; s < count(); ++s) {
      const Host& h = hosts_[at(client, s)];
      if (h.requests >= 100) rates.push_back(1 - double(h.errors) / h.requests);
    }
    double mean = 0;
    double deviation = 0;
    for (const double r : rates) mean += r / static_cast<double>(rates.size());
    for (const double r : rates)
      deviation += (r - mean) * (r - mean) / static_cast<double>(rates.size());
    deviation = std::sqrt(deviation);
    for (uint32_t s = 0; s < count(); ++s) {
      Host& h = hosts_[at(client, s)];
      const bool judged = h.requests >= 100 && rates.size() >= 5;
      if (judged && 1 - double(h.errors) / h.requests < mean - kDeviations * deviation)
        eject(client, s, now);
      else if (h.until <= now && h.times > 0)
        --h.times;
      h.requests = h.errors = 0;
    }
  }
  std::vector<Host> hosts_;
  std::vector<double> started_;
  std::vector<uint32_t> next_;
};

class Finagle final : public Balancer {
 public:
  Finagle(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed),
        nodes_(size_t{count()} * around_.clients),
        retries_(around_.clients, 10) {}
  bool may_retry(uint32_t client) override {
    if (retries_[client] < 1) return false;
    retries_[client] -= 1;
    return true;
  }
  uint32_t pick(uint32_t client, double now, uint32_t avoid, double) override {
    uint32_t chosen = kNoServer;
    if (avoid == kNoServer) retries_[client] = std::min(100.0, retries_[client] + 0.2);
    // Another try for each dead pair, a few times; then a dead one is taken after all.
    for (int effort = 0; effort < 5; ++effort) {
      const uint32_t a = any(avoid);
      const uint32_t b = any(avoid);
      if (a == kNoServer) return a;
      const bool dead_a = dead(client, a, now);
      const bool dead_b = dead(client, b, now);
      if (dead_a != dead_b)
        chosen = dead_a ? b : a;
      else
        chosen = inflight(client, b) < inflight(client, a) ? b : a;
      if (!dead(client, chosen, now)) break;
    }
    Node& node = nodes_[at(client, chosen)];
    if (node.down && now >= node.until) node.probing = true;
    return chosen;
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    Node& node = nodes_[at(reply.client, reply.server)];
    const bool failed = reply.ending != Ending::ok && reply.ending != Ending::throttled;
    const double memory = std::exp(-(reply.ended - node.at) / 30);
    node.total = node.total * memory + 1;
    node.good = node.good * memory + (failed ? 0 : 1);
    node.at = reply.ended;
    node.in_a_row = failed ? node.in_a_row + 1 : 0;
    if (node.down && node.probing) {
      node.probing = false;
      if (!failed)
        node = {.at = reply.ended};
      else
        mark(node, reply.ended);
      return;
    }
    if (!node.down && (node.in_a_row >= 5 || (node.total >= 5 && node.good < 0.8 * node.total)))
      mark(node, reply.ended);
  }

 private:
  struct Node {
    double good = 0;
    double total = 0;
    double at = 0;
    double until = 0;
    double backoff = 0;
    uint32_t in_a_row = 0;
    bool down = false;
    bool probing = false;
  };
  bool dead(uint32_t client, uint32_t server, double now) const {
    const Node& node = nodes_[at(client, server)];
    return node.down && (now < node.until || node.probing);
  }
  void mark(Node& node, double now) {
    node.backoff = node.backoff == 0 ? 5 : std::min(300.0, node.backoff * 2);
    node.until = now + node.backoff / 2 + random_.uniform() * node.backoff / 2;
    node.down = true;
  }
  std::vector<Node> nodes_;
  std::vector<double> retries_;  // a fifth of the requests
};

// One process, so the state is shared by all clients.
class LiteLlm final : public Balancer {
 public:
  LiteLlm(Surroundings around, uint64_t seed) : Balancer(std::move(around), seed), all_(count()) {}
  uint32_t pick(uint32_t, double now, uint32_t avoid, double) override {
    std::vector<uint32_t> open;
    for (uint32_t s = 0; s < count(); ++s)
      if (usable(s, avoid) && all_[s].until <= now) open.push_back(s);
    if (open.empty()) return kNoServer;  // all are cooling: told to the caller
    return open[random_.below(static_cast<uint32_t>(open.size()))];
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    Deployment& d = all_[reply.server];
    const auto minute = static_cast<uint64_t>(reply.ended / 60);
    if (minute != d.minute) d = {.until = d.until, .minute = minute};
    ++d.requests;
    if (reply.good()) return;
    ++d.failed;
    if (members_ == 1) return;
    const bool most = d.requests >= 5 && d.failed * 2 > d.requests;
    if (reply.ending == Ending::throttled || most) d.until = reply.ended + kCooldown;
  }

 private:
  static constexpr double kCooldown = 5;
  struct Deployment {
    double until = 0;
    uint64_t minute = 0;
    uint32_t requests = 0;
    uint32_t failed = 0;
  };
  std::vector<Deployment> all_;
};

}  // namespace

std::unique_ptr<Balancer> make_envoy(Surroundings a, uint64_t seed) {
  return std::make_unique<Envoy>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_finagle(Surroundings a, uint64_t seed) {
  return std::make_unique<Finagle>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_litellm(Surroundings a, uint64_t seed) {
  return std::make_unique<LiteLlm>(std::move(a), seed);
}

}  // namespace weir::lab
