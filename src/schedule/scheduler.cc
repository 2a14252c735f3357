#include "schedule/scheduler.h"

#include <algorithm>
#include <cmath>

namespace weir::schedule {

Scheduler::Scheduler(const Policy& policy, const Limits& limits, uint32_t first_second,
                     uint64_t epoch)
    : policy_(policy),
      store_(limits),
      reporters_(limits.reporters),
      journal_(limits.records),
      limits_(limits),
      epoch_(epoch),
      closed_(first_second - 1),
      threshold_(policy.evidence_min) {}

Result<ServiceId> Scheduler::add_service(const ServiceOptions& options) {
  return store_.add_service(options, epoch_);
}

Result<void> Scheduler::set_options(ServiceId id, const ServiceOptions& options) {
  if (id >= store_.services.size()) return fail(ErrorCode::not_found, "there is no such service");
  Service& service = store_.services[id];
  const bool dry_run = service.options.dry_run;
  service.options = options;
  if (options.dry_run == dry_run) return {};
  // What was told becomes true, or the other way round, at once.
  for (const GroupId group : service.groups) publish_group(group, Reason::base, Level::service);
  return {};
}

Result<GroupId> Scheduler::add_group(ServiceId service, const GroupOptions& options) {
  return store_.add_group(service, options);
}

Result<void> Scheduler::recycle_group(GroupId id, const GroupOptions& options) {
  if (id >= store_.groups.size()) return fail(ErrorCode::not_found, "there is no such group");
  Group& group = store_.groups[id];
  if (group.size > 0)
    return fail(ErrorCode::invalid_argument, "only an empty group can be given away");
  group = {.service = group.service,
           .first = group.first,
           .capacity = group.capacity,
           .options = options};
  return {};
}

void Scheduler::touch(EndpointId endpoint) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return;
  const uint16_t weight = store_.columns.published[slot];
  store_.services[store_.groups[store_.group_of(endpoint)].service].table.put(endpoint, weight,
                                                                              weight);
}

Result<void> Scheduler::set_dry_run(ServiceId id, bool dry_run) {
  if (id >= store_.services.size()) return fail(ErrorCode::not_found, "there is no such service");
  Service& service = store_.services[id];
  if (service.options.dry_run == dry_run) return {};
  service.options.dry_run = dry_run;
  for (const GroupId group : service.groups) publish_group(group, Reason::mode, Level::service);
  return {};
}

Result<void> Scheduler::set_detector(ServiceId id, Detector detector) {
  if (id >= store_.services.size()) return fail(ErrorCode::not_found, "there is no such service");
  store_.services[id].options.detector = detector;
  return {};
}

Result<EndpointId> Scheduler::add_endpoint(GroupId group, const EndpointOptions& options) {
  WEIR_TRY(const EndpointId id, store_.add_endpoint(group, options, closed_));
  const uint32_t slot = store_.slot(id);
  Columns& columns = store_.columns;
  columns.flags[slot] = kBusy;
  columns.quantum[slot] = 0xff;
  if (options.preheat) columns.flags[slot] |= kPreheating;
  if (!options.cold && !options.preheat) columns.flags[slot] |= kWarmed;
  publish(store_.groups[group].service, group, slot, Reason::added, Level::endpoint);
  return id;
}

Result<void> Scheduler::remove_endpoint(EndpointId endpoint) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  Group& group = store_.groups[store_.group_of(endpoint)];
  Table& table = store_.services[group.service].table;
  const uint16_t old = store_.columns.published[slot];
  table.put(endpoint, old, std::nullopt);
  journal_.add({.version = table.version(),
                .second = closed_,
                .service = group.service,
                .endpoint = endpoint,
                .old_weight = old,
                .reason = Reason::removed});
  ++counters_.weights_changed;
  pins_.erase(endpoint);
  store_.remove_endpoint(endpoint, closed_);
  return {};
}

Result<void> Scheduler::set_base(EndpointId endpoint, float base) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  if (!(base > 0 && base <= kBaseMost))
    return fail(ErrorCode::invalid_argument, "a base weight is above 0 and at most 64");
  store_.columns.base[slot] = base;
  const GroupId group = store_.group_of(endpoint);
  publish(store_.groups[group].service, group, slot, Reason::base, Level::endpoint);
  return {};
}

Result<void> Scheduler::preheated(EndpointId endpoint) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  uint8_t& flags = store_.columns.flags[slot];
  if (!(flags & kPreheating)) return {};
  flags = static_cast<uint8_t>((flags & ~kPreheating) | kBusy);
  const GroupId group = store_.group_of(endpoint);
  publish(store_.groups[group].service, group, slot, Reason::preheated, Level::endpoint);
  return {};
}

Result<void> Scheduler::restarted(EndpointId endpoint) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  Columns& columns = store_.columns;
  columns.flags[slot] = static_cast<uint8_t>((columns.flags[slot] & ~kWarmed) | kBusy);
  columns.warm[slot] = 0;
  columns.learned[slot] = 0;
  columns.evidence[slot] = 0;
  columns.silence[slot] = 0;
  columns.recent[slot] = columns.recent_bad[slot] = 0;
  for (auto& span : columns.spans) span[slot] = {};
  // What failed was the process before; its slow start brings the evidence for the new one.
  columns.course[slot] = {.since = closed_};
  const GroupId group = store_.group_of(endpoint);
  publish(store_.groups[group].service, group, slot, Reason::warming, Level::endpoint);
  return {};
}

Result<void> Scheduler::pin(EndpointId endpoint, float share, uint32_t expiry) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone) return fail(ErrorCode::not_found, "there is no such endpoint");
  if (!(share >= 0 && share <= 1))
    return fail(ErrorCode::invalid_argument, "a pin is a share of the base, 0 to 1");
  if (expiry <= closed_)
    return fail(ErrorCode::invalid_argument, "a pin must expire, and later than now");
  if (pins_.size() >= limits_.pins && !pins_.contains(endpoint))
    return fail(ErrorCode::limit_exceeded, "there are as many pins as are allowed");
  pins_[endpoint] = {share, expiry};
  store_.columns.flags[slot] |= kPinned | kBusy;
  const GroupId group = store_.group_of(endpoint);
  publish(store_.groups[group].service, group, slot, Reason::pinned, Level::endpoint);
  return {};
}

Result<void> Scheduler::unpin(EndpointId endpoint) {
  const uint32_t slot = store_.slot(endpoint);
  if (slot == kNone || pins_.erase(endpoint) == 0)
    return fail(ErrorCode::not_found, "there is no such pin");
  store_.columns.flags[slot] &= static_cast<uint8_t>(~kPinned);
  const GroupId group = store_.group_of(endpoint);
  publish(store_.groups[group].service, group, slot, Reason::pin_over, Level::endpoint);
  return {};
}

void Scheduler::expire_pins() {
  std::vector<EndpointId> over;
  for (const auto& [endpoint, pin] : pins_)
    if (pin.expiry <= closed_) over.push_back(endpoint);
  for (const EndpointId endpoint : over) (void)unpin(endpoint);
}

// Errors of a tenth and more; or three times the endpoint's usual latency, beyond what so few
// requests may show by chance.
bool Scheduler::accuses(const Sample& sample, uint32_t slot) const {
  if (sample.errors * 10ULL >= sample.requests && sample.errors > 0) return true;
  const uint32_t successes = sample.requests - sample.errors;
  if (successes == 0 || store_.columns.learned[slot] == 0) return false;
  const float mean = static_cast<float>(sample.ln_latency) /
                     (static_cast<float>(kLnUnit) * static_cast<float>(successes));
  const SpanState& span = store_.columns.spans[0][slot];
  const float chance = 3 * std::sqrt(span.variance / static_cast<float>(successes));
  return mean > span.baseline + 1.1F + chance;
}

Intake Scheduler::ingest(const Sample& sample) {
  const auto verdict = [&] {
    const uint32_t slot = store_.slot(sample.endpoint);
    if (slot == kNone) return Intake::unknown_endpoint;
    if (!plausible(sample)) return Intake::implausible;
    const uint32_t ahead = sample.second - closed_;  // 1 is the oldest open second
    if (ahead == 0 || ahead > 0x7fff'ffff) return Intake::late;
    if (ahead > kOpenSeconds) return Intake::early;
    if (!reporters_.know(sample.reporter)) return Intake::too_many;
    const uint32_t ring = sample.second % kOpenSeconds;
    Cell& cell = store_.cells[ring][slot];
    const uint32_t key = reporter_key(sample);
    if (cell.first == key) return Intake::duplicate;
    if (cell.first != kNobody) {
      switch (reports_[ring].insert(sample.endpoint, key, limits_.samples_per_second)) {
        case ReportSet::Insert::added:
          break;
        case ReportSet::Insert::present:
          return Intake::duplicate;
        case ReportSet::Insert::full:
          return Intake::too_many;
      }
    } else {
      cell.first = key;
    }
    if (reporters_.set_aside(sample.reporter, sample.second)) {
      reporters_.heard(sample.reporter, sample.second);
      return Intake::set_aside;
    }
    const bool bad = accuses(sample, slot);
    reporters_.saw(sample.reporter, sample.second, bad);
    if (bad)
      cell.accuser =
          cell.accuser == kNobody || cell.accuser == sample.reporter ? sample.reporter : kSeveral;
    cell.add(sample);
    return Intake::accepted;
  }();
  ++counters_.intake[static_cast<size_t>(verdict)];
  return verdict;
}

void Scheduler::skip_to(uint32_t second) {
  if (second <= closed_ + 1) return;
  counters_.seconds_skipped += second - 1 - closed_;
  closed_ = second - 1;
  for (auto& cells : store_.cells) std::fill(cells.begin(), cells.end(), Cell{});
  for (auto& reports : reports_) reports.clear();
  cuts_by_second_ = {};
  cuts_in_minute_ = 0;
}

uint16_t Scheduler::weight(EndpointId endpoint) const {
  const uint32_t slot = store_.slot(endpoint);
  return slot == kNone ? 0 : store_.columns.published[slot];
}

std::vector<std::pair<EndpointId, uint16_t>> Scheduler::snapshot(ServiceId service) const {
  std::vector<std::pair<EndpointId, uint16_t>> out;
  out.reserve(store_.services[service].endpoints);
  for (const GroupId id : store_.services[service].groups) {
    const Group& group = store_.groups[id];
    for (uint32_t i = group.first; i < group.first + group.size; ++i)
      out.emplace_back(store_.columns.id[i], store_.columns.published[i]);
  }
  return out;
}

}  // namespace weir::schedule
