// Policies with a central table of weights: Weir's scheduler as it ships, the predecessor that
// looked for three sigma each minute, and a controller on utilization.
#include <algorithm>
#include <cmath>

#include "lab/balancer.h"
#include "schedule/local_view.h"
#include "schedule/scheduler.h"

namespace weir::lab {
namespace {

constexpr uint32_t kStart = 1'000'000;  // second of the scheduler's clock at time 0
constexpr uint32_t kWatermark = 2;
constexpr double kPush = 0.2;  // seconds until the clients have a new table

class Weir final : public Balancer {
 public:
  Weir(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed),
        scheduler_(schedule::Policy{}, schedule::Limits{}, kStart),
        open_(size_t{count()} * around_.clients) {
    const auto service = *scheduler_.add_service();
    std::vector<std::pair<uint32_t, schedule::GroupId>> groups;
    for (uint32_t s = 0; s < count(); ++s) {
      const ServerShape& shape = around_.servers[s];
      const uint32_t key = static_cast<uint32_t>(shape.zone) << 16 | shape.version;
      auto group = std::find_if(groups.begin(), groups.end(),
                                [key](const auto& g) { return g.first == key; });
      if (group == groups.end()) {
        groups.emplace_back(
            key, *scheduler_.add_group(service, {.version = shape.version, .zone = shape.zone}));
        group = groups.end() - 1;
      }
      (void)*scheduler_.add_endpoint(group->second);  // ids are the servers' numbers
    }
    weights_.assign(count(), 1000);
    views_.assign(around_.clients, schedule::LocalView(count()));
    for (auto& view : views_) view.use(weights_);
  }

  uint32_t pick(uint32_t client, double now, uint32_t avoid, double tokens) override {
    if (members_ == 0) return kNoServer;
    if (pending_at_ >= 0 && now >= pending_at_) {
      for (auto& view : views_) view.use(pending_);
      pending_at_ = -1;
    }
    const uint32_t server = views_[client].pick(random_.next(), now, tokens, avoid);
    return server != kNoServer && present_[server] ? server : any(avoid);
  }
  bool may_retry(uint32_t client) override { return views_[client].may_retry(); }

  void sent(uint32_t client, uint32_t server, double work, double tokens) override {
    Balancer::sent(client, server, work, tokens);
    views_[client].sent(server, work, tokens);
  }

  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    const auto ended = reply.good()                        ? schedule::Ended::good
                       : reply.ending == Ending::throttled ? schedule::Ended::throttled
                       : reply.ending == Ending::refused   ? schedule::Ended::unreachable
                                                           : schedule::Ended::failed;
    schedule::LocalView& view = views_[reply.client];
    view.finished(reply.server, reply.ended, reply.seconds(), reply.work, ended, reply.tokens);
    if (reply.budget >= 0)
      view.budget(reply.server, reply.ended, reply.budget * reply.budget_limit, reply.budget_limit,
                  reply.budget_reset);
    schedule::Sample& s = open_[at(reply.client, reply.server)];
    const double us = reply.seconds() * 1e6;
    if (reply.ending == Ending::throttled) {
      ++s.throttled;
    } else {
      schedule::add_request(s, us, reply.ending != Ending::ok);
      if (reply.ending == Ending::refused) ++s.unreachable;
      if (reply.good() && reply.first_token > 0) {
        ++s.streams;
        s.ln_ttft += schedule::ln_units(reply.first_token * 1e6);
        s.ln_itl += schedule::ln_units(reply.token_gap * 1e6);
      }
    }
    if (reply.budget >= 0) {
      s.budget = std::min(s.budget, static_cast<uint16_t>(reply.budget * schedule::kBudgetFull));
      s.budget_reset_ms =
          std::max(s.budget_reset_ms, static_cast<uint32_t>(reply.budget_reset * 1000));
    }
  }

  void second(double now) override {
    const auto closed = static_cast<uint32_t>(now) - 1 + kStart;
    std::erase_if(preheating_, [&](const auto& p) {
      if (p.first > now) return false;
      (void)scheduler_.unpin(p.second);
      return true;
    });
    for (uint32_t c = 0; c < around_.clients; ++c) {
      for (uint32_t s = 0; s < count(); ++s) {
        schedule::Sample& sample = open_[at(c, s)];
        sample.endpoint = s;
        sample.second = closed;
        sample.reporter = c;
        sample.inflight = static_cast<uint16_t>(std::min(inflight(c, s), 60'000.0));
        scheduler_.ingest(sample);
        sample = {};
      }
    }
    for (uint32_t s = 0; s < count(); ++s) {  // the servers' own agents
      if (!present_[s]) continue;
      schedule::Sample own{.endpoint = s, .second = closed, .reporter = around_.clients + s};
      own.view = schedule::View::server;
      own.utilization = static_cast<uint8_t>(std::min(200.0, around_.utilization(s) * 100));
      scheduler_.ingest(own);
    }
    while (scheduler_.next_second() + kWatermark <= closed) scheduler_.evaluate();
    take_weights(now);
  }

  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    if (present) {
      // Pinned to nothing until its warm-up set has run.
      preheating_.emplace_back(now + around_.preheat(server), server);
      (void)scheduler_.restarted(server);
      for (auto& view : views_) view.restarted(server);
    } else {
      (void)scheduler_.pin(server, 0, static_cast<uint32_t>(now) + kStart + 3600);
    }
    take_weights(now);
  }

  double weight(uint32_t server) const override {
    const auto v = scheduler_.verdict(server);
    return v->group_cut ? std::min(v->health, 0.5F) : v->health;
  }

  std::vector<std::string> sentences() const override {
    std::vector<std::string> out;
    for (auto record : scheduler_.journal().since(count())) {
      record.second -= kStart;
      out.push_back(schedule::sentence(record, "server " + std::to_string(record.endpoint)));
    }
    return out;
  }

 private:
  void take_weights(double now) {
    std::vector<uint16_t> weights(count());
    for (uint32_t s = 0; s < count(); ++s) weights[s] = scheduler_.weight(s);
    if (weights == weights_) return;
    weights_ = weights;
    pending_ = std::move(weights);
    if (pending_at_ < 0) pending_at_ = now + kPush;
  }

  schedule::Scheduler scheduler_;
  std::vector<schedule::Sample> open_;  // of the second that runs, by client and server
  std::vector<uint16_t> weights_;
  std::vector<uint16_t> pending_;
  double pending_at_ = -1;
  std::vector<schedule::LocalView> views_;               // by client
  std::vector<std::pair<double, uint32_t>> preheating_;  // until when, which
};

// Weighted random over one table that all clients share.
class Central : public Balancer {
 public:
  Central(Surroundings around, uint64_t seed)
      : Balancer(std::move(around), seed), weights_(count(), 1), started_(count(), -1e9) {}
  uint32_t pick(uint32_t, double, uint32_t avoid, double) override {
    return weighted(weights_, avoid);
  }
  double weight(uint32_t server) const override { return weights_[server]; }
  void member(uint32_t server, bool present, double now) override {
    Balancer::member(server, present, now);
    if (present) started_[server] = now;
  }

 protected:
  std::vector<double> weights_;
  std::vector<double> started_;
};

class Sigma3Minute final : public Central {
 public:
  Sigma3Minute(Surroundings around, uint64_t seed)
      : Central(std::move(around), seed), minute_(count()), cut_(count(), 1) {}
  void finished(const Reply& reply) override {
    Balancer::finished(reply);
    Tally& tally = minute_[reply.server];
    ++tally.requests;
    if (reply.good())
      tally.seconds += reply.seconds();
    else
      ++tally.errors;
  }
  void second(double now) override {
    if (static_cast<uint64_t>(now) % 60 == 0) {
      judge([](const Tally& t) { return t.requests == 0 ? -1 : double(t.errors) / t.requests; },
            [](const Tally& t) {
              return t.requests == t.errors ? -1 : t.seconds / (t.requests - t.errors);
            });
      std::fill(minute_.begin(), minute_.end(), Tally{});
    }
    for (uint32_t s = 0; s < count(); ++s)
      weights_[s] = cut_[s] * std::clamp((now - started_[s]) / kPreheat, 0.05, 1.0);
  }

 private:
  static constexpr double kPreheat = 120;
  struct Tally {
    uint32_t requests = 0;
    uint32_t errors = 0;
    double seconds = 0;
  };
  template <class... F>
  void judge(F... measures) {
    std::vector<uint8_t> bad(count(), 0);
    const auto one = [&](auto measure) {
      double mean = 0;
      double squares = 0;
      double n = 0;
      for (const Tally& t : minute_) {
        const double v = measure(t);
        if (v < 0) continue;
        ++n;
        mean += v;
        squares += v * v;
      }
      if (n == 0) return;
      mean /= n;
      const double deviation = std::sqrt(std::max(0.0, squares / n - mean * mean));
      for (uint32_t s = 0; s < count(); ++s)
        if (deviation > 0 && measure(minute_[s]) > mean + 3 * deviation) bad[s] = 1;
    };
    (one(measures), ...);
    for (uint32_t s = 0; s < count(); ++s) cut_[s] = bad[s] ? 0.1 : std::min(1.0, cut_[s] * 2.5);
  }
  std::vector<Tally> minute_;
  std::vector<double> cut_;
};

class Pid final : public Central {
 public:
  Pid(Surroundings around, uint64_t seed)
      : Central(std::move(around), seed), sum_(count(), 0), last_(count(), 0) {}
  void second(double now) override {
    if (static_cast<uint64_t>(now) % 5 != 0) return;
    double mean = 0;
    for (uint32_t s = 0; s < count(); ++s)
      if (present_[s]) mean += around_.utilization(s) / members_;
    if (mean <= 0) return;
    double whole = 0;
    for (uint32_t s = 0; s < count(); ++s) {
      if (!present_[s]) continue;
      const double error = (mean - around_.utilization(s)) / mean;
      sum_[s] = std::clamp(sum_[s] + error, -5.0, 5.0);
      const double change = 0.2 * error + 0.02 * sum_[s] + 0.05 * (error - last_[s]);
      last_[s] = error;
      weights_[s] = std::clamp(weights_[s] * (1 + std::clamp(change, -0.3, 0.3)), 0.05, 5.0);
      whole += weights_[s];
    }
    for (uint32_t s = 0; s < count(); ++s) weights_[s] *= members_ / whole;
  }
  double weight(uint32_t) const override { return -1; }

 private:
  std::vector<double> sum_;
  std::vector<double> last_;
};

}  // namespace

std::unique_ptr<Balancer> make_weir(Surroundings a, uint64_t seed) {
  return std::make_unique<Weir>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_sigma3_minute(Surroundings a, uint64_t seed) {
  return std::make_unique<Sigma3Minute>(std::move(a), seed);
}
std::unique_ptr<Balancer> make_pid(Surroundings a, uint64_t seed) {
  return std::make_unique<Pid>(std::move(a), seed);
}

}  // namespace weir::lab
