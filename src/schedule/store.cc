#include "schedule/store.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::schedule {
namespace {

constexpr uint32_t kReuseAfter = 60;  // seconds; far more than a sample may be late
constexpr uint32_t kCompactAbove = 4'096;

}  // namespace

Store::Store(const Limits& limits) : limits_(limits) {}

void Store::reserve_places(uint32_t places) {
  columns.each([places](auto& column) { column.resize(places); });
  for (auto& second : cells) second.resize(places);
}

Result<ServiceId> Store::add_service(const ServiceOptions& options, uint64_t epoch) {
  if (services.size() >= limits_.services)
    return fail(ErrorCode::limit_exceeded,
                fmt::format("there are {} services, which is the limit", limits_.services));
  services.push_back(
      {.options = options, .groups = {}, .table = Table(epoch, limits_.changes_kept)});
  return static_cast<ServiceId>(services.size() - 1);
}

Result<GroupId> Store::add_group(ServiceId service, const GroupOptions& options) {
  if (service >= services.size()) return fail(ErrorCode::not_found, "there is no such service");
  if (groups.size() >= limits_.groups)
    return fail(ErrorCode::limit_exceeded,
                fmt::format("there are {} groups, which is the limit", limits_.groups));
  const auto id = static_cast<GroupId>(groups.size());
  Group group{.service = service, .first = used_, .options = options};
  group.capacity = std::clamp<uint32_t>(options.expected, 1, limits_.endpoints);
  used_ += group.capacity;
  reserve_places(used_);
  groups.push_back(group);
  services[service].groups.push_back(id);
  return id;
}

void Store::copy_slot(uint32_t from, uint32_t to) {
  columns.each([from, to](auto& column) { column[to] = column[from]; });
  for (auto& second : cells) second[to] = second[from];
  slots_[columns.id[to]] = to;
}

void Store::reset_slot(uint32_t slot) {
  columns.each([slot](auto& column) { column[slot] = {}; });
  for (auto& second : cells) second[slot] = {};
}

void Store::move_group(Group& group, uint32_t first, uint32_t capacity) {
  for (uint32_t i = 0; i < group.size; ++i) copy_slot(group.first + i, first + i);
  group.first = first;
  group.capacity = capacity;
}

void Store::compact() {
  std::vector<GroupId> order(groups.size());
  for (GroupId g = 0; g < order.size(); ++g) order[g] = g;
  std::sort(order.begin(), order.end(),
            [this](GroupId a, GroupId b) { return groups[a].first < groups[b].first; });
  uint32_t next = 0;
  for (const GroupId g : order) {
    Group& group = groups[g];
    if (group.first != next) move_group(group, next, group.capacity);
    next += group.capacity;
  }
  used_ = next;
  wasted_ = 0;
  reserve_places(used_);
}

Result<EndpointId> Store::add_endpoint(GroupId id, const EndpointOptions& options, uint32_t now) {
  if (id >= groups.size()) return fail(ErrorCode::not_found, "there is no such group");
  if (!(options.base > 0 && options.base <= kBaseMost))
    return fail(ErrorCode::invalid_argument,
                fmt::format("base weight {} is not in (0, {}]", options.base, kBaseMost));
  if (options.host != kNone && options.host >= limits_.hosts)
    return fail(ErrorCode::limit_exceeded,
                fmt::format("host {} is beyond the limit of {}", options.host, limits_.hosts));
  if (count_ >= limits_.endpoints)
    return fail(ErrorCode::limit_exceeded,
                fmt::format("there are {} endpoints, which is the limit", limits_.endpoints));
  Group& group = groups[id];
  if (group.size == group.capacity) {
    if (wasted_ > kCompactAbove && wasted_ > count_) compact();
    const uint32_t capacity = group.capacity * 2;
    const uint32_t first = used_;
    used_ += capacity;
    wasted_ += group.capacity;
    reserve_places(used_);
    move_group(group, first, capacity);
  }
  EndpointId endpoint = 0;
  if (!freed_.empty() && now - freed_.front().at >= kReuseAfter) {
    endpoint = freed_.front().id;
    freed_.pop_front();
  } else {
    endpoint = static_cast<EndpointId>(slots_.size());
    slots_.push_back(kNone);
    owners_.push_back(0);
  }
  const uint32_t slot = group.first + group.size++;
  reset_slot(slot);
  slots_[endpoint] = slot;
  owners_[endpoint] = id;
  columns.id[slot] = endpoint;
  columns.host[slot] = options.host;
  columns.base[slot] = options.base;
  columns.throttle[slot] = 1;
  columns.ceiling[slot] = 1;
  columns.balance[slot] = 1;
  columns.accuser[slot] = kNobody;
  columns.budget[slot] = kBudgetUnknown;
  columns.course[slot].since = now;
  if (options.host != kNone) {
    if (options.host >= hosts_.size()) hosts_.resize(options.host + 1);
    ++hosts_[options.host];
  }
  ++count_;
  ++services[group.service].endpoints;
  return endpoint;
}

bool Store::remove_endpoint(EndpointId endpoint, uint32_t now) {
  const uint32_t at = slot(endpoint);
  if (at == kNone) return false;
  Group& group = groups[owners_[endpoint]];
  if (const uint32_t host = columns.host[at]; host != kNone) --hosts_[host];
  const uint32_t last = group.first + group.size - 1;
  if (at != last) copy_slot(last, at);
  reset_slot(last);
  --group.size;
  --count_;
  --services[group.service].endpoints;
  slots_[endpoint] = kNone;
  freed_.push_back({endpoint, now});
  return true;
}

}  // namespace weir::schedule
