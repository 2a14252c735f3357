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
    found = kept_.emplace(service, Kept{std::move(view), {}, 0}).first;
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
  const bool shared = audience.form == Form::envoy || same_for_all(*kept.view);
  auto& place = kept.items[static_cast<size_t>(audience.form)];
  if (shared && place) return place;
  Assignment made = audience.form == Form::envoy ? envoy_assignment(*kept.view)
                                                 : grpc_assignment(*kept.view, audience.client);
  if (made.left_out > 0 && kept.left_out == 0) {
    log::warn("xds_endpoints_left_out", {{"service", service},
                                         {"endpoints", made.left_out},
                                         {"reason", "their address is a name, not an IP address"}});
  }
  kept.left_out = made.left_out;
  Item answer = item(std::move(made.message));
  if (shared) place = answer;
  return answer;
}

uint64_t Catalog::left_out() const {
  uint64_t sum = 0;
  for (const auto& [service, kept] : kept_) sum += kept.left_out;
  return sum;
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
    const bool urgent = urgent_change(*found->second.view, *view);
    found->second.view = std::move(view);
    found->second.items = {};
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
