#include "fleet/test_feed.h"

#include <algorithm>
#include <span>
#include <utility>

namespace weir::fleet {

void TestFeed::set(std::string service, const std::vector<TestEndpoint>& endpoints, bool dry_run) {
  auto view = std::make_shared<ServiceView>();
  view->name = service;
  view->version = ++version_;
  view->hash = version_;
  view->dry_run = dry_run;
  view->lease_seconds = 600;
  const auto before = views_.find(service);
  uint32_t number = 0;
  for (const TestEndpoint& e : endpoints) {
    std::shared_ptr<const EndpointInfo> info =
        std::make_shared<EndpointInfo>(EndpointInfo{.name = e.name,
                                                    .address = e.address,
                                                    .port = e.port,
                                                    .version = "1",
                                                    .zone = e.zone,
                                                    .hardware = "",
                                                    .host = ""});
    // What did not change is shared with the view before, as a fleet does it.
    if (before != views_.end()) {
      for (const EndpointView& old : before->second->endpoints) {
        if (*old.info == *info) info = old.info;
      }
    }
    view->endpoints.push_back({std::move(info), number++, e.weight, 1000, e.health});
  }
  std::sort(view->endpoints.begin(), view->endpoints.end(),
            [](const auto& a, const auto& b) { return a.info->name < b.info->name; });
  const bool fresh = views_.insert_or_assign(service, std::move(view)).second;
  if (fresh) ++services_version_;
  subscribers_.tell({.services = fresh, .changed = std::span(&service, 1)});
}

void TestFeed::remove(std::string_view service) {
  const auto at = views_.find(service);
  if (at == views_.end()) return;
  const std::string name = at->first;
  views_.erase(at);
  ++services_version_;
  subscribers_.tell({.services = true, .changed = std::span(&name, 1)});
}

std::vector<std::string> TestFeed::services() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : views_) names.push_back(name);
  return names;
}

std::shared_ptr<const ServiceView> TestFeed::view(std::string_view service) {
  const auto at = views_.find(service);
  return at == views_.end() ? nullptr : at->second;
}

}  // namespace weir::fleet
