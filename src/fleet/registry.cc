#include "fleet/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace weir::fleet {
namespace {

constexpr uint32_t kWeightMost = 6'400;
constexpr size_t kStartBytesMost = 64;
constexpr uint32_t kSweepEvery = 60;  // seconds
const Member kNobody{};

uint16_t code_of(std::map<std::string, uint16_t>& codes, const std::string& name) {
  // Codes tell names of one service apart; beyond 65,535 of them they are given out again.
  return codes.emplace(name, static_cast<uint16_t>(codes.size())).first->second;
}

}  // namespace

uint64_t name_hash(std::string_view name) {
  uint64_t x = 0xCBF29CE484222325ULL;  // FNV-1a, then mixed
  for (const char c : name) x = (x ^ static_cast<uint8_t>(c)) * 0x100000001B3ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

std::optional<schedule::Detector> parse_detector(std::string_view name) {
  using schedule::Detector;
  for (const Detector d : {Detector::sequential, Detector::sigma3, Detector::envoy_success_rate,
                           Detector::consecutive_errors})
    if (schedule::to_string(d) == name) return d;
  return std::nullopt;
}

Result<void> Registry::check_name(std::string_view name, std::string_view what) const {
  const bool printable = std::none_of(
      name.begin(), name.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > limits_.name_bytes || !printable || !is_utf8(name)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected 1 to {} bytes of text without control characters", what,
                            limits_.name_bytes));
  }
  return {};
}

Result<void> Registry::check(const EndpointSpec& spec) const {
  const EndpointInfo& info = spec.info;
  WEIR_CHECK_OK(check_name(info.name, "name"));
  WEIR_CHECK_OK(check_name(info.address, "address"));
  for (const auto& [text, what] : {std::pair{&info.version, "version"},
                                   {&info.zone, "zone"},
                                   {&info.hardware, "hardware"},
                                   {&info.host, "host"}})
    if (!text->empty()) WEIR_CHECK_OK(check_name(*text, what));
  if (!spec.start.empty()) WEIR_CHECK_OK(check_name(spec.start, "start"));
  if (spec.start.size() > kStartBytesMost)
    return fail(ErrorCode::invalid_argument,
                fmt::format("start: expected at most {} bytes", kStartBytesMost));
  if (info.port == 0)
    return fail(ErrorCode::invalid_argument, "port: expected a number from 1 to 65535");
  if (spec.weight < 1 || spec.weight > kWeightMost)
    return fail(ErrorCode::invalid_argument,
                fmt::format("weight: expected a percentage from 1 to {}, got {}", kWeightMost,
                            spec.weight));
  return {};
}

std::optional<uint32_t> Registry::find_service(std::string_view name) const {
  const auto at = service_numbers_.find(name);
  if (at == service_numbers_.end() || !services_[at->second].present) return std::nullopt;
  return at->second;
}

std::optional<uint32_t> Registry::find(uint32_t service, std::string_view endpoint) const {
  const auto& names = services_[service].by_name;
  const auto at = names.find(endpoint);
  if (at == names.end()) return std::nullopt;
  return at->second;
}

const Member& Registry::member(uint32_t number) const {
  return number < members_.size() ? members_[number] : kNobody;
}

EndpointSpec Registry::spec_of(uint32_t number) const {
  const Member& m = members_[number];
  return {.info = *m.info, .weight = m.weight, .start = m.start, .declared = m.declared};
}

Result<Put> Registry::put_service(const ServiceSpec& spec, bool declared) {
  WEIR_CHECK_OK(check_name(spec.name, "service"));
  const auto at = service_numbers_.find(spec.name);
  if (at == service_numbers_.end()) {
    WEIR_TRY(const schedule::ServiceId id,
             scheduler_.add_service({.detector = spec.detector, .dry_run = spec.dry_run}));
    services_.resize(std::max<size_t>(services_.size(), id + 1));
    services_[id].spec = spec;
    services_[id].present = true;
    services_[id].declared = declared;
    service_numbers_.emplace(spec.name, id);
    return Put::added;
  }
  ServiceEntry& entry = services_[at->second];
  entry.declared = declared;
  if (entry.present && entry.spec == spec) return Put::unchanged;
  WEIR_CHECK_OK(scheduler_.set_detector(at->second, spec.detector));
  WEIR_CHECK_OK(scheduler_.set_dry_run(at->second, spec.dry_run));
  ++entry.members_version;
  entry.spec = spec;
  return std::exchange(entry.present, true) ? Put::changed : Put::added;
}

Result<void> Registry::remove_service(uint32_t service) {
  ServiceEntry& entry = services_[service];
  // In an order that any Weir with these endpoints would take.
  std::vector<uint32_t> numbers;
  for (const auto& [name, number] : entry.by_name) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  for (const uint32_t number : numbers) remove_endpoint(number);
  entry.present = false;
  return {};
}

Result<schedule::GroupId> Registry::group_for(uint32_t service, const EndpointInfo& info) {
  ServiceEntry& entry = services_[service];
  const ServiceEntry::Peers peers{info.version, info.zone, info.hardware};
  if (const auto at = entry.groups.find(peers); at != entry.groups.end()) return at->second;
  const schedule::GroupOptions options{.version = code_of(entry.versions, info.version),
                                       .zone = code_of(entry.zones, info.zone),
                                       .hardware = code_of(entry.hardware, info.hardware)};
  // A service is deployed every day: its old versions' groups become the new ones'.
  for (auto at = entry.groups.begin(); at != entry.groups.end(); ++at) {
    if (!scheduler_.recycle_group(at->second, options)) continue;
    const schedule::GroupId id = at->second;
    entry.groups.erase(at);
    entry.groups.emplace(peers, id);
    return id;
  }
  WEIR_TRY(const schedule::GroupId id, scheduler_.add_group(service, options));
  entry.groups.emplace(peers, id);
  return id;
}

Result<uint32_t> Registry::host_for(const std::string& name) {
  if (name.empty()) return schedule::kNone;
  const auto [at, fresh] = hosts_.try_emplace(name);
  if (fresh) {
    if (free_hosts_.empty()) {
      at->second.number = next_host_++;
    } else {
      at->second.number = free_hosts_.back();
      free_hosts_.pop_back();
    }
  }
  ++at->second.endpoints;
  return at->second.number;
}

void Registry::leave_host(const std::string& name) {
  const auto at = hosts_.find(name);
  if (at == hosts_.end() || --at->second.endpoints > 0) return;
  free_hosts_.push_back(at->second.number);
  hosts_.erase(at);
}

Result<Put> Registry::put_endpoint(uint32_t service, const EndpointSpec& spec) {
  WEIR_CHECK_OK(check(spec));
  ServiceEntry& entry = services_[service];
  if (const auto known = find(service, spec.info.name)) {
    Member& m = members_[*known];
    const EndpointInfo& old = *m.info;
    const bool same_peers = old.version == spec.info.version && old.zone == spec.info.zone &&
                            old.hardware == spec.info.hardware && old.host == spec.info.host;
    if (!same_peers) {
      // Other peers, so another endpoint: what was learned of it says nothing any more.
      remove_endpoint(*known);
      EndpointSpec again = spec;
      again.cold = true;
      WEIR_TRY(const Put put, put_endpoint(service, again));
      return put == Put::added ? Put::restarted : put;
    }
    const bool restarted = !spec.start.empty() && !m.start.empty() && spec.start != m.start;
    Put put = Put::unchanged;
    if (old != spec.info) {
      entry.by_name.erase(old.name);
      m.info = std::make_shared<const EndpointInfo>(spec.info);
      entry.by_name.emplace(m.info->name, *known);
      put = Put::changed;
    }
    if (m.weight != spec.weight) {
      WEIR_CHECK_OK(scheduler_.set_base(*known, static_cast<float>(spec.weight) / 100));
      m.weight = static_cast<uint16_t>(spec.weight);
      put = Put::changed;
    }
    m.declared = spec.declared;
    if (!spec.start.empty()) m.start = spec.start;
    if (restarted) {
      WEIR_CHECK_OK(scheduler_.restarted(*known));
      put = Put::restarted;
    }
    if (put != Put::unchanged) ++entry.members_version;
    return put;
  }
  WEIR_TRY(const schedule::GroupId group, group_for(service, spec.info));
  WEIR_TRY(const uint32_t host, host_for(spec.info.host));
  auto added = scheduler_.add_endpoint(group, {.base = static_cast<float>(spec.weight) / 100,
                                               .host = host,
                                               .cold = spec.cold,
                                               .preheat = spec.preheat});
  if (!added) {
    leave_host(spec.info.host);
    return fail(std::move(added).error());
  }
  if (*added >= members_.size()) members_.resize(*added + 1);
  Member& m = members_[*added];
  m.info = std::make_shared<const EndpointInfo>(spec.info);
  m.service = service;
  m.group = group;
  m.host = host;
  m.weight = static_cast<uint16_t>(spec.weight);
  m.declared = spec.declared;
  m.name_hash = name_hash(spec.info.name);
  m.start = spec.start;
  entry.by_name.emplace(m.info->name, *added);
  ++entry.members_version;
  return Put::added;
}

void Registry::remove_endpoint(uint32_t number) {
  Member& m = members_[number];
  ServiceEntry& entry = services_[m.service];
  entry.by_name.erase(m.info->name);
  ++entry.members_version;
  (void)scheduler_.remove_endpoint(number);
  leave_host(m.info->host);
  const auto tag = static_cast<uint8_t>(m.tag + 1);
  m = {};
  m.tag = tag;
}

void Registry::forget_silent_reporters(uint32_t now) {
  if (now < swept_at_ + kSweepEvery) return;
  swept_at_ = now;
  for (uint32_t r = 0; r < reporters_.size(); ++r) {
    Reporter& reporter = reporters_[r];
    if (reporter.name.empty() || reporter.last + limits_.reporter_forgotten_after > now) continue;
    reporter_numbers_.erase(reporter.name);
    reporter.name.clear();
    free_reporters_.push_back(r);
  }
}

Result<uint32_t> Registry::reporter(std::string_view name, uint32_t now) {
  WEIR_CHECK_OK(check_name(name, "reporter"));
  if (const auto at = reporter_numbers_.find(std::string(name)); at != reporter_numbers_.end()) {
    reporters_[at->second].last = now;
    return at->second;
  }
  if (free_reporters_.empty() && reporters_.size() >= limits_.reporters)
    forget_silent_reporters(now);
  uint32_t number = 0;
  if (!free_reporters_.empty()) {
    number = free_reporters_.back();
    free_reporters_.pop_back();
  } else if (reporters_.size() < limits_.reporters) {
    number = static_cast<uint32_t>(reporters_.size());
    reporters_.emplace_back();
  } else {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("there are {} reporters, which is the limit", limits_.reporters));
  }
  reporters_[number] = {std::string(name), now};
  reporter_numbers_.emplace(name, number);
  return number;
}

std::string_view Registry::reporter_name(uint32_t number) const {
  return number < reporters_.size() ? std::string_view(reporters_[number].name)
                                    : std::string_view();
}

}  // namespace weir::fleet
