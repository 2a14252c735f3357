#include "fleet/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "fleet/bytes.h"
#include "schedule/saved.h"

namespace weir::fleet {
namespace {

constexpr size_t kRingLeast = 64;
constexpr size_t kRingMost = 4'096;
constexpr size_t kReasonBytesMost = 200;
constexpr std::string_view kSavedMagic = "WFS1";

uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

Fleet::Fleet(net::Loop& loop, const FleetOptions& options)
    : loop_(loop),
      options_(options),
      scheduler_(std::make_unique<schedule::Scheduler>(options.policy, options.limits.schedule,
                                                       options.first_second, options.epoch)),
      registry_(std::make_unique<Registry>(*scheduler_, options.limits.registry)) {}

Fleet::~Fleet() = default;

Result<uint32_t> Fleet::service_number(std::string_view service) const {
  if (const auto number = registry_->find_service(service)) return *number;
  return fail(ErrorCode::not_found, fmt::format("there is no service \"{}\"", service));
}

Result<uint32_t> Fleet::number_of(std::string_view service, std::string_view endpoint) const {
  WEIR_TRY(const uint32_t at, service_number(service));
  if (const auto number = registry_->find(at, endpoint)) return *number;
  return fail(ErrorCode::not_found,
              fmt::format("service \"{}\" has no endpoint \"{}\"", service, endpoint));
}

Fleet::Track& Fleet::track(uint32_t service) {
  if (service >= tracks_.size()) tracks_.resize(service + 1);
  Track& t = tracks_[service];
  if (t.seen == 0) t.seen = t.oldest = scheduler_->table(service).version();
  return t;
}

void Fleet::mark(uint32_t service, bool services_changed) {
  Track& t = track(service);
  t.view = nullptr;
  if (!std::exchange(t.dirty, true)) dirty_.push_back(service);
  if (services_changed) {
    services_dirty_ = true;
    ++services_version_;
  }
  if (std::exchange(telling_, true)) return;
  loop_.defer([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) tell();
  });
}

void Fleet::tell() {
  telling_ = false;
  std::vector<std::string> names = std::exchange(gone_, {});
  for (const uint32_t service : std::exchange(dirty_, {})) {
    tracks_[service].dirty = false;
    names.push_back(registry_->service(service).spec.name);
  }
  std::sort(names.begin(), names.end());
  subscribers_.tell({.services = std::exchange(services_dirty_, false), .changed = names});
}

void Fleet::follow(uint32_t service, const std::shared_ptr<const EndpointInfo>& gone,
                   uint32_t gone_number, uint32_t fresh) {
  Track& t = track(service);
  const schedule::Table& table = scheduler_->table(service);
  if (table.version() == t.seen) return;
  const auto changes = table.since(t.seen);
  if (!changes) {
    t.ring.clear();
    t.oldest = table.version();
  } else {
    for (const schedule::WeightChange& c : *changes) {
      auto info = registry_->member(c.endpoint).info;
      if (c.removed || info == nullptr) {
        if (c.endpoint != gone_number) continue;  // came and went in one call
        info = gone;
      }
      t.ring.push_back({c.version, std::move(info), c.endpoint, c.weight, c.removed,
                        c.endpoint == fresh && !c.removed});
    }
    const size_t kept =
        std::clamp(2 * registry_->service(service).by_name.size(), kRingLeast, kRingMost);
    while (t.ring.size() > kept) {
      t.oldest = t.ring.front().version;
      t.ring.pop_front();
    }
  }
  t.seen = table.version();
  mark(service);
}

Result<Put> Fleet::put_service(const ServiceSpec& spec, bool declared) {
  WEIR_TRY(const Put put, registry_->put_service(spec, declared));
  const uint32_t number = *registry_->find_service(spec.name);
  if (put != Put::unchanged) {
    follow(number);
    mark(number, put == Put::added);
  }
  if (observer_ != nullptr) observer_->service_put(spec, declared);
  return put;
}

Result<void> Fleet::remove_service(std::string_view service) {
  WEIR_TRY(const uint32_t number, service_number(service));
  for (auto at = pins_.begin(); at != pins_.end();)
    at = at->second.service == service ? pins_.erase(at) : std::next(at);
  WEIR_CHECK_OK(registry_->remove_service(number));
  Track& t = track(number);
  t.ring.clear();
  t.seen = t.oldest = scheduler_->table(number).version();
  mark(number, true);
  if (observer_ != nullptr) observer_->service_removed(service);
  return {};
}

Result<Put> Fleet::put_endpoint(std::string_view service, const EndpointSpec& spec) {
  WEIR_TRY(const uint32_t at, service_number(service));
  track(at);
  const auto before = registry_->find(at, spec.info.name);
  const auto info = before ? registry_->member(*before).info : nullptr;
  auto put = registry_->put_endpoint(at, spec);
  const auto after = registry_->find(at, spec.info.name);
  if (before && after != before) pins_.erase(*before);
  if (!put) {
    if (before && !after) follow(at, info, *before);
    return fail(std::move(put).error());
  }
  if (*put != Put::unchanged) {
    if (scheduler_->table(at).version() == track(at).seen) scheduler_->touch(*after);
    follow(at, info, before && after != before ? *before : schedule::kNone, *after);
  }
  if (observer_ != nullptr) observer_->endpoint_put(service, spec);
  return put;
}

Result<void> Fleet::remove_endpoint(std::string_view service, std::string_view endpoint) {
  WEIR_TRY(const uint32_t number, number_of(service, endpoint));
  const auto info = registry_->member(number).info;
  const uint32_t at = registry_->member(number).service;
  track(at);
  pins_.erase(number);
  registry_->remove_endpoint(number);
  follow(at, info, number);
  if (observer_ != nullptr) observer_->endpoint_removed(service, info->name);
  return {};
}

Result<void> Fleet::preheated(std::string_view service, std::string_view endpoint) {
  WEIR_TRY(const uint32_t number, number_of(service, endpoint));
  WEIR_CHECK_OK(scheduler_->preheated(number));
  follow(registry_->member(number).service);
  if (observer_ != nullptr) observer_->preheated(service, endpoint);
  return {};
}

Result<void> Fleet::pin(const PinInfo& pin) {
  WEIR_TRY(const uint32_t number, number_of(pin.service, pin.endpoint));
  WEIR_CHECK_OK(scheduler_->pin(number, pin.share, pin.expiry));
  PinInfo& kept = pins_[number] = pin;
  if (kept.reason.size() > kReasonBytesMost) kept.reason.resize(kReasonBytesMost);
  follow(registry_->member(number).service);
  if (observer_ != nullptr) observer_->pinned(kept);
  return {};
}

Result<void> Fleet::unpin(std::string_view service, std::string_view endpoint) {
  WEIR_TRY(const uint32_t number, number_of(service, endpoint));
  WEIR_CHECK_OK(scheduler_->unpin(number));
  pins_.erase(number);
  follow(registry_->member(number).service);
  if (observer_ != nullptr) observer_->unpinned(service, endpoint);
  return {};
}

Result<uint32_t> Fleet::reporter(std::string_view name) {
  const uint32_t now = scheduler_->next_second();
  WEIR_TRY(const uint32_t number, registry_->reporter(name, now));
  if (observer_ != nullptr) observer_->reporter_named(name, now);
  return number;
}

schedule::Intake Fleet::ingest(const schedule::Sample& sample) {
  if (observer_ != nullptr) observer_->sample_taken(sample);
  schedule::Sample plain = sample;
  plain.marks = 0;
  // A number that was given to somebody else since.
  if (registry_->member(sample.endpoint).tag != sample.marks) plain.endpoint = schedule::kNone;
  if (registry_->knows_reporter(sample.reporter))
    registry_->heard_of(sample.reporter, scheduler_->next_second());
  return scheduler_->ingest(plain);
}

void Fleet::close() {
  const uint32_t second = scheduler_->next_second();
  scheduler_->evaluate();
  for (auto at = pins_.begin(); at != pins_.end();)
    at = at->second.expiry <= second ? pins_.erase(at) : std::next(at);
  for (uint32_t s = 0; s < registry_->services().size(); ++s) follow(s);
  if (observer_ != nullptr) observer_->closed(second);
}

void Fleet::skip_to(uint32_t second) {
  if (second <= scheduler_->next_second()) return;
  scheduler_->skip_to(second);
  if (observer_ != nullptr) observer_->skipped_to(second);
}

std::vector<std::string> Fleet::services() const {
  std::vector<std::string> names;
  for (const ServiceEntry& entry : registry_->services())
    if (entry.present) names.push_back(entry.spec.name);
  std::sort(names.begin(), names.end());
  return names;
}

Health Fleet::health(uint32_t number) const {
  const schedule::Standing standing = scheduler_->standing(number);
  if (standing.weight == 0) return Health::drained;
  const bool dry = registry_->service(registry_->member(number).service).spec.dry_run;
  if (standing.degraded && !dry) return Health::degraded;
  return standing.warming ? Health::warming : Health::healthy;
}

std::shared_ptr<const ServiceView> Fleet::view(std::string_view name) {
  const auto number = registry_->find_service(name);
  if (!number) return nullptr;
  Track& t = track(*number);
  if (t.view != nullptr) return t.view;
  const ServiceEntry& entry = registry_->service(*number);
  if (t.order_version != entry.members_version) {
    t.order.clear();
    for (const auto& [endpoint, id] : entry.by_name) t.order.push_back(id);
    std::sort(t.order.begin(), t.order.end(), [this](uint32_t a, uint32_t b) {
      return registry_->member(a).info->name < registry_->member(b).info->name;
    });
    t.order_version = entry.members_version;
  }
  auto view = std::make_shared<ServiceView>();
  view->name = entry.spec.name;
  view->version = scheduler_->table(*number).version();
  view->dry_run = entry.spec.dry_run;
  view->lease_seconds = options_.lease_seconds;
  view->endpoints.reserve(t.order.size());
  for (const uint32_t id : t.order) {
    const Member& m = registry_->member(id);
    const schedule::Standing standing = scheduler_->standing(id);
    view->hash += mix(m.name_hash ^ standing.weight);
    view->endpoints.push_back({m.info, id, standing.weight, standing.full, health(id)});
  }
  t.view = std::move(view);
  return t.view;
}

std::optional<std::vector<Change>> Fleet::changes(std::string_view name, uint64_t version) {
  const auto number = registry_->find_service(name);
  if (!number) return std::nullopt;
  const Track& t = track(*number);
  if (version < t.oldest || version > t.seen) return std::nullopt;
  std::vector<Change> out;
  std::unordered_map<std::string_view, size_t> at;
  for (const Change& change : t.ring) {
    if (change.version <= version) continue;
    const auto [known, first] = at.try_emplace(change.info->name, out.size());
    if (first) {
      out.push_back(change);
    } else {
      Change& kept = out[known->second];
      const bool fresh = kept.fresh || change.fresh;
      kept = change;
      kept.fresh = fresh;
    }
  }
  return out;
}

std::vector<PinInfo> Fleet::pins() const {
  std::vector<PinInfo> out;
  for (const auto& [number, pin] : pins_) out.push_back(pin);
  return out;
}

std::vector<schedule::Record> Fleet::history(uint32_t service, uint32_t endpoint,
                                             size_t limit) const {
  std::vector<schedule::Record> out;
  for (const schedule::Record& record : scheduler_->journal().since(0)) {
    if (service != schedule::kNone && record.service != service) continue;
    if (endpoint != schedule::kNone && record.endpoint != endpoint) continue;
    // The number had another owner before.
    if (endpoint != schedule::kNone && record.reason == schedule::Reason::added) out.clear();
    out.push_back(record);
  }
  if (out.size() > limit) out.erase(out.begin(), out.end() - static_cast<ptrdiff_t>(limit));
  return out;
}

std::string Fleet::sentence(const schedule::Record& record) const {
  const Member& member = registry_->member(record.endpoint);
  return schedule::sentence(record, member.info != nullptr
                                        ? member.info->name
                                        : fmt::format("endpoint #{}", record.endpoint));
}

uint64_t Fleet::hash() {
  uint64_t sum = 0;
  for (const std::string& name : services()) {
    const auto one = view(name);
    sum = mix(sum ^ name_hash(name)) + one->hash;
  }
  return sum;
}

void Fleet::save(std::string& out, bool open_seconds) const {
  out += kSavedMagic;
  put_number(out, options_.numbers_id);
  put_number(out, services_version_);
  schedule::Saved::write(*scheduler_, open_seconds, out);
  registry_->save(out);
  put_number(out, static_cast<uint32_t>(pins_.size()));
  for (const auto& [number, pin] : pins_) {
    put_number(out, number);
    put_text(out, pin.reason);
    put_number(out, pin.share);
    put_number(out, pin.expiry);
  }
}

Result<void> Fleet::load(std::string_view in, bool same_versions) {
  const auto corrupt = [] {
    return fail(ErrorCode::corrupt, "the saved state of the fleet is not what was written");
  };
  if (!in.starts_with(kSavedMagic)) return corrupt();
  Taker head(in.substr(kSavedMagic.size()));
  const auto numbers_id = head.number<uint64_t>();
  const auto services_version = head.number<uint64_t>();
  if (!head.ok()) return corrupt();
  in = head.left();
  auto scheduler = std::make_unique<schedule::Scheduler>(options_.policy, options_.limits.schedule,
                                                         options_.first_second, options_.epoch);
  auto registry = std::make_unique<Registry>(*scheduler, options_.limits.registry);
  WEIR_CHECK_OK(schedule::Saved::read(in, same_versions, *scheduler));
  WEIR_CHECK_OK(registry->load(in));
  std::map<uint32_t, PinInfo> pins;
  Taker tail(in);
  for (uint32_t n = tail.count(16); n > 0 && tail.ok(); --n) {
    const auto number = tail.number<uint32_t>();
    PinInfo pin;
    pin.reason = tail.text();
    pin.share = tail.number<float>();
    pin.expiry = tail.number<uint32_t>();
    const Member& member = registry->member(number);
    tail.need(member.info != nullptr);
    if (!tail.ok()) break;
    pin.service = registry->service(member.service).spec.name;
    pin.endpoint = member.info->name;
    pins[number] = std::move(pin);
  }
  if (!tail.ok() || !tail.empty()) return corrupt();
  // Readers of services that are no more are told so, too.
  std::vector<std::string> before = services();
  options_.numbers_id = numbers_id;
  services_version_ = std::max(services_version_, services_version);
  registry_ = std::move(registry);
  scheduler_ = std::move(scheduler);
  pins_ = std::move(pins);
  dirty_.clear();
  tracks_.clear();
  for (uint32_t s = 0; s < registry_->services().size(); ++s) mark(s, true);
  for (std::string& name : before)
    if (!registry_->find_service(name)) gone_.push_back(std::move(name));
  return {};
}

}  // namespace weir::fleet
