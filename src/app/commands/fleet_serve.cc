// weir fleet serve: the scheduler as a service, until SIGTERM.
#include "app/commands/fleet_serve.h"

#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <memory>
#include <ostream>
#include <utility>

#include "app/commands/fleet_config.h"
#include "base/clock.h"
#include "base/log.h"
#include "fleet/node.h"
#include "fleet/publishers.h"
#include "net/loop.h"
#include "net/signals.h"
#include "observe/exposition.h"
#include "sim/process.h"
#include "store/directory_lock.h"

namespace weir::app {
namespace {

constexpr Nanoseconds kDrain = std::chrono::seconds(2);

fleet::NodeOptions node_options(const FleetConfig& config) {
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
  return options;
}

// What the file declares, in its order.
Result<void> declare(const FleetConfig& config, fleet::Fleet& fleet) {
  for (const FleetServiceConfig& service : config.services) {
    WEIR_TRY(const auto put,
             fleet.put_service(
                 {.name = service.name, .dry_run = service.dry_run, .detector = service.detector},
                 true));
    (void)put;
    for (const FleetEndpoint& endpoint : service.endpoints) {
      WEIR_TRY(const net::HostPort address, net::parse_host_port(endpoint.address));
      fleet::EndpointSpec spec;
      spec.weight = endpoint.weight;
      spec.cold = endpoint.cold;
      spec.preheat = endpoint.preheat;
      spec.declared = true;
      spec.info = {.name = endpoint.name.empty() ? endpoint.address : endpoint.name,
                   .address = address.host,
                   .port = address.port,
                   .version = endpoint.version,
                   .zone = endpoint.zone,
                   .hardware = endpoint.hardware,
                   .host = endpoint.host};
      auto added = fleet.put_endpoint(service.name, spec);
      if (!added)
        return fail(added.error().code(), fmt::format("{}/{}: {}", service.name, spec.info.name,
                                                      added.error().message()));
    }
  }
  return {};
}

Result<void> serve(const FleetConfig& config, bool quiet, std::ostream& out) {
  WEIR_CHECK_OK(log::start({.level = config.log.level, .path = config.log.file}));
  sim::raise_descriptor_limit();
  SystemClock clock;
  net::Loop loop(clock);
  fleet::Node node(loop, node_options(config));
  WEIR_CHECK_OK(declare(config, node.fleet()));
  WEIR_TRY(const net::Address address, net::Address::parse(config.listen.to_text()));
  WEIR_TRY(const net::Address bound, node.listen(address));
  WEIR_TRY(const fleet::PublisherOptions publish, publisher_options(config.publish));
  fleet::Publishers publishers(loop, node.fleet());
  WEIR_CHECK_OK(publishers.start(publish));
  node.api().more_metrics.emplace_back([&publishers](std::string& text) {
    observe::Exposition more;
    fleet::write_metrics(publishers.figures(), more);
    text += more.text();
  });
  bool ending = false;
  const auto signals = net::Signals::open(loop, {SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal == SIGHUP) return log::reopen();
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
    out << fmt::format("Weir's fleet is serving at http://{}: {} services, {} endpoints.\n\n",
                       bound.to_text(), node.fleet().services().size(),
                       node.fleet().scheduler().endpoints())
        << "  who is sick and why   weir fleet status\n"
        << fmt::format("  one service's table   curl http://{}/v1/fleet/services/NAME/weights\n",
                       bound.to_text());
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
  return {};
}

}  // namespace

int run_fleet_serve(const Arguments& arguments, Terminal& terminal) {
  net::block_signals({SIGTERM, SIGINT, SIGHUP});
  LoadedFleet loaded;
  const std::string file = arguments.value("config");
  loaded = file.empty() ? load_fleet("", terminal.surroundings)
                        : load_fleet_file(file, terminal.surroundings);
  for (const Problem& problem : loaded.problems) terminal.err << to_text(problem, file) << "\n";
  if (!loaded.config) return kExitFailed;
  try {
    const auto served = serve(*loaded.config, arguments.has("quiet"), terminal.out);
    log::stop();
    if (served) return kExitDone;
    terminal.err << "weir fleet serve: " << served.error().message() << "\n";
  } catch (const std::exception& problem) {
    terminal.err << "weir fleet serve: " << problem.what() << "\n";
  }
  return kExitFailed;
}

}  // namespace weir::app
