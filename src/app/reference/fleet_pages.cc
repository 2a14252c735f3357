// docs/reference/fleet-*.md: the file, the API and the metrics of `weir fleet serve`.
#include <fmt/format.h>

#include "app/commands/fleet_config.h"
#include "app/config/reference.h"
#include "app/reference/pages.h"
#include "base/clock.h"
#include "fleet/node.h"
#include "fleet/publishers.h"
#include "net/loop.h"
#include "observe/exposition.h"

namespace weir::app {
namespace {

std::string heading(std::string_view title, std::string_view page) {
  return fmt::format(
      "# {}\n\n<!-- Printed by `weir reference {}`. Do not edit: run\n"
      "     `weir reference {} > docs/reference/{}.md`. -->\n\n",
      title, page, page, page);
}

}  // namespace

std::string fleet_configuration_page() {
  return heading("Configuration of a fleet", "fleet-configuration") +
         "`weir fleet serve -c fleet.yaml` reads this file. Values are written as in "
         "[weir.yaml](configuration.md);\nwithout a file every field has its default.\n" +
         sections_markdown(fleet_spec());
}

std::string fleet_api_page() {
  std::string out = heading("API of a fleet", "fleet-api");
  out +=
      "At `listen`, by default `http://127.0.0.1:8095`. Bodies and answers are JSON; an error is\n"
      "`{\"error\":{\"code\":\"…\",\"message\":\"…\"}}` with a fitting status. With `token` "
      "configured, requests that\nchange something carry `Authorization: Bearer TOKEN`; without "
      "one only this machine is answered.\n[fleet.md](../fleet.md) says how to use it.\n\n"
      "| request | token | does |\n|---|---|---|\n";
  for (const fleet::ApiRoute& route : fleet::api_routes())
    out += fmt::format("| `{} {}` | {} | {} |\n", route.method, route.path,
                       route.writes ? "yes" : "", route.summary);
  out += "| `GET /healthz` |  | 200 while the process lives |\n";
  for (const fleet::ApiRoute& route : fleet::api_routes()) {
    if (route.body_example.empty()) continue;
    out += fmt::format("\n## {} {}\n\nExample of a body:\n\n```json\n{}\n```\n", route.method,
                       route.path, route.body_example);
  }
  return out;
}

std::string fleet_metrics_page() {
  ManualClock clock;
  net::Loop loop(clock);
  fleet::Node node(loop, {});
  observe::Exposition publishers;
  fleet::write_metrics({.sinks = {{.kind = "haproxy", .name = "edge", .counters = {}}}},
                       publishers);
  return heading("Metrics of a fleet", "fleet-metrics") +
         "`GET /metrics` at the address of `weir fleet serve`, in Prometheus' text format. "
         "Counters start at zero\nwith the process.\n\n"
         "| metric | type | labels | counts |\n|---|---|---|---|\n" +
         metrics_table(fleet::metrics_text(node.api()) + publishers.text());
}

}  // namespace weir::app
