#include "lab/balancer.h"

namespace weir::lab {

Balancer::Balancer(Surroundings around, uint64_t seed)
    : around_(std::move(around)),
      random_(seed),
      present_(around_.servers.size(), 1),
      members_(static_cast<uint32_t>(around_.servers.size())),
      inflight_(around_.servers.size() * around_.clients, 0) {}

void Balancer::sent(uint32_t client, uint32_t server, double work, double /*tokens*/) {
  inflight(client, server) += work;
}

void Balancer::finished(const Reply& reply) {
  double& value = inflight(reply.client, reply.server);
  value = value > reply.work ? value - reply.work : 0;
}

void Balancer::member(uint32_t server, bool present, double /*now*/) {
  if (present_[server] == static_cast<uint8_t>(present)) return;
  present_[server] = present ? 1 : 0;
  members_ += present ? 1 : -1;
}

uint32_t Balancer::any(uint32_t avoid) {
  if (members_ == 0) return kNoServer;
  for (;;) {
    const uint32_t server = random_.below(count());
    if (usable(server, avoid)) return server;
  }
}

uint32_t Balancer::weighted(const std::vector<double>& weights, uint32_t avoid) {
  double sum = 0;
  for (uint32_t s = 0; s < count(); ++s) sum += usable(s, avoid) ? weights[s] : 0;
  if (sum <= 0) return any(avoid);
  double left = random_.uniform() * sum;
  uint32_t last = kNoServer;
  for (uint32_t s = 0; s < count(); ++s) {
    if (!usable(s, avoid) || weights[s] <= 0) continue;
    last = s;
    left -= weights[s];
    if (left < 0) return s;
  }
  return last;
}

const std::vector<BalancerKind>& balancers() {
  static const std::vector<BalancerKind> all = {
      {"weir", "this project's scheduler, weighted two choices", make_weir},
      {"random", "uniform", make_random},
      {"round-robin", "each client in turn, from a random start", make_round_robin},
      {"least-request", "two choices by requests in flight", make_least_request},
      {"peak-ewma", "two choices by peak-sensitive latency times load, tau 10 s", make_peak_ewma},
      {"prequal", "asynchronous probes, hot-cold lexicographic", make_prequal},
      {"envoy", "round robin, outlier ejection (5 in a row, 1.9 sd), slow start 60 s", make_envoy},
      {"grpc-wrr", "weights from reported rate, utilization and errors", make_grpc_wrr},
      {"finagle", "two choices, failure accrual (5 in a row, 0.8 over 30 s)", make_finagle},
      {"dubbo", "adaptive two choices, linear warm-up of 10 min", make_dubbo},
      {"litellm", "random, cooldown of 5 s", make_litellm},
      {"sigma3-minute", "weights by three sigma, each minute: the predecessor", make_sigma3_minute},
      {"pid", "weights by a controller on utilization", make_pid},
  };
  return all;
}

}  // namespace weir::lab
