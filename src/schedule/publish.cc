// From factors to published weights: the control law, quantization with hysteresis, the table and
// the record of each change; and what is said of endpoints on request.
#include <algorithm>
#include <array>
#include <cmath>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

// Sixteen levels from 1 down to 0.01, each 0.736 of the one above; 255 is nothing at all. A reader
// that must rebuild its picker on each change is spared changes that no request would notice.
constexpr int kLevels = 16;
constexpr uint8_t kNothing = 0xff;
constexpr float kHysteresis = 0.75F;  // of a step, before a weight moves
const float kStep = std::log(100.0F) / (kLevels - 1);

uint8_t quantize(float factor, uint8_t old) {
  if (factor <= 0) return kNothing;
  const float ideal = -std::log(factor) / kStep;
  if (old < kLevels && factor < 0.999F && std::abs(ideal - static_cast<float>(old)) < kHysteresis)
    return old;
  return static_cast<uint8_t>(std::clamp(std::lround(ideal), 0L, kLevels - 1L));
}

uint16_t weight_of(float base, uint8_t quantum) {
  static const auto levels = [] {
    std::array<float, kLevels> out{};
    for (int i = 0; i < kLevels; ++i)
      out[i] = kWeightUnit * std::exp(-kStep * static_cast<float>(i));
    return out;
  }();
  if (quantum == kNothing) return 0;
  return static_cast<uint16_t>(std::max(1L, std::lround(base * levels[quantum])));
}

float warm_factor(const Policy& policy, float warm, bool warmed) {
  if (warmed) return 1;
  const float part = std::max(warm, 1.0F) / static_cast<float>(policy.warm_seconds);
  return std::clamp(std::pow(part, 1 / policy.warm_curve), policy.warm_first, 1.0F);
}

bool dead(Cause cause) {
  return cause == Cause::gross || cause == Cause::vanished;
}

}  // namespace

float Scheduler::factor(const Service& service, const Group& group, uint32_t slot) const {
  const Columns& columns = store_.columns;
  const uint8_t flags = columns.flags[slot];
  if (flags & kPinned) return pins_.at(columns.id[slot]).factor;
  if (flags & kPreheating) return 0;
  const Course& course = columns.course[slot];
  const float health = service.panic && !dead(course.cause) ? 1 : course.health;
  const float zone = service.panic && !dead(group.course.cause) ? 1 : group.course.health;
  return health * zone * warm_factor(policy_, columns.warm[slot], flags & kWarmed) *
         columns.throttle[slot] * columns.balance[slot];
}

void Scheduler::publish(ServiceId id, GroupId group_id, uint32_t slot, Reason reason, Level level) {
  Service& service = store_.services[id];
  const Group& group = store_.groups[group_id];
  Columns& columns = store_.columns;
  const float f = factor(service, group, slot);
  const bool fresh = reason == Reason::added;
  const uint8_t old_quantum = columns.quantum[slot];
  const bool exact = reason == Reason::pinned || reason == Reason::pin_over;
  const uint8_t quantum = quantize(f, exact || fresh ? kNothing : old_quantum);
  const uint16_t old = columns.published[slot];
  // In a dry run the operator's words still count; what the evidence says is only told.
  const bool dry = service.options.dry_run && !(columns.flags[slot] & (kPinned | kPreheating));
  const uint16_t computed = weight_of(columns.base[slot], quantum);
  const uint16_t weight = dry ? weight_of(columns.base[slot], 0) : computed;
  if (quantum == old_quantum && weight == old && !fresh) return;
  columns.quantum[slot] = quantum;
  columns.published[slot] = weight;
  const EndpointId endpoint = columns.id[slot];
  if (weight != old || fresh) {
    service.table.put(endpoint, fresh ? std::nullopt : std::optional(old), weight);
    ++counters_.weights_changed;
  }
  const Course& course = columns.course[slot];
  const bool whole_group = level == Level::zone || level == Level::version || level == Level::group;
  const SpanState& span = columns.spans[course.cause == Cause::ttft  ? 1
                                        : course.cause == Cause::itl ? 2
                                                                     : 0][slot];
  const bool by_latency =
      course.cause == Cause::latency || course.cause == Cause::ttft || course.cause == Cause::itl;
  const bool told_only = dry && weight == old && !fresh;
  journal_.add(
      {.version = service.table.version(),
       .second = closed_,
       .service = id,
       .endpoint = endpoint,
       .old_weight = told_only ? weight_of(columns.base[slot], old_quantum) : old,
       .new_weight = told_only ? computed : weight,
       .reason = reason,
       .level = level,
       .cause = whole_group ? group.course.cause : course.cause,
       .gates = service.gates,
       .counterfactual = columns.window[slot].verdicts,
       .dry_run = told_only,
       .peers = static_cast<uint16_t>(std::min<uint32_t>(
           group.active >= 5 ? group.active - 1 : service.active - std::min(service.active, 1U),
           0xffff)),
       .reporters = columns.reporters[slot],
       .flags = columns.flags[slot],
       .requests = columns.recent[slot],
       .errors = columns.recent_bad[slot],
       .peer_rate = std::max(group.pool, whole_group ? service.rate_median : group.rate_median),
       .evidence = by_latency ? span.evidence : columns.evidence[slot],
       .threshold = by_latency ? span_threshold() : threshold_,
       .latency_ratio = std::exp(span.shift),
       .health = course.health,
       .warm = warm_factor(policy_, columns.warm[slot], columns.flags[slot] & kWarmed),
       .capacity = columns.throttle[slot] * columns.balance[slot],
       .zone = group.course.health,
       .probes = course.probes});
}

void Scheduler::publish_group(GroupId id, Reason reason, Level level) {
  const Group& group = store_.groups[id];
  for (uint32_t i = group.first; i < group.first + group.size; ++i)
    publish(group.service, id, i, reason, level);
}

// A group that is cut stands for its zone if every other group there is cut too and some zone is
// well; for its version likewise; else for itself.
Level Scheduler::level_of(const Service& service, GroupId id) const {
  const GroupOptions& own = store_.groups[id].options;
  bool zone_all = true;
  bool version_all = true;
  bool zone_other = false;
  bool version_other = false;
  for (const GroupId other : service.groups) {
    const Group& group = store_.groups[other];
    const bool cut = group.course.phase != Phase::steady;
    if (group.options.zone == own.zone)
      zone_all &= cut;
    else
      zone_other |= !cut;
    if (group.options.version == own.version)
      version_all &= cut;
    else
      version_other |= !cut;
  }
  if (zone_all && zone_other) return Level::zone;
  if (version_all && version_other) return Level::version;
  return Level::group;
}

Standing Scheduler::standing(EndpointId endpoint) const {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return {};
  const Columns& columns = store_.columns;
  const Group& group = store_.groups[store_.group_of(endpoint)];
  return {.weight = columns.published[slot],
          .full = weight_of(columns.base[slot], 0),
          .degraded =
              columns.course[slot].phase != Phase::steady || group.course.phase != Phase::steady,
          .warming = (columns.flags[slot] & kWarmed) == 0};
}

Result<Verdict> Scheduler::verdict(EndpointId endpoint) const {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  const Columns& columns = store_.columns;
  const Group& group = store_.groups[store_.group_of(endpoint)];
  const Course& course = columns.course[slot];
  const float needed = span_threshold();
  float evidence = std::max(columns.evidence[slot], columns.silence[slot]) / threshold_;
  for (const auto& span : columns.spans)
    evidence = std::max(evidence, span[slot].evidence / needed);
  const auto pin = pins_.find(endpoint);
  const bool chronic =
      columns.learned[slot] >= policy_.learn_seconds / 2 &&
      columns.spans[0][slot].baseline - group.level > std::log(policy_.latency_ratio);
  return Verdict{.endpoint = endpoint,
                 .phase = course.phase,
                 .cause = course.cause == Cause::none && chronic ? Cause::chronic : course.cause,
                 .health = course.health,
                 .evidence = evidence,
                 .latency_ratio = std::exp(columns.spans[0][slot].shift),
                 .weight = columns.published[slot],
                 .held_back = (columns.flags[slot] & kHeldBack) != 0,
                 .disputed = (columns.flags[slot] & kDisputed) != 0,
                 .grey = (columns.flags[slot] & kGrey) != 0,
                 .chronic = chronic,
                 .group_cut = group.course.phase != Phase::steady,
                 .counterfactual = columns.window[slot].verdicts,
                 .base = columns.base[slot],
                 .warm = warm_factor(policy_, columns.warm[slot], columns.flags[slot] & kWarmed),
                 .capacity = columns.throttle[slot] * columns.balance[slot],
                 .zone = group.course.health,
                 .hold_until = course.phase == Phase::steady ? 0 : course.hold_until,
                 .pinned = pin == pins_.end() ? std::nullopt : std::optional(pin->second.factor),
                 .pin_expiry = pin == pins_.end() ? 0 : pin->second.expiry};
}

std::vector<Verdict> Scheduler::verdicts(ServiceId service) const {
  std::vector<Verdict> out;
  for (const auto& [endpoint, weight] : snapshot(service)) {
    const Verdict v = *verdict(endpoint);
    if (v.phase != Phase::steady || v.evidence > 1 || v.held_back || v.disputed || v.chronic ||
        v.group_cut)
      out.push_back(v);
  }
  std::sort(out.begin(), out.end(),
            [](const Verdict& a, const Verdict& b) { return a.endpoint < b.endpoint; });
  return out;
}

}  // namespace weir::schedule
