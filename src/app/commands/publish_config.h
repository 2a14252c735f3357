// The part of fleet.yaml that says to whom weights go besides those who ask the REST API. Plain
// values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "base/result.h"
#include "fleet/publishers.h"

namespace weir::app {

struct XdsConfig {
  ListenAddress listen{"127.0.0.1", 8096};
  std::optional<ServerTls> tls;
  uint32_t streams = 4'096;
};

struct HaproxyBackend {
  std::string service;
  std::string backend;
};

struct HaproxyConfig {
  std::string name;
  std::string address;
  std::vector<HaproxyBackend> backends;
};

struct HaproxyAgentConfig {
  ListenAddress listen{"127.0.0.1", 8097};
};

struct PublishConfig {
  std::optional<XdsConfig> xds;
  std::vector<HaproxyConfig> haproxy;
  std::optional<HaproxyAgentConfig> haproxy_agent;
};

// What the publishers are started with; loads certificates. The message says which part is wrong.
Result<fleet::PublisherOptions> publisher_options(const PublishConfig& config);

}  // namespace weir::app
