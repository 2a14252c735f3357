#include "app/version.h"

#include <fmt/format.h>

#include <ostream>

#include "app/commands.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

int run_version(const Arguments& arguments, Terminal& terminal) {
  if (arguments.has("json")) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("version", version()).member("commit", commit());
    w.member("build", std::string_view(build_description()));
    w.key("libraries").begin_object();
    for (const auto& [name, library_version] : linked_libraries()) {
      w.member(name, std::string_view(library_version));
    }
    w.end_object().end_object();
    terminal.out << out << "\n";
    return kExitDone;
  }
  terminal.out << fmt::format("weir {} ({})\nbuild: {}\n", version(), commit(),
                              build_description());
  for (const auto& [name, library_version] : linked_libraries()) {
    terminal.out << fmt::format("{}: {}\n", name, library_version);
  }
  return kExitDone;
}

}  // namespace

Command version_command() {
  return {
      .name = "version",
      .summary = "Say what this binary is: version, commit, build, linked libraries",
      .options = {{"json", 0, "", "Print one JSON object"}},
      .examples = {{"weir version", "For a bug report"}},
      .run = run_version,
  };
}

}  // namespace weir::app
