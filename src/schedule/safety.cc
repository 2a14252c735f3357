// Which of the cuts that the evidence asks for may be made. The order is fixed: coverage, incident
// of the whole service, breaker of the fleet, survivors' headroom, least number of endpoints; panic
// undoes cuts when too little is left. Pins stand outside of all this (publish.cc).
#include <algorithm>
#include <cmath>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

constexpr uint32_t kBreakerHolds = 60;
constexpr float kLoadMemory = 0.99F;  // a second
constexpr uint32_t kBlindAfter = 60;  // seconds of denied evidence until more may be cut blindly
constexpr float kPanicOver = 0.05F;   // above the threshold by this, so that it does not flap
constexpr uint32_t kHostLeast = 3;    // endpoints on a host that can speak for the host

bool dead(Cause cause) {
  return cause == Cause::gross || cause == Cause::vanished;
}

}  // namespace

Scheduler::Shares Scheduler::shares_of(const Service& service) const {
  Shares shares;
  const Columns& columns = store_.columns;
  for (const GroupId id : service.groups) {
    const Group& group = store_.groups[id];
    for (uint32_t i = group.first; i < group.first + group.size; ++i) {
      if (columns.flags[i] & kPreheating) continue;
      const float health = columns.course[i].health * group.course.health;
      shares.whole += columns.base[i];
      shares.left += static_cast<double>(columns.base[i] * health);
      if (health >= 1) ++shares.full;
    }
  }
  return shares;
}

// The load of a service is told by utilization, which follows a cut only seconds later. Its highest
// of late stands for it, so that one cut is not made twice because the first did not show yet.
void Scheduler::follow_load(Service& service, const Shares& shares) const {
  const double share = shares.whole > 0 ? shares.left / shares.whole : 1;
  const auto now = static_cast<float>(service.utilization * share);
  service.load = service.utilization == 0 ? 0 : std::max(now, service.load * kLoadMemory);
}

// Base weight that may still be taken from a service.
double Scheduler::room_for_cuts(const Service& service, const Shares& shares) const {
  if (service.load > 0) return shares.left - shares.whole * service.load / policy_.utilization_most;
  const bool later = service.denied_since != 0 && closed_ - service.denied_since >= kBlindAfter;
  const float share = later ? policy_.cut_blind_later : policy_.cut_blind;
  return shares.left - shares.whole * (1 - static_cast<double>(share));
}

// Where most endpoints of a host are bad, the host is: its other endpoints follow.
void Scheduler::add_siblings(const Service& service) {
  std::vector<uint32_t> hosts;
  for (const Wanted& w : wanted_)
    if (const uint32_t host = store_.columns.host[w.slot]; host != kNone) hosts.push_back(host);
  std::sort(hosts.begin(), hosts.end());
  std::vector<uint32_t> bad;
  for (size_t i = 0; i < hosts.size();) {
    size_t end = i;
    while (end < hosts.size() && hosts[end] == hosts[i]) ++end;
    const uint32_t size = store_.host_size(hosts[i]);
    if (size >= kHostLeast && (end - i) * 2 > size) bad.push_back(hosts[i]);
    i = end;
  }
  if (bad.empty()) return;
  const auto on_bad_host = [&](uint32_t slot) {
    return std::binary_search(bad.begin(), bad.end(), store_.columns.host[slot]);
  };
  std::vector<uint32_t> found;
  Finding worst;
  for (Wanted& w : wanted_) {
    if (!on_bad_host(w.slot)) continue;
    w.level = Level::host;
    found.push_back(w.slot);
    if (w.finding.severity > worst.severity) worst = w.finding;
  }
  worst.severity = std::min(worst.severity, 1.0F);
  std::sort(found.begin(), found.end());
  for (const GroupId id : service.groups) {
    const Group& group = store_.groups[id];
    for (uint32_t i = group.first; i < group.first + group.size; ++i) {
      if (!on_bad_host(i) || std::binary_search(found.begin(), found.end(), i)) continue;
      worst.rate = store_.columns.rate[i];
      wanted_.push_back({i, id, worst, Level::host});
    }
  }
}

void Scheduler::cut_groups(Service& service, double& room, double whole) {
  for (const auto& [id, finding] : wanted_groups_) {
    Group& group = store_.groups[id];
    double base = 0;
    for (uint32_t i = group.first; i < group.first + group.size; ++i)
      base += store_.columns.base[i] * store_.columns.course[i].health;
    // Dead weight protects nobody, so of a dead group nearly all may go even if nothing is known.
    if (finding.cause == Cause::gross && service.utilization == 0)
      room = std::max(room, whole * 0.5);
    const float before = group.course.health;
    const bool first = group.course.phase == Phase::steady;
    Course next = group.course;
    next.cut(finding, closed_, id * 7919, policy_);
    const double loss = base * static_cast<double>(before - next.health);
    if (loss > room) {
      service.gates |= kGateHeadroom;
      ++counters_.cuts_denied;
      if (room <= 0 || base <= 0) continue;
      next.health = std::max(next.health, before - static_cast<float>(room / base));
      room = 0;
    } else {
      room -= std::max(loss, 0.0);
    }
    group.course = next;
    if (first) {
      ++counters_.group_cuts;
      ++cuts_by_second_[closed_ % cuts_by_second_.size()];
      ++cuts_in_minute_;
    }
    if (group.course.health != before)
      publish_group(id, first ? Reason::cut : Reason::deeper, level_of(service, id));
    if (group.course.health <= group.course.floor) group.evidence = group.span.evidence = 0;
  }
}

// What has brought something down to its floor has had its effect. What holds it there is what it
// does there: old evidence would fade only as fast as the floor brings requests.
void Scheduler::spend_evidence(uint32_t slot) {
  Columns& columns = store_.columns;
  columns.evidence[slot] = columns.silence[slot] = 0;
  columns.recent[slot] = columns.recent_bad[slot] = 0;
  for (auto& span : columns.spans) span[slot].evidence = 0;
}

void Scheduler::apply_cuts(ServiceId id) {
  Service& service = store_.services[id];
  service.gates = service.panic ? kGatePanic : uint8_t{0};
  const bool quiet = wanted_.empty() && wanted_groups_.empty();
  Shares shares{.whole = 1, .left = 1};
  if (!quiet || service.unsteady > 0 || service.panic) shares = shares_of(service);
  follow_load(service, shares);
  if (quiet) {
    service.denied_since = 0;
    if (service.unsteady > 0 || service.panic) check_panic(id);
    return;
  }
  const bool deaf = reporters_.coverage() < policy_.coverage ||
                    static_cast<float>(service.expected_heard) <
                        policy_.coverage * static_cast<float>(service.expected);
  if (deaf) service.gates |= kGateCoverage;
  if (service.incident) service.gates |= kGateIncident;
  if (breaker_open()) service.gates |= kGateBreaker;
  const auto held_back = [this](const Wanted& w) {
    store_.columns.flags[w.slot] |= kHeldBack | kBusy;
    ++counters_.cuts_denied;
  };
  if (service.gates & (kGateCoverage | kGateIncident | kGateBreaker)) {
    for (const Wanted& w : wanted_) held_back(w);
    counters_.cuts_denied += wanted_groups_.size();
    check_panic(id);
    return;
  }
  add_siblings(service);
  const Columns& columns = store_.columns;
  double room = room_for_cuts(service, shares);
  std::sort(wanted_groups_.begin(), wanted_groups_.end(), [](const auto& a, const auto& b) {
    return a.second.severity != b.second.severity ? a.second.severity > b.second.severity
                                                  : a.first < b.first;
  });
  cut_groups(service, room, shares.whole);
  std::sort(wanted_.begin(), wanted_.end(), [](const Wanted& a, const Wanted& b) {
    const bool a_dead = dead(a.finding.cause);
    const bool b_dead = dead(b.finding.cause);
    if (a_dead != b_dead) return a_dead;
    if (a.finding.severity != b.finding.severity) return a.finding.severity > b.finding.severity;
    return a.slot < b.slot;
  });
  const uint32_t least = service.endpoints <= 3 ? 1 : 2;
  bool denied = false;
  bool trip = false;
  const auto most = static_cast<uint32_t>(
      std::max(static_cast<float>(policy_.breaker_least),
               policy_.breaker_share * static_cast<float>(store_.endpoints())));
  for (const Wanted& w : wanted_) {
    Course& course = store_.columns.course[w.slot];
    Group& group = store_.groups[w.group];
    const bool was_full = course.health >= 1 && group.course.health >= 1;
    const bool first = course.phase == Phase::steady;
    Course next = course;
    next.cut(w.finding, closed_, columns.id[w.slot] * 2'654'435'761U, policy_);
    const double loss = columns.base[w.slot] * group.course.health *
                        static_cast<double>(course.health - next.health);
    const bool too_few = was_full && shares.full <= least;
    const bool too_many = first && cuts_in_minute_ >= most;
    if (loss > room || too_few || too_many) {
      service.gates |= too_many ? kGateBreaker : too_few ? kGateMinimum : kGateHeadroom;
      trip |= too_many;
      denied = true;
      held_back(w);
      continue;
    }
    room -= std::max(loss, 0.0);
    if (was_full) --shares.full;
    const bool moved = next.health != course.health;
    course = next;
    store_.columns.flags[w.slot] |= kBusy;
    if (first) {
      ++counters_.cuts;
      ++cuts_by_second_[closed_ % cuts_by_second_.size()];
      ++cuts_in_minute_;
    }
    if (moved) publish(id, w.group, w.slot, first ? Reason::cut : Reason::deeper, w.level);
    if (course.health <= course.floor) spend_evidence(w.slot);
  }
  if (!denied)
    service.denied_since = 0;
  else if (service.denied_since == 0)
    service.denied_since = closed_;
  if (trip) {
    breaker_until_ = closed_ + kBreakerHolds;
    ++counters_.breaker_trips;
  }
  check_panic(id);
}

void Scheduler::check_panic(ServiceId id) {
  Service& service = store_.services[id];
  const Shares shares = shares_of(service);
  const double threshold = shares.whole * (policy_.panic + (service.panic ? kPanicOver : 0));
  const bool panic = shares.left < threshold;
  if (panic == service.panic) return;
  service.panic = panic;
  if (panic) {
    service.gates |= kGatePanic;
    ++counters_.panics;
  }
  for (const GroupId group : service.groups)
    publish_group(group, panic ? Reason::panic : Reason::panic_over, Level::service);
}

}  // namespace weir::schedule
