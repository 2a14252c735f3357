#include "lab/simulate.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "lab/server.h"

namespace weir::lab {
namespace {

constexpr double kCutBelow = 0.95;  // of the full weight

uint64_t hash(uint64_t a, uint64_t b, uint64_t c) {
  Random mixed(a * 0x9E3779B97F4A7C15ULL ^ b * 0xC2B2AE3D27D4EB4FULL ^ c * 0x165667B19E3779F9ULL);
  mixed.next();
  return mixed.next();
}

double percentile(std::vector<float>& values, double p) {
  if (values.empty()) return 0;
  const auto at = static_cast<ptrdiff_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)];
}

struct Call {  // of a user
  Request request;
  double arrived = 0;
  uint32_t client = 0;
  uint32_t attempt = 0;
  uint32_t server = kNoServer;
  double sent = 0;
  double work = 1;
  Server::Visit visit{};
  Ending ending = Ending::ok;
};

struct Event {
  double at;
  uint64_t order;
  uint32_t call;
  bool operator>(const Event& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

class Run {
 public:
  Run(const Scenario& scenario, const BalancerKind& kind, uint64_t seed, bool story)
      : scenario_(scenario), seed_(seed), story_(story), arrivals_(hash(seed, 1, 0)) {
    for (uint32_t s = 0; s < scenario.servers.size(); ++s) {
      std::vector<Fault> faults;
      for (const Fault& f : scenario.faults)
        if (s >= f.first && s < f.first + f.count) faults.push_back(f);
      servers_.emplace_back(scenario.servers[s], faults);
    }
    Surroundings around;
    around.clients = scenario.clients;
    around.servers = scenario.servers;
    around.timeout = scenario.timeout;
    around.probe = [this](uint32_t s) {
      if (servers_[s].refuses(0, now_)) return Probe{};
      return Probe{true, servers_[s].inflight(), servers_[s].usual_seconds()};
    };
    around.utilization = [this](uint32_t s) { return servers_[s].recent_utilization(); };
    around.preheat = [this](uint32_t s) { return servers_[s].preheat(); };
    balancer_ = kind.make(std::move(around), hash(seed, 2, 0));
    counts_.assign(servers_.size(), 0);
    history_.resize(servers_.size());
    utilization_.resize(servers_.size());
    was_cut_.assign(servers_.size(), 0);
    restarts_.assign(servers_.size(), 0);
    for (const Fault& f : scenario.faults)
      if (f.kind == Fault::Kind::restart)
        for (uint32_t i = 0; i < f.count; ++i) restarts_[f.first + i] = 1;
  }

  Outcome run() {
    double next_arrival = arrival(0);
    double next_second = 1;
    const double end = scenario_.seconds;
    for (;;) {
      const double next_event = events_.empty() ? 1e18 : events_.top().at;
      const double next = std::min({next_arrival, next_event, next_second});
      if (next >= end) break;
      now_ = next;
      if (next == next_second) {
        second(next_second);
        ++next_second;
      } else if (next == next_event) {
        const uint32_t call = events_.top().call;
        events_.pop();
        finish(call);
      } else {
        arrive();
        next_arrival = arrival(next_arrival);
      }
    }
    summarize();
    return std::move(out_);
  }

 private:
  double arrival(double now) {
    if (!scenario_.trace.empty()) {
      if (next_row_ >= scenario_.trace.size()) return 1e18;
      request_ = scenario_.trace[next_row_++];
      return request_.at;
    }
    const bool crowd =
        scenario_.crowd_rate > 0 && now >= scenario_.crowd_from && now < scenario_.crowd_to;
    const double rate = crowd ? scenario_.crowd_rate : scenario_.rate;
    return now - std::log(1 - arrivals_.uniform()) / rate;
  }

  void arrive() {
    uint32_t id = 0;
    if (free_.empty()) {
      id = static_cast<uint32_t>(calls_.size());
      calls_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Call& call = calls_[id];
    call = {};
    call.request = request_;
    call.arrived = now_;
    call.client = arrivals_.below(scenario_.clients);
    call.work = request_.prompt == 0 ? 1 : 0.01 * request_.prompt + request_.answer;
    call.request.at = static_cast<double>(out_.requests++);
    send(id);
  }

  static double tokens(const Call& call) { return call.request.prompt + call.request.answer; }

  void send(uint32_t id) {
    Call& call = calls_[id];
    const uint32_t server = balancer_->pick(call.client, now_, call.server, tokens(call));
    ++out_.attempts;
    if (server == kNoServer) {
      call.ending = Ending::error;
      close(id);
      return;
    }
    Random luck(hash(seed_, static_cast<uint64_t>(call.request.at) + 3, call.attempt));
    const double first = luck.uniform();
    const double second = luck.uniform();
    call.server = server;
    call.sent = now_;
    ++counts_[server];
    balancer_->sent(call.client, server, call.work, tokens(call));
    call.visit =
        servers_[server].visit(call.client, call.request, now_, {first, second, luck.uniform()});
    const double deadline = now_ + scenario_.timeout;
    call.ending = call.visit.ending;
    double ends = call.visit.ends;
    if (ends > deadline) {
      ends = deadline;
      call.ending = Ending::timeout;
    }
    events_.push({ends, order_++, id});
  }

  void finish(uint32_t id) {
    Call& call = calls_[id];
    Server& server = servers_[call.server];
    const bool grey = std::any_of(scenario_.faults.begin(), scenario_.faults.end(),
                                  [](const Fault& f) { return f.only_client >= 0; });
    server.left(now_ - call.sent, grey || call.ending == Ending::ok);
    Reply reply{.client = call.client,
                .server = call.server,
                .sent = call.sent,
                .ended = now_,
                .ending = call.ending,
                .work = call.work,
                .utilization = server.recent_utilization(),
                .queries = server.queries(),
                .failures = server.failures(),
                .budget = server.budget(),
                .budget_reset = server.budget_reset(),
                .budget_limit = server.budget_limit(),
                .tokens = tokens(call)};
    if (call.visit.first_token > 0 && call.ending == Ending::ok) {
      reply.first_token = call.visit.first_token - call.sent;
      reply.token_gap = call.visit.token_gap;
    }
    balancer_->finished(reply);
    if (call.ending == Ending::throttled) ++out_.refusals_429;
    if (call.ending != Ending::ok && call.attempt < scenario_.retries &&
        balancer_->may_retry(call.client)) {
      ++call.attempt;
      send(id);
      return;
    }
    close(id);
  }

  void close(uint32_t id) {
    const Call& call = calls_[id];
    double done = call.visit.first_token > 0 ? call.visit.first_token : now_;
    if (call.ending != Ending::ok) {
      ++out_.failed;
      done = std::max(now_, call.arrived + scenario_.timeout);
    }
    latencies_.push_back(static_cast<float>((done - call.arrived) * 1000));
    free_.push_back(id);
  }

  void second(double now) {
    const auto last = static_cast<uint64_t>(now) - 1;
    for (const Fault& f : scenario_.faults) {
      if (f.kind != Fault::Kind::restart) continue;
      for (uint32_t s = f.first; s < f.first + f.count; ++s) {
        if (now == std::ceil(f.from)) balancer_->member(s, false, now);
        if (now == std::ceil(f.from + f.size)) {
          servers_[s].restart();
          balancer_->member(s, true, now);
        }
      }
    }
    double total = 0;
    for (const double c : counts_) total += c;
    for (uint32_t s = 0; s < servers_.size(); ++s) {
      servers_[s].tick(last);
      history_[s].push_back(static_cast<float>(total == 0 ? 0 : counts_[s] / total));
      utilization_[s].push_back(static_cast<float>(servers_[s].utilization(last)));
      counts_[s] = 0;
    }
    balancer_->second(now);
    for (uint32_t s = 0; s < servers_.size(); ++s) {
      const double weight = balancer_->weight(s);
      if (weight < 0 || weight >= kCutBelow || restarts_[s]) continue;
      const bool sick = s < scenario_.sick && now > scenario_.fault_at;
      if (sick && now <= scenario_.fault_over) {
        if (out_.first_cut < 0) out_.first_cut = now - scenario_.fault_at;
        was_cut_[s] = 1;
      } else if (!sick) {
        was_cut_[s] = 1;
      }
    }
  }

  // Mean share of the sick over the three seconds that end at `second`.
  double sick_share(size_t second) const {
    double sum = 0;
    for (uint32_t s = 0; s < scenario_.sick; ++s)
      for (size_t t = second - 2; t <= second; ++t) sum += history_[s][t] / 3;
    return sum;
  }

  void summarize() {
    const size_t seconds = history_.empty() ? 0 : history_[0].size();
    const auto fault = static_cast<size_t>(scenario_.fault_at);
    const auto over = static_cast<size_t>(scenario_.fault_over);
    uint32_t found = 0;
    for (uint32_t s = 0; s < servers_.size(); ++s) {
      if (s < scenario_.sick)
        found += was_cut_[s];
      else
        out_.false_cuts += was_cut_[s];
    }
    if (scenario_.sick > 0) {
      out_.found = static_cast<double>(found) / scenario_.sick;
      double usual = 0;
      for (uint32_t s = 0; s < scenario_.sick; ++s)
        for (size_t t = 10; t < fault; ++t)
          usual += history_[s][t] / static_cast<double>(fault - 10);
      for (size_t t = fault + 3; t < std::min(over, seconds) && out_.moved < 0; ++t)
        if (sick_share(t) <= 0.1 * usual) out_.moved = static_cast<double>(t + 1 - fault);
      for (size_t t = over + 3; t < seconds && out_.returned < 0; ++t)
        if (sick_share(t) >= 0.8 * usual) out_.returned = static_cast<double>(t + 1 - over);
    }
    // The first ten seconds belong to the shift itself.
    for (uint32_t s = scenario_.sick; s < servers_.size(); ++s) {
      for (size_t t = fault + 10; t + 5 <= std::min(over, seconds); ++t) {
        double mean = 0;
        for (size_t i = 0; i < 5; ++i) mean += utilization_[s][t + i] / 5;
        out_.survivors_peak = std::max(out_.survivors_peak, mean);
      }
    }
    out_.p50_ms = percentile(latencies_, 0.5);
    out_.p99_ms = percentile(latencies_, 0.99);
    if (!story_) return;
    out_.shares = history_;
    out_.sentences = balancer_->sentences();
  }

  const Scenario& scenario_;
  uint64_t seed_;
  bool story_;
  Random arrivals_;
  std::vector<Server> servers_;
  std::unique_ptr<Balancer> balancer_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Call> calls_;
  std::vector<uint32_t> free_;
  std::vector<double> counts_;
  std::vector<std::vector<float>> history_;
  std::vector<std::vector<float>> utilization_;
  std::vector<uint8_t> was_cut_;
  std::vector<uint8_t> restarts_;
  std::vector<float> latencies_;
  Request request_;
  size_t next_row_ = 0;
  uint64_t order_ = 0;
  double now_ = 0;
  Outcome out_;
};

}  // namespace

Outcome simulate(const Scenario& scenario, const BalancerKind& kind, uint64_t seed,
                 bool keep_story) {
  return Run(scenario, kind, seed, keep_story).run();
}

}  // namespace weir::lab
