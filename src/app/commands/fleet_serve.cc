// weir fleet serve: the scheduler as a service, until SIGTERM.
#include "app/commands/fleet_serve.h"

#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <utility>

#include "app/commands/fleet_config.h"
#include "base/clock.h"
#include "base/log.h"
#include "fleet/node.h"
#include "fleet/publishers.h"
#include "http/client.h"
#include "net/dial_policy.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/signals.h"
#include "net/tls.h"
#include "observe/exposition.h"
#include "sim/process.h"

namespace weir::app {
namespace {

constexpr Nanoseconds kDrain = std::chrono::seconds(2);

std::vector<fleet::ScrapeJob> scrapes(const FleetConfig& config) {
  std::vector<fleet::ScrapeJob> jobs;
  for (const FleetServiceConfig& service : config.services) {
    if (!service.scrape) continue;
    const FleetScrape& scrape = *service.scrape;
    jobs.push_back({.service = service.name,
                    .path = scrape.path,
                    .names = {.requests = scrape.requests,
                              .status_label = scrape.status_label,
                              .latency = scrape.latency,
                              .inflight = scrape.inflight,
                              .utilization = scrape.utilization}});
  }
  return jobs;
}

Result<fleet::NodeOptions> node_options(const FleetConfig& config) {
  fleet::NodeOptions options;
  options.fleet.policy.false_alarms_per_day = config.false_alarms_per_day;
  options.fleet.lease_seconds = static_cast<uint32_t>(config.lease.count() / 1000);
  schedule::Limits& limits = options.fleet.limits.schedule;
  limits.endpoints = config.limits.endpoints;
  limits.services = config.limits.services;
  limits.reporters = config.limits.reporters;
  // Readers get their deltas from the fleet's own rings, which are filled every second.
  limits.changes_kept = 1'024;
  options.fleet.limits.registry.reporters = config.limits.reporters;
  options.api.token = config.token;
  options.api.reads_need_token = config.reads_need_token;
  options.api.body_bytes_max = config.limits.body_bytes;
  options.api.bodies_bytes_max = config.limits.bodies_bytes;
  options.api.watchers_max = config.limits.watchers;
  options.connections_max = config.limits.connections;
  options.api.standby = config.standby;
  options.data_dir = config.data_dir;
  // Numbers that an earlier fleet without its state gave out must not be taken for this one's.
  std::random_device random;
  options.fleet.numbers_id = uint64_t{random()} << 32 | random();
  options.scrapes = scrapes(config);
  for (const FleetMirror& mirror : config.mirror) {
    fleet::MirrorOptions to;
    std::string_view rest;
    WEIR_TRY(to.origin, http::parse_origin(mirror.url, &rest));
    to.prefix = rest;
    to.token = mirror.token.empty() ? config.token : mirror.token;
    options.mirrors.push_back(std::move(to));
  }
  return options;
}

std::vector<fleet::Declared> declared(const FleetConfig& config) {
  std::vector<fleet::Declared> all;
  for (const FleetServiceConfig& service : config.services) {
    fleet::Declared one{
        {.name = service.name, .dry_run = service.dry_run, .detector = service.detector}, {}};
    for (const FleetEndpoint& endpoint : service.endpoints) {
      // The check of the file has read it already.
      const auto address = net::parse_host_port(endpoint.address);
      if (!address) continue;
      fleet::EndpointSpec spec;
      spec.weight = endpoint.weight;
      spec.cold = endpoint.cold;
      spec.preheat = endpoint.preheat;
      spec.info = {.name = endpoint.name.empty() ? endpoint.address : endpoint.name,
                   .address = address->host,
                   .port = address->port,
                   .version = endpoint.version,
                   .zone = endpoint.zone,
                   .hardware = endpoint.hardware,
                   .host = endpoint.host};
      one.endpoints.push_back(std::move(spec));
    }
    all.push_back(std::move(one));
  }
  return all;
}

// What asks others: standbys, and whoever publishes tables.
struct Outgoing {
  std::unique_ptr<net::CaresResolver> resolver;
  std::unique_ptr<net::TlsClientContext> tls;
  std::unique_ptr<net::SystemDialer> dialer;
  std::unique_ptr<http::Client> client;

  static Result<Outgoing> open(net::Loop& loop) {
    Outgoing out;
    WEIR_TRY(out.resolver, net::CaresResolver::create(loop));
    WEIR_TRY(out.tls, net::TlsClientContext::create());
    out.dialer =
        std::make_unique<net::SystemDialer>(loop, *out.resolver, *out.tls, net::inside_addresses());
    out.client = std::make_unique<http::Client>(loop, *out.dialer);
    return out;
  }
};

// Reads the file again and takes up its services; everything else in it is for the next start.
// A file with a mistake changes nothing.
void reload(fleet::Node& node, const std::function<LoadedFleet()>& read) {
  if (node.ticker().paused()) {
    return log::warn("fleet_reload_left_out", {{"reason", "a standby follows its primary"}});
  }
  const LoadedFleet loaded = read();
  for (const Problem& problem : loaded.problems)
    log::warn("fleet_reload_problem", {{"problem", to_text(problem, "")}});
  if (!loaded.config) return log::error("fleet_reload_failed");
  if (const auto declared_all = node.declare(declared(*loaded.config)); !declared_all) {
    return log::error("fleet_reload_failed", {{"error", declared_all.error().message()}});
  }
  node.scrape(scrapes(*loaded.config));
  log::info("fleet_reloaded", {{"services", node.fleet().services().size()},
                               {"endpoints", node.fleet().scheduler().endpoints()}});
}

Result<void> serve(const FleetConfig& config, const std::function<LoadedFleet()>& read, bool quiet,
                   std::ostream& out) {
  WEIR_CHECK_OK(log::start({.level = config.log.level, .path = config.log.file}));
  sim::raise_descriptor_limit();
  SystemClock clock;
  net::Loop loop(clock);
  WEIR_TRY(fleet::NodeOptions options, node_options(config));
  WEIR_TRY(Outgoing outgoing, Outgoing::open(loop));
  WEIR_TRY(const auto owned, fleet::Node::open(loop, std::move(options)));
  fleet::Node& node = *owned;
  WEIR_CHECK_OK(node.declare(declared(config)));
  node.reach_out(*outgoing.client);
  WEIR_TRY(const net::Address address, net::Address::parse(config.listen.to_text()));
  std::shared_ptr<const net::TlsServerContext> tls;
  if (config.tls) {
    WEIR_TRY(tls, net::TlsServerContext::load({.certificate_file = config.tls->certificate,
                                               .key_file = config.tls->key,
                                               .alpn = {"h2", "http/1.1"}}));
  }
  WEIR_TRY(const net::Address bound, node.listen(address, tls));
  const std::string url = fmt::format("{}://{}", tls ? "https" : "http", bound.to_text());
  WEIR_TRY(const fleet::PublisherOptions publish, publisher_options(config.publish));
  fleet::Publishers publishers(loop, node.fleet(), [&node] { return node.ticker().paused(); });
  WEIR_CHECK_OK(publishers.start(publish));
  node.api().more_metrics.emplace_back(
      [&publishers](observe::Exposition& e) { fleet::write_metrics(publishers.figures(), e); });
  bool ending = false;
  const auto signals = net::Signals::open(loop, {SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal == SIGHUP) {
      log::reopen();
      return reload(node, read);
    }
    if (std::exchange(ending, true)) return loop.stop();
    loop.spawn(
        [](fleet::Node& its, fleet::Publishers& others, net::Loop& its_loop) -> net::Task<void> {
          co_await others.drain(kDrain);
          co_await its.drain(kDrain);
          its_loop.stop();
        }(node, publishers, loop));
  });
  if (!signals) return fail(signals.error());
  if (!quiet) {
    out << fmt::format("Weir's fleet is serving at {}: {} services, {} endpoints.\n\n", url,
                       node.fleet().services().size(), node.fleet().scheduler().endpoints())
        << "  who is sick and why   weir fleet status\n"
        << fmt::format("  one service's table   curl {}/v1/fleet/services/NAME/weights\n", url);
    if (publishers.xds_address()) {
      out << fmt::format("  clients of xDS        {}\n", publishers.xds_address()->to_text());
    }
    if (publishers.agent_address()) {
      out << fmt::format("  agent checks          {}\n", publishers.agent_address()->to_text());
    }
    out.flush();
  }
  node.start();
  loop.run();
  loop.destroy_tasks();
  node.save_and_stop();
  return {};
}

}  // namespace

int run_fleet_serve(const Arguments& arguments, Terminal& terminal) {
  net::block_signals({SIGTERM, SIGINT, SIGHUP});
  const std::string file = arguments.value("config");
  const auto read = [&file, &terminal] {
    return file.empty() ? load_fleet("", terminal.surroundings)
                        : load_fleet_file(file, terminal.surroundings);
  };
  const LoadedFleet loaded = read();
  for (const Problem& problem : loaded.problems) terminal.err << to_text(problem, file) << "\n";
  if (!loaded.config) return kExitFailed;
  try {
    const auto served = serve(*loaded.config, read, arguments.has("quiet"), terminal.out);
    log::stop();
    if (served) return kExitDone;
    terminal.err << "weir fleet serve: " << served.error().message() << "\n";
  } catch (const std::exception& problem) {
    terminal.err << "weir fleet serve: " << problem.what() << "\n";
  }
  return kExitFailed;
}

}  // namespace weir::app
