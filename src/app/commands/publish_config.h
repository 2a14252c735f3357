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

// A Nacos server, as both its instances and its configuration center are reached.
struct NacosServer {
  std::string url;
  std::string name_space;  // namespace
  std::string user;
  Secret password;
};

struct NacosService {
  std::string service;
  std::string name;
  std::string group = "DEFAULT_GROUP";
};

struct NacosConfig {
  std::string name;
  NacosServer server;
  uint32_t writes_per_second = 50;
  std::vector<NacosService> services;
};

struct DubboConfig {
  std::string name;
  NacosServer server;
  std::vector<std::string> applications;
  std::vector<std::string> services;
};

struct PublishConfig {
  std::optional<XdsConfig> xds;
  std::vector<HaproxyConfig> haproxy;
  std::vector<NacosConfig> nacos;
  std::vector<DubboConfig> dubbo;
  std::optional<HaproxyAgentConfig> haproxy_agent;
};

// What the publishers are started with; loads certificates. The message says which part is wrong.
Result<fleet::PublisherOptions> publisher_options(const PublishConfig& config);

}  // namespace weir::app
