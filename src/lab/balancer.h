// Balancer: how the clients of a run choose. One object stands for all clients, with state of its
// own for each where the policy has it, or for a central scheduler that all of them obey. It sees
// what such a program would see: replies, announcements of servers that come and go, a tick a
// second, and probes where the policy sends them. One thread, deterministic from its seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "lab/scenario.h"

namespace weir::lab {

inline constexpr uint32_t kNoServer = 0xffff'ffff;

enum class Ending : uint8_t { ok, error, refused, timeout, throttled };

struct Reply {
  uint32_t client = 0;
  uint32_t server = 0;
  double sent = 0;
  double ended = 0;
  Ending ending = Ending::ok;
  double first_token = 0;  // seconds after sent; 0 where there are no tokens
  double token_gap = 0;
  double work = 1;         // what the client thought the request would cost
  double utilization = 0;  // what the server says of itself, 0 to 1
  double queries = 0;      // a second, by the server's count
  double failures = 0;
  double budget = -1;       // share of the token budget left; below 0 is unknown
  double budget_reset = 0;  // seconds until it is whole
  double budget_limit = 0;  // tokens
  double tokens = 0;        // of the request

  bool good() const { return ending == Ending::ok; }
  double seconds() const { return ended - sent; }
};

struct Probe {
  bool answered = false;
  double inflight = 0;
  double seconds = 0;  // usual latency
};

// What a balancer may ask of the run it is in.
struct Surroundings {
  uint32_t clients = 1;
  std::vector<ServerShape> servers;
  double timeout = 2;
  std::function<Probe(uint32_t server)> probe;
  std::function<double(uint32_t server)> utilization;  // of the last second
  // Runs the declared warm-up set on a server that gets no traffic yet; seconds until it is done.
  std::function<double(uint32_t server)> preheat;
};

class Balancer {
 public:
  Balancer(Surroundings around, uint64_t seed);
  virtual ~Balancer() = default;
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // A server for one request, or kNoServer: the client tells its user that it has none.
  virtual uint32_t pick(uint32_t client, double now, uint32_t avoid, double tokens) = 0;
  virtual void sent(uint32_t client, uint32_t server, double work, double tokens);
  virtual bool may_retry(uint32_t /*client*/) { return true; }
  virtual void finished(const Reply& reply);
  virtual void second(double /*now*/) {}
  virtual void member(uint32_t server, bool present, double now);
  // The published weight as a share of the full one; below 0 where the policy has no such thing.
  virtual double weight(uint32_t /*server*/) const { return -1; }
  virtual std::vector<std::string> sentences() const { return {}; }

 protected:
  uint32_t count() const { return static_cast<uint32_t>(present_.size()); }
  bool usable(uint32_t server, uint32_t avoid) const {
    return present_[server] != 0 && (server != avoid || members_ == 1);
  }
  uint32_t any(uint32_t avoid);
  // Drawn in proportion to the weights of servers that are usable.
  uint32_t weighted(const std::vector<double>& weights, uint32_t avoid);
  double& inflight(uint32_t client, uint32_t server) {
    return inflight_[client * present_.size() + server];
  }
  size_t at(uint32_t client, uint32_t server) const { return client * present_.size() + server; }

  Surroundings around_;
  Random random_;
  std::vector<uint8_t> present_;
  uint32_t members_ = 0;

 private:
  std::vector<double> inflight_;
};

struct BalancerKind {
  std::string_view name;
  std::string_view about;
  std::unique_ptr<Balancer> (*make)(Surroundings around, uint64_t seed);
};

// Weir first, then its peers.
const std::vector<BalancerKind>& balancers();

std::unique_ptr<Balancer> make_weir(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_random(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_round_robin(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_least_request(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_peak_ewma(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_prequal(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_envoy(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_grpc_wrr(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_finagle(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_dubbo(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_litellm(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_sigma3_minute(Surroundings, uint64_t);
std::unique_ptr<Balancer> make_pid(Surroundings, uint64_t);

}  // namespace weir::lab
