#include "fleet/xds/catalog.h"

#include <utility>

#include "base/log.h"
#include "fleet/urgent.h"

namespace weir::fleet::xds {

namespace {

uint64_t hash_of(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

Item item(std::string bytes) {
  const uint64_t version = hash_of(bytes);
  return {std::make_shared<const std::string>(std::move(bytes)), version};
}

}  // namespace

Catalog::Catalog(Feed& feed)
    : feed_(feed), subscription_(feed.subscribe([this](const News& news) { on_news(news); })) {}

const std::vector<std::string>& Catalog::services() {
  if (const uint64_t version = feed_.services_version(); version != services_version_) {
    services_ = feed_.services();
    services_version_ = version;
  }
  return services_;
}

std::optional<Item> Catalog::find(Kind kind, std::string_view service, const Audience& audience) {
  auto found = kept_.find(service);
  if (found == kept_.end()) {
    auto view = feed_.view(service);
    if (!view) return std::nullopt;
    found = kept_.emplace(service, Kept{Roster(std::move(view), {}), {}}).first;
    note_left_out(found->second.roster, {});
  }
  Kept& kept = found->second;
  switch (kind) {
    case Kind::cluster:
      return item(cluster(service, audience.form));
    case Kind::listener:
      if (audience.form == Form::envoy) return std::nullopt;
      return item(listener(service));
    case Kind::route:
      return item(route_configuration(service));
    case Kind::load_assignment:
      break;
  }
  const bool shared = audience.form == Form::envoy || kept.roster.same_for_all();
  auto& place = kept.items[static_cast<size_t>(audience.form)];
  if (shared && place) return place;
  Item answer = item(audience.form == Form::envoy ? envoy_assignment(kept.roster)
                                                  : grpc_assignment(kept.roster, audience.client));
  if (shared) place = answer;
  return answer;
}

uint64_t Catalog::left_out() const {
  uint64_t sum = 0;
  for (const auto& [service, kept] : kept_) sum += kept.roster.left_out();
  return sum;
}

void Catalog::note_left_out(const Roster& roster, const Roster& before) {
  if (roster.left_out() == 0 || before.left_out() > 0) return;
  log::warn("xds_endpoints_left_out", {{"service", roster.view()->name},
                                       {"endpoints", roster.left_out()},
                                       {"reason", "their address is a name, not an IP address"}});
}

Subscription Catalog::subscribe(OnChange on_change) {
  auto held = std::make_shared<OnChange>(std::move(on_change));
  listeners_.push_back(held);
  return Subscription(std::move(held));
}

void Catalog::on_news(const News& news) {
  if (news.services) {
    std::erase_if(kept_, [&](const auto& one) { return feed_.view(one.first) == nullptr; });
    tell({});
  }
  for (const std::string& service : news.changed) {
    const auto found = kept_.find(service);
    if (found == kept_.end()) continue;
    auto view = feed_.view(service);
    if (!view) continue;
    Kept& kept = found->second;
    const bool urgent = urgent_change(*kept.roster.view(), *view);
    Roster fresh(std::move(view), kept.roster);
    note_left_out(fresh, kept.roster);
    kept.roster = std::move(fresh);
    kept.items = {};
    tell({service, urgent});
  }
}

void Catalog::tell(const Change& change) {
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    if (const auto callback = at->lock()) {
      (*callback)(change);
      ++at;
    } else {
      at = listeners_.erase(at);
    }
  }
}

}  // namespace weir::fleet::xds
