#include <errno.h>
#include <fmt/format.h>
#include <string.h>

#include <fstream>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/import/litellm.h"

namespace weir::app {
namespace {

// Writes a new file; an old one stays untouched.
bool write_new_file(const std::string& path, const std::string& text, Terminal& terminal) {
  FILE* file = fopen(path.c_str(), "wxe");
  if (file == nullptr) {
    terminal.err << fmt::format("weir: cannot write {}: {}\n", path, strerror(errno));
    return false;
  }
  const bool written = fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = fclose(file) == 0;
  if (!written || !closed) terminal.err << fmt::format("weir: cannot write {}\n", path);
  return written && closed;
}

int run_import_litellm(const Arguments& arguments, Terminal& terminal) {
  const std::string file = arguments.argument(0);
  const auto text = terminal.surroundings.read_file(file);
  if (!text) {
    terminal.err << "weir: " << text.error().message() << "\n";
    return kExitFailed;
  }
  const auto imported = import_litellm(*text, file);
  if (!imported) {
    terminal.err << imported.error().message() << "\n";
    return kExitFailed;
  }
  const std::string output = arguments.value("output");
  if (output.empty()) {
    terminal.out << imported->yaml;
  } else if (!write_new_file(output, imported->yaml, terminal)) {
    return kExitFailed;
  }
  for (const ImportNote& note : imported->notes) {
    terminal.err << (note.line > 0
                         ? fmt::format("{}:{}: {}: {}\n", file, note.line, note.path, note.message)
                         : fmt::format("{}: {}: {}\n", file, note.path, note.message));
  }
  return kExitDone;
}

}  // namespace

Command import_command() {
  return {
      .name = "import",
      .summary = "Make a weir.yaml from another gateway's configuration",
      .subcommands = {{
          .name = "litellm",
          .summary = "Make a weir.yaml from a LiteLLM proxy configuration",
          .details =
              "The result goes to standard output or to --output. What has no equivalent, or\n"
              "works differently, is listed on standard error with the reason. Secrets that\n"
              "LiteLLM reads from the environment are read from it by Weir too.",
          .arguments = {{"FILE", "The LiteLLM config.yaml"}},
          .options = {{"output", 'o', "FILE", "Write to this file, which must not exist yet"}},
          .examples = {{"weir import litellm config.yaml -o weir.yaml", "Then: weir check"},
                       {"weir import litellm config.yaml > /dev/null",
                        "Only say what has no equivalent"}},
          .run = run_import_litellm,
      }},
  };
}

}  // namespace weir::app
