// A feed for the tests of publishers: services that the test sets as it likes. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/feed.h"
#include "fleet/subscribers.h"

namespace weir::fleet {

struct TestEndpoint {
  std::string name;
  uint16_t weight = 1000;
  Health health = Health::healthy;
  std::string address = "127.0.0.1";
  uint16_t port = 80;
  std::string zone = "z1";
};

class TestFeed final : public Feed {
 public:
  // Replaces the service, and tells the subscribers at once.
  void set(std::string service, const std::vector<TestEndpoint>& endpoints, bool dry_run = false);
  void remove(std::string_view service);

  std::vector<std::string> services() const override;
  uint64_t services_version() const override { return services_version_; }
  std::shared_ptr<const ServiceView> view(std::string_view service) override;
  Subscription subscribe(std::function<void(const News&)> on_news) override {
    return subscribers_.add(std::move(on_news));
  }
  size_t subscribers() const { return subscribers_.size(); }

 private:
  std::map<std::string, std::shared_ptr<const ServiceView>, std::less<>> views_;
  Subscribers subscribers_;
  uint64_t services_version_ = 1;
  uint64_t version_ = 1;
};

}  // namespace weir::fleet
