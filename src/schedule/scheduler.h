// Scheduler: samples in, weights out. It sums what reporters send (ingest), and once for each
// second, when its owner says that the second is over, judges every endpoint against its peers and
// its own past and moves weights by the control law, within the safety gates:
//
//   published = base x health x warm-up x capacity x zone
//
// It has no clock, no randomness and no I/O: the same calls in the same order give the same tables
// and the same records. Samples of one open second may come in any order. One thread; its readers
// get copies or a Picker. Limits: schedule::Limits.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "schedule/detect.h"
#include "schedule/journal.h"
#include "schedule/policy.h"
#include "schedule/reporters.h"
#include "schedule/sample.h"
#include "schedule/store.h"

namespace weir::schedule {

struct Saved;

enum class Intake : uint8_t {
  accepted,
  unknown_endpoint,
  implausible,  // parts larger than the whole, values no clock can show
  late,         // its second is closed
  early,        // its second is too far ahead: a clock is wrong
  duplicate,    // the same reporter, endpoint, second and view again
  set_aside,    // from a reporter that accuses nearly everybody alone
  too_many,     // a limit of reporters or reports was reached
};
inline constexpr size_t kIntakes = 8;

struct Counters {
  std::array<uint64_t, kIntakes> intake{};
  uint64_t seconds = 0;  // evaluated
  uint64_t seconds_skipped = 0;
  uint64_t cuts = 0;  // endpoints that left steady health by evidence
  uint64_t group_cuts = 0;
  uint64_t recoveries = 0;   // back to full health
  uint64_t cuts_denied = 0;  // endpoint-seconds in which a gate held a cut back
  uint64_t reporters_set_aside = 0;
  uint64_t breaker_trips = 0;
  uint64_t panics = 0;
  uint64_t weights_changed = 0;
};

// What is said of one endpoint right now.
struct Verdict {
  EndpointId endpoint = 0;
  Phase phase = Phase::steady;
  Cause cause = Cause::none;
  float health = 1;
  float evidence = 0;  // over its threshold; above 1 a cut is wanted
  float latency_ratio = 1;
  uint16_t weight = 0;
  bool held_back = false;  // wanted, and a gate said no
  bool disputed = false;
  bool grey = false;
  bool chronic = false;  // slower than its group ever since it is known
  bool group_cut = false;
  uint8_t counterfactual = 0;
  // What its weight is made of, besides health.
  float base = 1;
  float warm = 1;
  float capacity = 1;
  float zone = 1;
  uint32_t hold_until = 0;      // of one that is not steady: nothing speaks for it before
  std::optional<float> pinned;  // by an operator, to this share of its base
  uint32_t pin_expiry = 0;
};

// What a reader of the table wants to know beside the weight.
struct Standing {
  uint16_t weight = 0;
  uint16_t full = 0;      // the weight at full health
  bool degraded = false;  // cut or coming back, itself or with its group
  bool warming = false;
};

class Scheduler {
 public:
  // `first_second` is the first that will be evaluated; `epoch` stands in front of table versions
  // and grows with each start of the owner.
  Scheduler(const Policy& policy, const Limits& limits, uint32_t first_second, uint64_t epoch = 1);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Result<ServiceId> add_service(const ServiceOptions& options = {});
  // From the next evaluation on.
  Result<void> set_options(ServiceId service, const ServiceOptions& options);
  Result<GroupId> add_group(ServiceId service, const GroupOptions& options = {});
  // Gives an empty group to new peers, with what it learned forgotten.
  Result<void> recycle_group(GroupId group, const GroupOptions& options);
  // A new version of the table because something else about the endpoint changed.
  void touch(EndpointId endpoint);
  Result<void> set_dry_run(ServiceId service, bool dry_run);
  Result<void> set_detector(ServiceId service, Detector detector);
  Result<EndpointId> add_endpoint(GroupId group, const EndpointOptions& options = {});
  Result<void> remove_endpoint(EndpointId endpoint);
  Result<void> set_base(EndpointId endpoint, float base);
  Result<void> preheated(EndpointId endpoint);
  Result<void> restarted(EndpointId endpoint);  // back to slow start, with its past forgotten

  // An operator's word: the endpoint gets this share of its base until the second `expiry`,
  // whatever the evidence says. 0 drains it.
  Result<void> pin(EndpointId endpoint, float factor, uint32_t expiry);
  Result<void> unpin(EndpointId endpoint);

  Intake ingest(const Sample& sample);
  // Closes and judges the next second.
  void evaluate();
  // After a pause: forgets open seconds before `second` without judging them.
  void skip_to(uint32_t second);
  uint32_t next_second() const { return closed_ + 1; }

  uint16_t weight(EndpointId endpoint) const;
  Standing standing(EndpointId endpoint) const;  // all zero where there is none
  std::vector<std::pair<EndpointId, uint16_t>> snapshot(ServiceId service) const;
  const Table& table(ServiceId service) const { return store_.services[service].table; }
  bool panic(ServiceId service) const { return store_.services[service].panic; }
  uint8_t gates(ServiceId service) const { return store_.services[service].gates; }
  Result<Verdict> verdict(EndpointId endpoint) const;
  // All that are not simply well, in order of id.
  std::vector<Verdict> verdicts(ServiceId service) const;

  const Journal& journal() const { return journal_; }
  const Counters& counters() const { return counters_; }
  float evidence_needed() const { return threshold_; }
  float coverage() const { return reporters_.coverage(); }
  // Reporters whose samples are set aside now.
  std::vector<uint32_t> reporters_aside() const { return reporters_.aside(closed_); }
  bool breaker_open() const { return breaker_until_ > closed_; }
  uint32_t endpoints() const { return store_.endpoints(); }

 private:
  friend struct Saved;
  struct Wanted {
    uint32_t slot;
    GroupId group;
    Finding finding;
    Level level;
  };
  struct Peers {  // what the endpoints of a group are measured against
    ErrorTest errors;
    std::array<float, kSpans> shift{};
    uint16_t count = 0;
  };

  // evaluate.cc: one second of one service.
  void evaluate_service(ServiceId id);
  void gather(Group& group, const std::vector<Cell>& cells);
  void gather_service(Service& service, const std::vector<Cell>& cells);
  Peers peers_of(const Service& service, const Group& group) const;
  void judge_group(GroupId id, std::vector<Cell>& cells);
  bool judge_span(SpanState& span, float value, float count, uint16_t learned, bool calm,
                  float memory) const;
  void judge_probe(uint32_t slot, const Cell& cell, const Peers& peers);
  void judge_spans(uint32_t slot, const Cell& cell, uint32_t successes, uint32_t ln_sum,
                   const Peers& peers);
  void judge_whole_group(Service& service, GroupId id);
  // A CUSUM with drift d crosses S by chance as rarely as a likelihood ratio crosses 2dS.
  float span_threshold() const { return threshold_ / (2 * policy_.latency_drift); }
  // attend.cc: the endpoints about which something moves.
  void attend(GroupId id, uint32_t slot, const Cell& cell, const Peers& peers);
  Finding find(const Group& group, uint32_t slot, const Cell& cell, const Peers& peers) const;
  void recover(uint32_t slot, const Cell& cell, const Peers& peers);
  void warm_up(const Service& service, const Group& group, uint32_t slot, const Cell& cell,
               const Peers& peers);
  void fit_capacity(const Service& service, uint32_t slot, const Cell& cell);
  void weigh_accusation(uint32_t slot, const Cell& cell);
  // counterfactual.cc: the classic rules, once in ten seconds for a group.
  void classic_rules(Group& group);
  // safety.cc: which of the wanted cuts may be made.
  void apply_cuts(ServiceId id);
  void add_siblings(const Service& service);
  void cut_groups(Service& service, double& room, double whole);
  struct Shares {  // of the base weight of a service
    double whole = 0;
    double left = 0;    // what health leaves of it
    uint32_t full = 0;  // endpoints in full health
  };
  void spend_evidence(uint32_t slot);
  Shares shares_of(const Service& service) const;
  void follow_load(Service& service, const Shares& shares) const;
  void check_panic(ServiceId id);
  double room_for_cuts(const Service& service, const Shares& shares) const;
  // publish.cc
  float factor(const Service& service, const Group& group, uint32_t slot) const;
  void publish(ServiceId id, GroupId group, uint32_t slot, Reason reason, Level level);
  void publish_group(GroupId id, Reason reason, Level level);
  Level level_of(const Service& service, GroupId group) const;
  void expire_pins();
  bool accuses(const Sample& sample, uint32_t slot) const;

  Policy policy_;
  Store store_;
  Reporters reporters_;
  Journal journal_;
  Counters counters_;
  Limits limits_;
  uint64_t epoch_;
  std::array<ReportSet, kOpenSeconds> reports_;
  struct Pin {
    float factor;
    uint32_t expiry;
  };
  std::map<EndpointId, Pin> pins_;

  uint32_t closed_;      // the second evaluated last
  float threshold_ = 0;  // evidence asked for
  uint32_t breaker_until_ = 0;
  std::array<uint32_t, 60> cuts_by_second_{};
  uint32_t cuts_in_minute_ = 0;

  // Scratch of an evaluation, kept for its memory.
  std::vector<float> rates_;
  std::array<std::vector<float>, kSpans> shifts_;
  std::vector<float> scratch_;
  std::vector<Wanted> wanted_;
  std::vector<std::pair<GroupId, Finding>> wanted_groups_;
};

}  // namespace weir::schedule
