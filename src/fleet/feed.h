// Feed: what everything that publishes weights reads: the services, and of each an immutable view
// of its endpoints with their weights as of one version. A publisher (REST, xDS, HAProxy, Dubbo,
// Nacos) subscribes, is told at most once a turn of the loop which services changed, and takes the
// views it wants. Views are built when first asked for after a change, kept until the next, and
// share what does not change, so a view costs some 40 bytes an endpoint. Everything here belongs to
// the fleet's loop thread; a view itself may go to any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::fleet {

// What is known of an endpoint besides its weight. Replaced as a whole when it is registered anew.
struct EndpointInfo {
  std::string name{};     // unique within its service
  std::string address{};  // IP address or host name, without brackets
  uint16_t port = 0;
  std::string version{};
  std::string zone{};
  std::string hardware{};
  std::string host{};  // the machine it runs on; empty: unknown

  bool operator==(const EndpointInfo&) const = default;
};

// In one word. A publisher whose form knows health maps `drained` to it and nothing else: an
// endpoint that is degraded keeps a little traffic, which brings the evidence that lets it back.
enum class Health : uint8_t {
  healthy,
  warming,   // slow start
  degraded,  // cut, or coming back in stages
  drained,   // weight 0: by an operator, or still pre-heating
};
std::string_view to_string(Health health);

struct EndpointView {
  std::shared_ptr<const EndpointInfo> info;
  uint32_t number = 0;  // stable while registered; no two endpoints of the fleet share one
  uint16_t weight = 0;  // 0 only when drained
  uint16_t full = 0;    // weight at full health: the base weight in the same unit; above 0
  Health health = Health::healthy;
};

struct ServiceView {
  std::string name;
  uint64_t version = 0;        // grows with each change, over restarts too
  uint64_t hash = 0;           // of names and weights: equal tables have equal hashes, on any Weir
  bool dry_run = false;        // weights stay at base; what would be done is only explained
  uint32_t lease_seconds = 0;  // how long a reader may use it without hearing from Weir
  std::vector<EndpointView> endpoints;  // by name
};

// What changed since the last time: each service at most once.
struct News {
  bool services = false;  // some came or went
  std::span<const std::string> changed;
};

class Feed;

// Ends the subscription when it goes. The feed may go first.
class Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::shared_ptr<void> held) : held_(std::move(held)) {}

 private:
  std::shared_ptr<void> held_;
};

class Feed {
 public:
  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  virtual ~Feed() = default;

  // By name. `services_version` grows whenever one comes or goes.
  virtual std::vector<std::string> services() const = 0;
  virtual uint64_t services_version() const = 0;
  // Null where there is no such service. The same pointer until the service changes.
  virtual std::shared_ptr<const ServiceView> view(std::string_view service) = 0;
  // `on_news` runs on the loop, in a turn of its own after the change. It may subscribe and
  // unsubscribe.
  [[nodiscard]] virtual Subscription subscribe(std::function<void(const News&)> on_news) = 0;
};

}  // namespace weir::fleet
