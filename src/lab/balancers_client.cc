// Policies in which each client decides from what it sees itself, without taking anybody out.
#include <algorithm>
#include <cmath>

#include "lab/balancer.h"

namespace weir::lab {
namespace {

class RandomPick final : public Balancer {
 public:
  using Balancer::Balancer;
  uint32_t pick(uint32_t, double, uint32_t avoid, double) override { return any(avoid); }
};

class RoundRobin final : public Balancer {
 public:
  RoundRobin(Surroundings around, uint64_t seed) : Balancer(std::move(around), seed) {
    for (uint32_t c = 0; c < around_.clients; ++c) next_.push_back(random_.below(count()));
  }
  uint32_t pick(uint32_t client, double, uint32_t avoid, double) override {
    if (members_ == 0) return kNoServer;
    uint32_t& next = next_[client];
    do next = (next + 1) % count();
    while (!usable(next, avoid));
    return next;
  }

 private:
  std::vector<uint32_t> next_;
};

class LeastRequest final : public Balancer {
 public:
  using Balancer::Balancer;
  uint32_t pick(uint32_t client, double, uint32_t avoid, double) override {
    const uint32_t a = any(avoid);
    const uint32_t b = any(avoid);
    if (a == kNoServer) return a;
    return inflight(client, b) < inflight(client, a) ? b : a;
  }
};

// Finagle's: the cost jumps to a latency above it and decays towards one below it.
class PeakEwma final : public Balancer {
 public:
  PeakEwma(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed), costs_(size_t{count()} * around_.clients) {}
  uint32_t pick(uint32_t client, double now, uint32_t avoid, double) override {
    const uint32_t a = any(avoid);
    const uint32_t b = any(avoid);
    if (a == kNoServer) return a;
    return load(client, b, now) < load(client, a, now) ? b : a;
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    Cost& cost = costs_[at(reply.client, reply.server)];
    const double rtt = reply.seconds();
    const double weight = std::exp(-(reply.ended - cost.at) / kTau);
    cost.value = rtt > cost.value ? rtt : cost.value * weight + rtt * (1 - weight);
    cost.at = reply.ended;
  }
  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    for (uint32_t c = 0; c < around_.clients; ++c) costs_[at(c, server)] = {};
  }

 private:
  static constexpr double kTau = 10;
  struct Cost {
    double value = 0;
    double at = 0;
  };
  double load(uint32_t client, uint32_t server, double now) {
    const Cost& cost = costs_[at(client, server)];
    const double value = cost.value * std::exp(-(now - cost.at) / kTau);
    const double pending = inflight(client, server);
    if (cost.value == 0 && pending > 0) return 1e9 + pending;
    return value * (pending + 1);
  }
  std::vector<Cost> costs_;
};

// NSDI'24: a small pool of answers to probes, the coldest or the fastest of them.
class Prequal final : public Balancer {
 public:
  Prequal(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed), pools_(around_.clients) {}
  uint32_t pick(uint32_t client, double now, uint32_t avoid, double) override {
    auto& pool = pools_[client];
    std::erase_if(pool, [&](const Entry& e) { return now - e.at > kAge || !present_[e.server]; });
    for (int i = 0; i < kProbes && members_ > 0; ++i) {
      const uint32_t server = any(kNoServer);
      const Probe probe = around_.probe(server);
      if (!probe.answered) continue;
      pool.push_back({server, now, probe.inflight, probe.seconds});
      if (pool.size() > kPool) pool.erase(pool.begin());
    }
    if (pool.size() < 2) return any(avoid);
    std::vector<double> loads;
    for (const Entry& e : pool) loads.push_back(e.inflight);
    std::sort(loads.begin(), loads.end());
    const double hot =
        loads[static_cast<size_t>(static_cast<double>(loads.size() - 1) * kQuantile)];
    size_t best = pool.size();
    for (size_t i = 0; i < pool.size(); ++i) {
      if (!usable(pool[i].server, avoid)) continue;
      if (best == pool.size() || better(pool[i], pool[best], hot)) best = i;
    }
    if (best == pool.size()) return any(avoid);
    const uint32_t server = pool[best].server;
    pool.erase(pool.begin() + static_cast<ptrdiff_t>(best));
    // Every other time the worst goes too, or the pool would fill with what nobody wants.
    if (pool.size() > 1 && (worst_ = !worst_)) {
      size_t worst = 0;
      for (size_t i = 1; i < pool.size(); ++i)
        if (better(pool[worst], pool[i], hot)) worst = i;
      pool.erase(pool.begin() + static_cast<ptrdiff_t>(worst));
    }
    return server;
  }

 private:
  static constexpr int kProbes = 3;
  static constexpr size_t kPool = 16;
  static constexpr double kAge = 1;
  static constexpr double kQuantile = 0.84;
  struct Entry {
    uint32_t server;
    double at;
    double inflight;
    double seconds;
  };
  static bool better(const Entry& a, const Entry& b, double hot) {
    const bool a_hot = a.inflight > hot;
    const bool b_hot = b.inflight > hot;
    if (a_hot != b_hot) return b_hot;
    return a_hot ? a.inflight < b.inflight : a.seconds < b.seconds;
  }
  std::vector<std::vector<Entry>> pools_;
  bool worst_ = false;
};

// Client-side weighted round robin of gRPC (A58).
class GrpcWrr final : public Balancer {
 public:
  GrpcWrr(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed),
        reports_(size_t{count()} * around_.clients),
        weights_(around_.clients, std::vector<double>(count(), 1)) {}
  uint32_t pick(uint32_t client, double, uint32_t avoid, double) override {
    return weighted(weights_[client], avoid);
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    if (reply.queries <= 0 || reply.utilization <= 0) return;
    Report& report = reports_[at(reply.client, reply.server)];
    if (report.since < 0) report.since = reply.ended;
    report.last = reply.ended;
    report.weight = reply.queries / (reply.utilization + reply.failures / reply.queries * kPenalty);
  }
  void second(double now) override {
    for (uint32_t c = 0; c < around_.clients; ++c) {
      double sum = 0;
      uint32_t known = 0;
      for (uint32_t s = 0; s < count(); ++s) {
        const Report& r = reports_[at(c, s)];
        const bool valid = r.since >= 0 && now - r.since >= kBlackout && now - r.last < kExpiry;
        weights_[c][s] = valid ? r.weight : 0;
        sum += weights_[c][s];
        known += valid ? 1 : 0;
      }
      const double mean = known < 2 ? 1 : sum / known;
      for (double& w : weights_[c])
        if (w == 0 || known < 2) w = mean;
    }
  }
  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    for (uint32_t c = 0; c < around_.clients; ++c) reports_[at(c, server)] = {};
  }

 private:
  static constexpr double kPenalty = 1;
  static constexpr double kBlackout = 10;
  static constexpr double kExpiry = 180;
  struct Report {
    double since = -1;
    double last = 0;
    double weight = 0;
  };
  std::vector<Report> reports_;
  std::vector<std::vector<double>> weights_;
};

// Dubbo's adaptive balance over its linear warm-up.
class Dubbo final : public Balancer {
 public:
  Dubbo(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed),
        states_(size_t{count()} * around_.clients),
        started_(count(), -1e9) {}
  uint32_t pick(uint32_t client, double now, uint32_t avoid, double) override {
    const uint32_t a = warm(avoid, now);
    const uint32_t b = warm(avoid, now);
    if (a == kNoServer) return a;
    State& sa = states_[at(client, a)];
    State& sb = states_[at(client, b)];
    // What was not picked for long is picked again, whatever its load.
    const double stale = 2 * around_.timeout;
    uint32_t chosen = load(client, b, now) < load(client, a, now) ? b : a;
    if (now - sb.picked > stale && sb.picked < sa.picked) chosen = b;
    if (now - sa.picked > stale && sa.picked <= sb.picked) chosen = a;
    states_[at(client, chosen)].picked = now;
    return chosen;
  }
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    State& s = states_[at(reply.client, reply.server)];
    s.latency = s.latency * 0.5 + reply.seconds() * 1000 * 0.5;
    s.success = s.success * 0.98 + (reply.good() ? 0.02 : 0);
    s.cpu = reply.utilization * 100;
  }
  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    if (present) started_[server] = now;
  }

 private:
  static constexpr double kWarmUp = 600;
  struct State {
    double latency = 0;
    double success = 1;
    double cpu = 0;
    double picked = 0;
  };
  double weight_of(uint32_t server, double now) const {
    return std::clamp((now - started_[server]) / kWarmUp * 100, 1.0, 100.0);
  }
  uint32_t warm(uint32_t avoid, double now) {
    for (int tries = 0; tries < 100; ++tries) {
      const uint32_t server = any(avoid);
      if (server == kNoServer || random_.uniform() * 100 < weight_of(server, now)) return server;
    }
    return any(avoid);
  }
  double load(uint32_t client, uint32_t server, double now) {
    const State& s = states_[at(client, server)];
    return s.cpu * (std::sqrt(s.latency) + 1) * (inflight(client, server) + 1) /
           (s.success * weight_of(server, now) + 1);
  }
  std::vector<State> states_;
  std::vector<double> started_;
};

}  // namespace

std::unique_ptr<Balancer> make_random(Surroundings a, uint64_t seed) {
  return std::make_unique<RandomPick>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_round_robin(Surroundings a, uint64_t seed) {
  return std::make_unique<RoundRobin>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_least_request(Surroundings a, uint64_t seed) {
  return std::make_unique<LeastRequest>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_peak_ewma(Surroundings a, uint64_t seed) {
  return std::make_unique<PeakEwma>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_prequal(Surroundings a, uint64_t seed) {
  return std::make_unique<Prequal>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_grpc_wrr(Surroundings a, uint64_t seed) {
  return std::make_unique<GrpcWrr>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_dubbo(Surroundings a, uint64_t seed) {
  return std::make_unique<Dubbo>(std::move(a), seed);
}

}  // namespace weir::lab
