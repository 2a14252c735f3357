// Catalog: the resources of all services as of now, made from the feed when somebody asks for them
// and kept until the service changes. Tells the streams which service changed, and whether that can
// wait: a gross cut, where an endpoint lost nine tenths of its weight or went, cannot.
//
// One thread, the feed's. Limit: two kept assignments per service that was asked for; a service
// that is gone is forgotten. Assignments of more than kGrpcEndpointsMax endpoints in gRPC's form
// are made for each client and not kept.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/feed.h"
#include "fleet/xds/messages.h"
#include "fleet/xds/resources.h"

namespace weir::fleet::xds {

// A resource's bytes, and their hash: equal content has equal versions, on any Weir.
struct Item {
  std::shared_ptr<const std::string> value;
  uint64_t version = 0;
};

// For whom resources are made.
struct Audience {
  Form form = Form::envoy;
  std::string client;  // the node's id
};

class Catalog {
 public:
  explicit Catalog(Feed& feed);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // The names of all services, in order.
  const std::vector<std::string>& services();
  std::optional<Item> find(Kind kind, std::string_view service, const Audience& audience);

  struct Change {
    std::string_view service;
    bool urgent = false;
  };
  // Called for each service that changed, and once with an empty name when some came or went.
  using OnChange = std::function<void(const Change&)>;
  [[nodiscard]] Subscription subscribe(OnChange on_change);

  // Endpoints, of the services that were asked for, that have a name for an address.
  uint64_t left_out() const;

 private:
  struct Kept {
    Roster roster;
    std::array<std::optional<Item>, 2> items;  // by form
  };

  void on_news(const News& news);
  void tell(const Change& change);
  static void note_left_out(const Roster& roster, const Roster& before);

  Feed& feed_;
  std::vector<std::string> services_;
  uint64_t services_version_ = 0;
  std::map<std::string, Kept, std::less<>> kept_;
  std::list<std::weak_ptr<OnChange>> listeners_;
  Subscription subscription_;
};

}  // namespace weir::fleet::xds
