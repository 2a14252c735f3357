// TrafficControl: the control plane's half of traffic scheduling. Once a second it takes the
// samples of all workers, has the scheduler judge them (schedule/scheduler.h) and gives the table
// of weights that the workers choose by until the next. A model is a service and its deployments
// the endpoints; a deployment that serves two models is judged in both by the samples of both. The
// workers' samples are summed first: they are one process and one reporter, which tells of every
// deployment each second, if only that there was nothing. It is not heard, and nobody cut, while
// too few of its workers answer.
//
// What changes is told as sentences. Operators pin and drain here, always until a moment. Control
// plane's thread only; limits: schedule::Limits, kHistory.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/traffic.h"
#include "schedule/scheduler.h"

namespace weir::gateway {

// The scheduler's thresholds for tens of deployments of which nobody knows the utilization.
schedule::Policy traffic_policy();

class TrafficControl {
 public:
  static constexpr size_t kHistory = 2'000;  // changes told
  static constexpr int64_t kPinSecondsMax = 7 * 86'400;

  // One change of a weight.
  struct Change {
    uint64_t number = 0;  // 1 is the first since the start
    int64_t wall_ms = 0;
    std::string model;
    std::string deployment;
    uint16_t from = 0;
    uint16_t to = 0;
    bool told_only = false;  // in a dry run
    std::string_view reason;
    std::string_view cause;
    std::string sentence;
  };

  // One deployment of a model, as the scheduler sees it.
  struct Seen {
    schedule::Verdict verdict;
    std::optional<uint16_t> budget;  // left of its rate limits, 1/10,000, as last told
    int64_t pinned_until_ms = 0;     // 0: not pinned
  };

  TrafficControl(Nanoseconds now, int64_t wall_ms, uint64_t epoch);

  // Deployments come and go; those that stay keep their past.
  void configure(const Snapshot& snapshot);

  // Adds what one worker saw since it was asked last. A worker that answered within ten seconds is
  // expected to answer each second.
  void add(const std::vector<schedule::Sample>& samples, size_t worker = 0);
  // Judges the seconds that are over. True where a weight changed.
  bool evaluate(Nanoseconds now);

  // The weights by now. Immutable.
  std::shared_ptr<const WeightTable> table();

  // An operator's word, from now on for `seconds`: that share of its base weight, 0 drains. A
  // drained one is asked nothing, even where all others are down, but for what it alone has.
  // Errors: not_found; invalid_argument for a share outside 0 to 1 or a time outside 1 s to seven
  // days; already_exists where it would be the last of its model to be drained, unless forced.
  Result<void> pin(std::string_view model, std::string_view deployment, double share,
                   int64_t seconds, bool force = false);
  Result<void> unpin(std::string_view model, std::string_view deployment);
  // Whether weights are only told; until the next reload.
  Result<void> dry_run(std::string_view model, bool on);

  // What was last heard of a deployment, by DeploymentState::index.
  struct Heard {
    Nanoseconds traffic{-3'600'000'000'000};  // a client's request ended there
    bool avoided = false;                     // a worker steps around it
    uint32_t probes_answered = 0;
    uint32_t probes_failed = 0;
  };
  Heard heard(uint32_t index) const { return index < heard_.size() ? heard_[index] : Heard{}; }

  bool is_dry_run(uint32_t model_slot) const;
  std::optional<Seen> seen(uint32_t deployment_slot) const;
  // Changes with a number above `after`, oldest first.
  std::vector<Change> history(uint64_t after) const;
  // Changes since the last call, for the log.
  std::vector<Change> fresh();
  const schedule::Scheduler& scheduler() const { return scheduler_; }

 private:
  struct Endpoint {
    schedule::EndpointId id = schedule::kNone;
    std::string model;
    std::string deployment;
    uint32_t index = 0;  // DeploymentState::index
    float base = 0;
    uint64_t generation = 0;
  };
  struct Service {
    schedule::ServiceId id = schedule::kNone;
    schedule::GroupId group = 0;
    std::string model;
    schedule::ServiceOptions options;
  };
  const Endpoint* find(std::string_view model, std::string_view deployment) const;
  // Whether all others of its model have no weight.
  bool is_last(const Endpoint& endpoint) const;
  void note_changes();
  int64_t wall_of(uint32_t second) const { return wall_offset_ms_ + int64_t{second} * 1000; }

  schedule::Scheduler scheduler_;
  int64_t wall_offset_ms_;                  // wall time of the scheduler's second 0
  std::map<uint32_t, Service> services_;    // by Model::slot
  std::map<uint32_t, Endpoint> endpoints_;  // by Deployment::slot
  std::map<schedule::EndpointId, std::pair<std::string, std::string>> names_;  // also of the gone
  // Whether enough of the workers have answered since the last time.
  bool are_heard(Nanoseconds now);

  std::vector<schedule::Sample> pending_;  // by DeploymentState::index
  std::vector<Heard> heard_;               // likewise
  struct WorkerHeard {
    Nanoseconds at{0};
    bool answered = false;  // since the last evaluation
    bool known = false;
  };
  std::vector<WorkerHeard> workers_;
  std::vector<uint16_t> budgets_;  // likewise, as last told
  std::deque<Change> history_;
  uint64_t told_ = 0;     // changes
  uint64_t logged_ = 0;   // of them
  uint64_t records_ = 0;  // of the journal that were told
  uint64_t version_ = 0;
  bool changed_ = true;
  std::shared_ptr<const WeightTable> table_;
};

}  // namespace weir::gateway
