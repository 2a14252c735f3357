#include "app/commands/fleet_config.h"

#include <set>

#include "app/config/codec.h"
#include "app/config/detectors.h"
#include "app/config/schema.h"
#include "net/address.h"
#include "schedule/journal.h"

namespace weir::app {

// In config/tables.cc.
template <>
const ObjectSpec& spec_of<Log>();

namespace {

constexpr int64_t kSecond = 1'000;
constexpr int64_t kDay = 86'400 * kSecond;

void check(const FleetConfig& config, Reader& reader) {
  if (config.token.empty() && !config.listen.is_loopback()) {
    reader.problem_at(ProblemCode::conflict, "listen",
                      "without `token` the fleet may listen on this machine only, such as "
                      "127.0.0.1:8095");
  }
  const auto open_port = [&](const char* path, bool is_loopback) {
    if (!config.reads_need_token || is_loopback) return;
    reader.problem_at(ProblemCode::conflict, path,
                      "asks for no token, though `reads_need_token` is on: let it be reached by "
                      "those only who may read tables",
                      Severity::warning);
  };
  const PublishConfig& publish = config.publish;
  if (publish.xds) open_port("publish.xds.listen", publish.xds->listen.is_loopback());
  if (publish.haproxy_agent)
    open_port("publish.haproxy_agent.listen", publish.haproxy_agent->listen.is_loopback());
  std::set<std::string> services;
  for (size_t s = 0; s < config.services.size(); ++s) {
    const FleetServiceConfig& service = config.services[s];
    const std::string path = fmt::format("services[{}]", s);
    if (!services.insert(service.name).second)
      reader.problem_at(ProblemCode::duplicate_name, path + ".name",
                        fmt::format("there is another service \"{}\"", service.name));
    std::set<std::string> names;
    for (size_t e = 0; e < service.endpoints.size(); ++e) {
      const FleetEndpoint& endpoint = service.endpoints[e];
      const std::string here = fmt::format("{}.endpoints[{}]", path, e);
      if (const auto address = net::parse_host_port(endpoint.address); !address)
        reader.problem_at(ProblemCode::bad_value, here + ".address",
                          "expected a host and a port, such as 10.0.0.1:8080");
      const std::string& name = endpoint.name.empty() ? endpoint.address : endpoint.name;
      if (!names.insert(name).second)
        reader.problem_at(ProblemCode::duplicate_name, here,
                          fmt::format("there is another endpoint \"{}\"", name));
    }
  }
}

}  // namespace

template <>
const ObjectSpec& spec_of<FleetEndpoint>() {
  static const ObjectSpec spec =
      Table<FleetEndpoint>("Endpoint", "One process that serves requests.")
          .field("name", &FleetEndpoint::name, "How reporters and people call it.",
                 {.unset = "its address"})
          .field("address", &FleetEndpoint::address, "Host and port, such as `10.0.0.1:8080`.",
                 {.required = true})
          .field("version", &FleetEndpoint::version,
                 "Of its software. Endpoints of one version, zone and hardware are peers.")
          .field("zone", &FleetEndpoint::zone, "Where it runs.")
          .field("hardware", &FleetEndpoint::hardware, "What kind of machine it runs on.")
          .field("host", &FleetEndpoint::host,
                 "The machine it runs on: endpoints of one machine may be cut together.")
          .field("weight", &FleetEndpoint::weight, "Percent of a standard machine.",
                 {.min = 1, .max = 6'400})
          .field("cold", &FleetEndpoint::cold, "Give it a slow start when the fleet first starts.")
          .field("preheat", &FleetEndpoint::preheat,
                 "Give it no traffic until it says that its warm-up set has run.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<FleetScrape>() {
  static const ObjectSpec spec =
      Table<FleetScrape>("Scrape", "Which metrics of the endpoints say what.")
          .field("path", &FleetScrape::path, "Where each endpoint exposes them.")
          .field("requests", &FleetScrape::requests, "Counter of finished requests.")
          .field("status_label", &FleetScrape::status_label,
                 "Its label with the HTTP status: 5xx are errors, 429 is throttled, other 4xx are "
                 "the caller's.")
          .field("latency", &FleetScrape::latency,
                 "Histogram of seconds; each request counts as the middle of its bucket.")
          .field("inflight", &FleetScrape::inflight, "Gauge of requests in flight.")
          .field("utilization", &FleetScrape::utilization, "Gauge of utilization, 1 is full.",
                 {.unset = "none"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<FleetServiceConfig>() {
  static const ObjectSpec spec =
      Table<FleetServiceConfig>("Service", "A set of endpoints that callers choose among.")
          .field("name", &FleetServiceConfig::name, "How reporters and readers call it.",
                 {.required = true})
          .field("dry_run", &FleetServiceConfig::dry_run,
                 "Explain what would be done, and leave the published weights alone.")
          .field("detector", &FleetServiceConfig::detector,
                 "Whose findings move weights; the others are computed beside it.")
          .field("scrape", &FleetServiceConfig::scrape,
                 "Ask its endpoints for their Prometheus metrics every second.",
                 {.unset = "they are reported of"})
          .field("endpoints", &FleetServiceConfig::endpoints,
                 "Those that are always there; others register themselves.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<FleetLimitsConfig>() {
  static const ObjectSpec spec =
      Table<FleetLimitsConfig>("Limits of a fleet", "How much it takes in and holds.")
          .field("endpoints", &FleetLimitsConfig::endpoints, "Most endpoints.",
                 {.min = 1, .max = 4'194'304})
          .field("services", &FleetLimitsConfig::services,
                 "Most services, those deregistered included.", {.min = 1, .max = 65'536})
          .field("reporters", &FleetLimitsConfig::reporters,
                 "Most reporters; names that were silent for an hour are forgotten.",
                 {.min = 1, .max = 4'194'304})
          .field("watchers", &FleetLimitsConfig::watchers,
                 "Most long polls and event streams at once.", {.min = 1, .max = 1'000'000})
          .field("connections", &FleetLimitsConfig::connections, "Most open connections.",
                 {.min = 1, .max = 1'000'000})
          .field("body_bytes", &FleetLimitsConfig::body_bytes,
                 "Largest body, a batch of samples for instance.",
                 {.min = 1 << 10, .max = 1LL << 30})
          .field("bodies_bytes", &FleetLimitsConfig::bodies_bytes,
                 "All bodies in memory together; beyond, a request is told to come again.",
                 {.min = 1 << 20, .max = 1LL << 36})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<FleetMirror>() {
  static const ObjectSpec spec =
      Table<FleetMirror>("Standby", "A fleet that holds the same tables and takes over.")
          .field("url", &FleetMirror::url, "Of its API.", {.required = true, .as = FieldKind::url})
          .field("token", &FleetMirror::token, "Its token.", {.unset = "this fleet's own"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<FleetConfig>() {
  static const ObjectSpec spec =
      Table<FleetConfig>("Fleet", "What `weir fleet serve` runs with.")
          .field("listen", &FleetConfig::listen, "Where the API listens.")
          .field("tls", &FleetConfig::tls, "Serve the API by HTTPS.", {.unset = "HTTP"})
          .field("data_dir", &FleetConfig::data_dir,
                 "Where the state lies that survives a restart.", {.as = FieldKind::path})
          .field("token", &FleetConfig::token,
                 "What whoever reports, registers or pins presents as `Authorization: Bearer`.",
                 {.unset = "this machine only"})
          .field("reads_need_token", &FleetConfig::reads_need_token,
                 "Ask for the token for tables, explanations and metrics too.")
          .field("log", &FleetConfig::log, "What is logged, and where.")
          .field("lease", &FleetConfig::lease,
                 "How long readers may use a table without hearing from Weir; afterwards they go "
                 "back to equal weights.",
                 {.min = kSecond, .max = kDay})
          .field("false_alarms_per_day", &FleetConfig::false_alarms_per_day,
                 "Over the whole fleet; with its size it decides how much evidence a cut needs.",
                 {.min = 1, .max = 1'000'000})
          .field("limits", &FleetConfig::limits, "How much it takes in and holds.")
          .field("publish", &FleetConfig::publish,
                 "To whom weights go besides those who ask the API.")
          .field("standby", &FleetConfig::standby,
                 "Follow a primary that names this fleet under `mirror`, and go on alone when it "
                 "falls silent.")
          .field("mirror", &FleetConfig::mirror, "Standbys to which everything is sent.")
          .field("services", &FleetConfig::services, "Services declared here.")
          .done();
  return spec;
}

const ObjectSpec& fleet_spec() {
  return spec_of<FleetConfig>();
}

LoadedFleet load_fleet(std::string_view text, const Surroundings& surroundings) {
  Problems problems;
  LoadedFleet loaded;
  const YamlNode root = read_yaml(text, problems);
  if (!problems.has_error() || root.kind != YamlNode::Kind::null) {
    FleetConfig config;
    Reader reader(surroundings, problems);
    if (root.kind != YamlNode::Kind::null)
      read_object(spec_of<FleetConfig>(), root, &config, reader);
    check(config, reader);
    if (!problems.has_error()) loaded.config = std::move(config);
  }
  loaded.problems = problems.take();
  return loaded;
}

LoadedFleet load_fleet_file(const std::string& path, const Surroundings& surroundings) {
  const auto text = surroundings.read_file(path);
  if (text) return load_fleet(*text, surroundings);
  LoadedFleet loaded;
  loaded.problems.push_back(
      {Severity::error, ProblemCode::missing_file, 0, 0, "", std::string(text.error().message())});
  return loaded;
}

}  // namespace weir::app
