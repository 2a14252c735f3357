// fleet.yaml as values: what `weir fleet serve` runs with. Read by the same tables as weir.yaml
// (config/schema.h), so its reference page and messages come from them. Plain values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/commands/publish_config.h"
#include "app/config/config.h"
#include "app/config/load.h"
#include "app/config/problems.h"
#include "app/config/surroundings.h"
#include "schedule/policy.h"

namespace weir::app {

struct ObjectSpec;

struct FleetEndpoint {
  std::string name;     // empty: the address
  std::string address;  // host:port
  std::string version, zone, hardware, host;
  uint32_t weight = 100;
  bool cold = false;
  bool preheat = false;
};

struct FleetScrape {
  std::string path = "/metrics";
  std::string requests = "http_requests_total";
  std::string status_label = "code";
  std::string latency = "http_request_duration_seconds";
  std::string inflight = "http_requests_in_flight";
  std::string utilization;
};

struct FleetServiceConfig {
  std::string name;
  bool dry_run = false;
  schedule::Detector detector = schedule::Detector::sequential;
  std::optional<FleetScrape> scrape;
  std::vector<FleetEndpoint> endpoints;
};

struct FleetLimitsConfig {
  uint32_t endpoints = 1'000'000;
  uint32_t services = 65'536;
  uint32_t reporters = 1'048'576;
  uint32_t watchers = 10'000;
  uint32_t connections = 65'536;
  uint64_t body_bytes = 32ULL << 20;
  uint64_t bodies_bytes = 512ULL << 20;
};

struct FleetMirror {
  std::string url;
  Secret token;
};

struct FleetConfig {
  ListenAddress listen{"127.0.0.1", 8095};
  std::optional<ServerTls> tls;
  std::string data_dir = "./weir-fleet-data";
  Secret token;
  bool reads_need_token = false;
  Log log;
  Milliseconds lease{600'000};
  uint32_t false_alarms_per_day = 1;
  FleetLimitsConfig limits;
  PublishConfig publish;
  bool standby = false;
  std::vector<FleetMirror> mirror;
  std::vector<FleetServiceConfig> services;
};

struct LoadedFleet {
  std::optional<FleetConfig> config;  // present exactly when no problem is an error
  std::vector<Problem> problems;
};
const ObjectSpec& fleet_spec();
LoadedFleet load_fleet(std::string_view text, const Surroundings& surroundings);
LoadedFleet load_fleet_file(const std::string& path, const Surroundings& surroundings);

}  // namespace weir::app
