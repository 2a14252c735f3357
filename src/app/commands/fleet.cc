// weir fleet: the scheduler as a service, and what an operator asks a running one.
#include <fmt/format.h>

#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/commands/fleet_client.h"
#include "app/commands/fleet_serve.h"
#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

constexpr std::string_view kServer = "http://127.0.0.1:8095";

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir fleet: " << error.message() << "\n";
  return kExitFailed;
}

Result<FleetClient> client(const Arguments& arguments, Terminal& terminal) {
  std::string url = arguments.value("server");
  if (url.empty())
    url = terminal.surroundings.variable("WEIR_FLEET").value_or(std::string(kServer));
  std::string token = arguments.value("token");
  if (token.empty()) token = terminal.surroundings.variable("WEIR_FLEET_TOKEN").value_or("");
  return FleetClient::create(url, Secret(token));
}

std::string segment(std::string_view name) {
  return percent_encode(name);
}

// "SERVICE/ENDPOINT" as the path of the API; the endpoint may hold slashes.
Result<std::string> endpoint_path(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size())
    return fail(ErrorCode::invalid_argument,
                fmt::format("expected SERVICE/ENDPOINT, such as search/a-1; got {}", text));
  return fmt::format("/v1/fleet/services/{}/endpoints/{}", segment(text.substr(0, slash)),
                     segment(text.substr(slash + 1)));
}

double number(const json::Value& value) {
  return value.as_double().value_or(0);
}

std::string text(const json::Value& value) {
  return value.string_or("");
}

// Asks, and prints what `print` makes of the answer, or the answer itself for --json.
template <class Print>
int show(const Arguments& arguments, Terminal& terminal, const std::string& path,
         const Print& print) {
  auto asked = client(arguments, terminal);
  if (!asked) return failed(asked.error(), terminal);
  const auto answer = asked->call("GET", path);
  if (!answer) return failed(answer.error(), terminal);
  if (arguments.has("json")) {
    terminal.out << *answer << "\n";
    return kExitDone;
  }
  json::Document document;
  if (const auto parsed = document.parse(*answer); !parsed) return failed(parsed.error(), terminal);
  print(document.root());
  return kExitDone;
}

int run_status(const Arguments& arguments, Terminal& terminal) {
  std::ostream& out = terminal.out;
  const int code = show(arguments, terminal, "/v1/fleet/status", [&](const json::Value& root) {
    out << fmt::format(
        "{}  {} services, {} endpoints, {} reporters, {} watchers{}\n"
        "coverage {:.0f} %, evidence needed {:.1f}, evaluation {:.2f} ms, table {}\n"
        "{} cuts, {} of whole groups, {} held back, {} recoveries\n",
        text(root["time"]), number(root["services"]), number(root["endpoints"]),
        number(root["reporters"]), number(root["watchers"]),
        root["standby"].as_bool().value_or(false) ? ", standby" : "",
        100 * number(root["coverage"]), number(root["evidence_needed"]),
        number(root["evaluation_ms"]), text(root["hash"]), number(root["cuts"]),
        number(root["group_cuts"]), number(root["cuts_held_back"]), number(root["recoveries"]));
    out << "samples:";
    for (const auto& [name, value] : root["samples"].members())
      if (number(value) > 0) out << fmt::format(" {} {}", number(value), name);
    out << "\n";
    if (root["breaker_open"].as_bool().value_or(false))
      out << "THE BREAKER IS OPEN: no cuts for a minute after the last trip\n";
    for (const json::Value reporter : root["reporters_set_aside"].elements())
      out << "set aside: reporter " << text(reporter) << "\n";
  });
  if (code != kExitDone || arguments.has("json")) return code;
  return show(arguments, terminal, "/v1/fleet/verdicts", [&](const json::Value& root) {
    for (const json::Value v : root["verdicts"].elements())
      out << fmt::format("{}/{}  weight {}  {}  cause {}  evidence {:.2f}{}{}{}{}\n",
                         text(v["service"]), text(v["endpoint"]), number(v["weight"]),
                         text(v["phase"]), text(v["cause"]), number(v["evidence"]),
                         v["held_back"].as_bool().value_or(false) ? "  held back" : "",
                         v["disputed"].as_bool().value_or(false) ? "  disputed" : "",
                         v["grey"].as_bool().value_or(false) ? "  grey" : "",
                         v["chronic"].as_bool().value_or(false) ? "  chronic" : "");
    if (root["verdicts"].size() == 0) out << "Nobody is sick.\n";
  });
}

int run_services(const Arguments& arguments, Terminal& terminal) {
  return show(arguments, terminal, "/v1/fleet/services", [&](const json::Value& root) {
    terminal.out << fmt::format("{:<32} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "SERVICE", "ENDPOINTS",
                                "HEALTHY", "WARMING", "DEGRADED", "DRAINED");
    for (const json::Value s : root["services"].elements())
      terminal.out << fmt::format(
          "{:<32} {:>9} {:>8} {:>8} {:>8} {:>8}{}{}{}\n", text(s["name"]), number(s["endpoints"]),
          number(s["healthy"]), number(s["warming"]), number(s["degraded"]), number(s["drained"]),
          s["dry_run"].as_bool().value_or(false) ? "  dry run" : "",
          s["panic"].as_bool().value_or(false) ? "  PANIC" : "",
          text(s["gates"]).empty() ? "" : "  held back by " + text(s["gates"]));
  });
}

int run_endpoints(const Arguments& arguments, Terminal& terminal) {
  const std::string path =
      fmt::format("/v1/fleet/services/{}/endpoints", segment(arguments.argument(0)));
  return show(arguments, terminal, path, [&](const json::Value& root) {
    terminal.out << fmt::format("{:<32} {:<24} {:>7} {:<9} {:<10} {}\n", "ENDPOINT", "ADDRESS",
                                "WEIGHT", "HEALTH", "ZONE", "VERSION");
    for (const json::Value e : root["endpoints"].elements())
      terminal.out << fmt::format("{:<32} {:<24} {:>7} {:<9} {:<10} {}\n", text(e["name"]),
                                  fmt::format("{}:{}", text(e["address"]), number(e["port"])),
                                  number(e["weight"]), text(e["health"]), text(e["zone"]),
                                  text(e["version"]));
  });
}

int run_explain(const Arguments& arguments, Terminal& terminal) {
  const auto path = endpoint_path(arguments.argument(0));
  if (!path) return failed(path.error(), terminal);
  std::ostream& out = terminal.out;
  return show(arguments, terminal, *path, [&](const json::Value& e) {
    out << fmt::format("{} of {}: {}, weight {} of {}\n", text(e["name"]), text(e["service"]),
                       text(e["health"]), number(e["weight"]), number(e["full_weight"]));
    out << fmt::format("  {}:{}  version {}  zone {}  hardware {}  host {}\n", text(e["address"]),
                       number(e["port"]), text(e["version"]), text(e["zone"]), text(e["hardware"]),
                       text(e["host"]));
    out << fmt::format(
        "  phase {}, cause {}, health {:.0f} %, evidence {:.2f} of what a cut "
        "needs, latency {:.2f} times its usual\n",
        text(e["phase"]), text(e["cause"]), 100 * number(e["health_factor"]), number(e["evidence"]),
        number(e["latency_ratio"]));
    const auto flag = [&](std::string_view name, std::string_view means) {
      if (e[name].as_bool().value_or(false)) out << "  " << means << "\n";
    };
    flag("held_back", "a cut is wanted, and a safety gate holds it back");
    flag("disputed", "one reporter accuses it, the others do not");
    flag("grey", "callers see errors that it does not see itself");
    flag("chronic", "it has always been slower than its group");
    flag("group_cut", "its whole group is cut");
    if (e["pin"].is_object())
      out << fmt::format("  pinned to {:.0f} % until {}: {}\n", 100 * number(e["pin"]["share"]),
                         text(e["pin"]["until"]), text(e["pin"]["reason"]));
    for (const json::Value change : e["changes"].elements())
      out << fmt::format("  {}  {}\n", text(change["time"]), text(change["sentence"]));
  });
}

int pin(const Arguments& arguments, Terminal& terminal, double share) {
  const auto path = endpoint_path(arguments.argument(0));
  if (!path) return failed(path.error(), terminal);
  auto asked = client(arguments, terminal);
  if (!asked) return failed(asked.error(), terminal);
  std::string body;
  json::Writer(body)
      .begin_object()
      .member("share", share)
      .member("for", arguments.value("for"))
      .member("reason", arguments.value("reason"))
      .end_object();
  const auto answer = asked->call("PUT", *path + "/pin", body);
  if (!answer) return failed(answer.error(), terminal);
  json::Document document;
  if (document.parse(*answer))
    terminal.out << fmt::format("{} gets {:.0f} % of its weight until {}.\n", arguments.argument(0),
                                100 * share, text(document.root()["until"]));
  return kExitDone;
}

int run_pin(const Arguments& arguments, Terminal& terminal) {
  std::string share = arguments.argument(1);
  const bool percent = share.ends_with('%');
  if (percent) share.pop_back();
  json::Document document;
  const auto value = document.parse(share) ? document.root().as_double() : std::nullopt;
  const double factor = value ? *value / (percent ? 100 : 1) : -1;
  if (!(factor >= 0 && factor <= 1)) {
    terminal.err << "weir fleet: SHARE is 0 to 1, or 0% to 100%\n";
    return kExitUsage;
  }
  return pin(arguments, terminal, factor);
}

int run_drain(const Arguments& arguments, Terminal& terminal) {
  return pin(arguments, terminal, 0);
}

int run_unpin(const Arguments& arguments, Terminal& terminal) {
  const auto path = endpoint_path(arguments.argument(0));
  if (!path) return failed(path.error(), terminal);
  auto asked = client(arguments, terminal);
  if (!asked) return failed(asked.error(), terminal);
  const auto answer = asked->call("DELETE", *path + "/pin");
  if (!answer) return failed(answer.error(), terminal);
  terminal.out << arguments.argument(0) << " is the scheduler's again.\n";
  return kExitDone;
}

int run_dry_run(const Arguments& arguments, Terminal& terminal) {
  const std::string& mode = arguments.argument(1);
  if (mode != "on" && mode != "off") {
    terminal.err << "weir fleet: expected on or off\n";
    return kExitUsage;
  }
  auto asked = client(arguments, terminal);
  if (!asked) return failed(asked.error(), terminal);
  const auto answer = asked->call("PUT", "/v1/fleet/services/" + segment(arguments.argument(0)),
                                  mode == "on" ? R"({"dry_run":true})" : R"({"dry_run":false})");
  if (!answer) return failed(answer.error(), terminal);
  terminal.out << arguments.argument(0)
               << (mode == "on" ? ": changes are explained and not made.\n"
                                : ": changes are made.\n");
  return kExitDone;
}

int run_watch(const Arguments& arguments, Terminal& terminal) {
  auto asked = client(arguments, terminal);
  if (!asked) return failed(asked.error(), terminal);
  std::string buffer;
  const auto done =
      asked->stream(fmt::format("/v1/fleet/services/{}/weights", segment(arguments.argument(0))),
                    [&](std::string_view piece) {
                      buffer += piece;
                      for (size_t end = buffer.find("\n\n"); end != std::string::npos;
                           end = buffer.find("\n\n")) {
                        const std::string event = buffer.substr(0, end);
                        buffer.erase(0, end + 2);
                        const size_t data = event.find("data: ");
                        if (data == std::string::npos) continue;
                        terminal.out << event.substr(data + 6) << "\n";
                        terminal.out.flush();
                      }
                      return terminal.out.good();
                    });
  if (!done) return failed(done.error(), terminal);
  return kExitDone;
}

std::vector<Option> with_server(std::vector<Option> options, bool json = true) {
  if (json) options.push_back({"json", 0, "", "Print the API's answer as it is"});
  options.push_back({"server", 's', "URL",
                     "The fleet; else $WEIR_FLEET, else "
                     "http://127.0.0.1:8095"});
  options.push_back({"token", 0, "TOKEN", "Its token; else $WEIR_FLEET_TOKEN"});
  return options;
}

}  // namespace

Command fleet_command() {
  const Argument service{"SERVICE", "Its name"};
  const Argument endpoint{"ENDPOINT", "As SERVICE/ENDPOINT: search/a-1"};
  const Option until{"for", 0, "TIME", "How long: 30m, 12h, at most 7d", "1h"};
  const Option reason{"reason", 0, "TEXT", "Why, for those who ask later"};
  return {
      .name = "fleet",
      .summary = "Run a traffic scheduler for services of any kind, and ask it why",
      .details =
          "Callers and endpoints report what they saw each second; the fleet publishes a weight\n"
          "for each endpoint and explains every change. docs/fleet.md begins with an example.",
      .subcommands =
          {{.name = "serve",
            .summary = "Run the scheduler and its API",
            .options = {{"config", 'c', "FILE", "fleet.yaml; none: every default"},
                        {"quiet", 'q', "", "Print nothing but the log"}},
            .examples = {{"weir fleet serve", "At 127.0.0.1:8095, for this machine"},
                         {"weir fleet serve -c fleet.yaml", "As the file says"}},
            .run = run_fleet_serve},
           {.name = "status",
            .summary = "What is going on, and who is not well",
            .options = with_server({}),
            .examples = {{"weir fleet status", "The fleet on this machine"}},
            .run = run_status},
           {.name = "services",
            .summary = "List the services",
            .options = with_server({}),
            .examples = {{"weir fleet services", "With how many endpoints are in which state"}},
            .run = run_services},
           {.name = "endpoints",
            .summary = "List the endpoints of a service with their weights",
            .arguments = {service},
            .options = with_server({}),
            .examples = {{"weir fleet endpoints search", "The table as it is published"}},
            .run = run_endpoints},
           {.name = "explain",
            .summary = "Say why an endpoint has the weight it has",
            .arguments = {endpoint},
            .options = with_server({}),
            .examples = {{"weir fleet explain search/a-1", "Verdict, factors, and each change"}},
            .run = run_explain},
           {.name = "watch",
            .summary = "Follow the table of a service, one JSON line for each change",
            .arguments = {service},
            .options = with_server({}, false),
            .examples = {{"weir fleet watch search", "Until interrupted"}},
            .run = run_watch},
           {.name = "pin",
            .summary = "Set an endpoint's share of its weight, whatever the evidence says",
            .arguments = {endpoint, {"SHARE", "0 to 1, or a percentage: 50%"}},
            .options = with_server({until, reason}, false),
            .examples = {{"weir fleet pin search/a-1 25% --for 2h --reason canary",
                          "A quarter of its traffic for two hours"}},
            .run = run_pin},
           {.name = "drain",
            .summary = "Take an endpoint out of the table for a while",
            .arguments = {endpoint},
            .options = with_server({until, reason}, false),
            .examples = {{"weir fleet drain search/a-1 --for 30m --reason disk",
                          "Back by itself after half an hour"}},
            .run = run_drain},
           {.name = "unpin",
            .summary = "End a pin or drain",
            .arguments = {endpoint},
            .options = with_server({}, false),
            .examples = {{"weir fleet unpin search/a-1", "The evidence decides again"}},
            .run = run_unpin},
           {.name = "dry-run",
            .summary = "Explain changes of a service without making them, or make them again",
            .arguments = {service, {"MODE", "on or off"}},
            .options = with_server({}, false),
            .examples = {{"weir fleet dry-run search on", "The published weights go to base"}},
            .run = run_dry_run}},
  };
}

}  // namespace weir::app
