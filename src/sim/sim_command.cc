#include "sim/sim_command.h"

#include <fmt/format.h>

#include <csignal>
#include <ostream>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "net/signals.h"
#include "sim/process.h"

namespace weir::sim {
namespace {

// What runs when the program is told to end may take this long to do so.
constexpr Nanoseconds kDrain = std::chrono::seconds(5);

void greet(const SimCommandOptions& options, uint16_t port, std::ostream& out) {
  const size_t colon = options.listen.rfind(':');
  const std::string host = options.listen.substr(0, colon);
  const std::string address =
      fmt::format("{}://{}:{}", options.tls ? "https" : "http",
                  host.empty() || host == "*" || host == "0.0.0.0" ? "127.0.0.1" : host, port);
  out << "Weir's simulated provider is listening.\n\n"
      << "  OpenAI, Azure, Anthropic, Gemini, Vertex   " << address << "\n"
      << "  its account of calls                       " << address << "/sim/v1/calls\n"
      << "  totals                                     " << address << "/sim/v1/totals\n"
      << "  tell it what to do                         POST " << address << "/sim/v1/script\n\n"
      << fmt::format("  curl {}/v1/chat/completions -H 'content-type: application/json' \\\n",
                     address)
      << "    -d "
         "'{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n";
  out.flush();
}

}  // namespace

Result<Rule> parse_fault_option(std::string_view text) {
  const size_t at = text.find('@');
  const std::string_view name = text.substr(0, at);
  double rate = 1;
  if (at != std::string_view::npos) {
    WEIR_TRY(rate, parse_share(text.substr(at + 1)));
  }
  const bool status = parse_uint64(name, 599).has_value();
  const std::string json = status
                               ? fmt::format(R"({{"fault":{{"kind":"status","status":{}}}}})", name)
                               : fmt::format(R"({{"fault":{{"kind":{}}}}})", json::quoted(name));
  json::Document document;
  WEIR_CHECK_OK(document.parse(json));
  WEIR_TRY(Rule rule, parse_rule(document.root()));
  rule.rate = rate;
  rule.name = std::string(text);
  return rule;
}

int run_sim(SimCommandOptions options, std::ostream& out, std::ostream& err) {
  raise_descriptor_limit();
  SystemClock clock;
  net::Loop loop(clock);
  Simulator simulator(loop, options.config);
  for (Rule& rule : options.rules) {
    if (auto added = simulator.script().add(std::move(rule)); !added) {
      err << "weir sim: " << added.error().message() << "\n";
      return 1;
    }
  }
  const auto port = simulator.listen(options.listen, options.tls);
  if (!port) {
    err << "weir sim: " << port.error().message() << "\n";
    return 1;
  }
  bool ending = false;
  const auto signals = net::Signals::open(loop, {SIGINT, SIGTERM}, [&](int) {
    if (std::exchange(ending, true)) {
      loop.stop();
      return;
    }
    loop.spawn([](Simulator& sim, net::Loop& its_loop) -> net::Task<void> {
      co_await sim.drain(kDrain);
      its_loop.stop();
    }(simulator, loop));
  });
  if (!signals) {
    err << "weir sim: " << signals.error().message() << "\n";
    return 1;
  }
  if (!options.quiet) greet(options, *port, out);
  loop.run();
  loop.destroy_tasks();
  return 0;
}

}  // namespace weir::sim
