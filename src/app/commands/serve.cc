// weir serve: the gateway, the admin API and the console, until SIGTERM.
#include <fmt/format.h>
#include <sys/prctl.h>

#include <csignal>
#include <exception>
#include <ostream>

#include "app/commands.h"
#include "app/control_plane.h"
#include "net/signals.h"

namespace weir::app {
namespace {

void greet(const ControlPlane& plane, std::ostream& out) {
  const std::string address = plane.public_address();
  out << "Weir " << plane.version() << " is serving.\n\n"
      << "  model APIs   " << address << "/v1\n"
      << "  console      " << plane.admin_address() << "/\n"
      << "  metrics      " << plane.admin_address() << "/metrics\n"
      << "  data         " << plane.config().data_dir << "\n\n";
  const auto snapshot = plane.snapshot();
  const std::string model = snapshot->models.empty() ? "MODEL" : snapshot->models.front().name;
  const std::string key =
      snapshot->keys_required ? " \\\n    -H \"Authorization: Bearer $WEIR_KEY\"" : "";
  if (plane.is_demo()) {
    out << "No configuration file was given: the model \"demo\" is answered by Weir's built-in\n"
           "simulator. No account is needed and nothing leaves this machine.\n\n";
  }
  out << "Try it:\n\n"
      << fmt::format(
             "  curl -N {}/v1/chat/completions{} \\\n"
             "    -H \"Content-Type: application/json\" \\\n"
             "    -d '{{\"model\":\"{}\",\"stream\":true,\"messages\":[{{\"role\":\"user\","
             "\"content\":\"Hello\"}}]}}'\n\n",
             address, key, model)
      << "Then see what it cost, and its row in the ledger:\n\n"
      << fmt::format("  curl {}/api/v1/requests?limit=1{}\n\n", plane.admin_address(),
                     plane.config().admin.token.empty()
                         ? ""
                         : " -H \"Authorization: Bearer $WEIR_ADMIN_TOKEN\"");
  out.flush();
}

int serve(const Arguments& arguments, Terminal& terminal) {
  // Before any thread starts: the others inherit the mask.
  net::block_signals({SIGTERM, SIGINT, SIGHUP});
  // A core dump holds every credential; nor may another process of this user read the memory.
  if (!arguments.has("core-dumps")) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  try {
    ControlPlane plane(
        {.config_path = arguments.value("config"), .data_dir = arguments.value("data-dir")});
    if (auto started = plane.start(); !started) {
      terminal.err << "weir serve: " << started.error().message() << "\n";
      return kExitFailed;
    }
    if (!arguments.has("quiet")) greet(plane, terminal.out);
    return plane.run();
  } catch (const std::exception& problem) {
    terminal.err << "weir serve: " << problem.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace

Command serve_command() {
  return {
      .name = "serve",
      .summary = "Run the gateway, the admin API and the console",
      .details =
          "Without a configuration file Weir runs in demo mode: the model \"demo\" is answered by\n"
          "the built-in simulator, and data lies in ./weir-data. SIGHUP or a change of the file\n"
          "reloads the configuration; a bad one leaves the running one untouched. SIGTERM lets\n"
          "running requests end (server.drain) and stops.",
      .options = {{"config", 'c', "FILE", "Configuration file; none: demo mode"},
                  {"data-dir", 0, "DIR", "Where ledger and keys lie, instead of data_dir"},
                  {"quiet", 'q', "", "Print nothing but the log"},
                  {"core-dumps", 0, "", "Allow core dumps and debuggers, which see secrets"}},
      .examples = {{"weir serve", "Try Weir with the built-in simulator"},
                   {"weir serve -c weir.yaml", "Serve what weir.yaml says"}},
      .run = serve,
  };
}

}  // namespace weir::app
