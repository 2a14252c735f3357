#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/config/load.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

constexpr size_t kNamesMax = 12;

std::string plural(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// "3: a, b, c"; long lists end in "and 7 more".
std::string list(const std::vector<std::string>& items) {
  if (items.empty()) return "none";
  const size_t shown = std::min(items.size(), kNamesMax);
  std::string text = fmt::format(
      "{}: {}", items.size(),
      fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < items.size()) text += fmt::format(" and {} more", items.size() - shown);
  return text;
}

std::string describe(const Model& model) {
  std::string text =
      fmt::format("{} ({}", model.name, plural(model.deployments.size(), "deployment"));
  if (!model.fallbacks.empty()) {
    text += fmt::format(", then {}", fmt::join(model.fallbacks, ", "));
  }
  return text + ")";
}

void print_summary(const Config& config, std::string_view file, Terminal& terminal) {
  std::vector<std::string> accounts;
  for (const Account& account : config.accounts) {
    accounts.push_back(fmt::format("{} ({})", account.name, to_string(account.provider)));
  }
  std::vector<std::string> models;
  for (const Model& model : config.models) models.push_back(describe(model));
  std::vector<std::string> keys;
  for (const Key& key : config.keys) keys.push_back(key.name);
  std::vector<std::string> teams;
  for (const Team& team : config.teams) teams.push_back(team.name);
  terminal.out << fmt::format(
      "{} is valid.\n"
      "  model APIs  {}://{}\n"
      "  admin       http://{}\n"
      "  data        {}\n"
      "  accounts    {}\n"
      "  models      {}\n"
      "  keys        {}\n"
      "  teams       {}\n",
      file, config.server.tls ? "https" : "http", config.server.listen.to_text(),
      config.admin.listen.to_text(), config.data_dir, list(accounts), list(models), list(keys),
      list(teams));
}

void print_json(const Loaded& loaded, const std::string& file, Terminal& terminal) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("file", std::string_view(file));
  w.member("valid", loaded.config.has_value());
  w.key("problems").begin_array();
  for (const Problem& problem : loaded.problems) {
    w.begin_object();
    w.member("severity", to_string(problem.severity)).member("code", to_string(problem.code));
    w.member("line", problem.line).member("column", problem.column);
    w.member("path", std::string_view(problem.path));
    w.member("message", std::string_view(problem.message));
    w.end_object();
  }
  w.end_array();
  if (loaded.config) {
    const Config& config = *loaded.config;
    w.key("summary").begin_object();
    w.member("listen", std::string_view(config.server.listen.to_text()));
    w.member("admin_listen", std::string_view(config.admin.listen.to_text()));
    w.member("accounts", static_cast<int64_t>(config.accounts.size()));
    w.member("models", static_cast<int64_t>(config.models.size()));
    w.member("keys", static_cast<int64_t>(config.keys.size()));
    w.member("teams", static_cast<int64_t>(config.teams.size()));
    w.end_object();
  }
  w.end_object();
  terminal.out << out << "\n";
}

int run_check(const Arguments& arguments, Terminal& terminal) {
  const std::string file =
      arguments.positional().empty() ? arguments.value("config") : arguments.argument(0);
  const Loaded loaded = load_file(file, terminal.surroundings);
  if (arguments.has("json")) {
    print_json(loaded, file, terminal);
    return loaded.config ? kExitDone : kExitFailed;
  }
  size_t errors = 0;
  for (const Problem& problem : loaded.problems) {
    if (problem.severity == Severity::error) ++errors;
    terminal.err << to_text(problem, file) << "\n";
  }
  if (!loaded.config) {
    terminal.err << fmt::format("{} is not valid: {}.\n", file, plural(errors, "error"));
    return kExitFailed;
  }
  print_summary(*loaded.config, file, terminal);
  return kExitDone;
}

}  // namespace

Command check_command() {
  return {
      .name = "check",
      .summary = "Say everything that is wrong with a configuration file",
      .details =
          "Every mistake is told with line, column, what was expected and the nearest valid\n"
          "name. Environment variables and secret files are read as `weir serve` would. Warnings\n"
          "do not make a file invalid. Exit status: 0 valid, 1 not.",
      .arguments = {{"FILE", "The configuration, instead of --config", false}},
      .options = {{"config", 'c', "FILE", "The configuration", "weir.yaml"},
                  {"json", 0, "", "Print one JSON object, for programs"}},
      .examples = {{"weir check -c weir.yaml", "Before a reload"},
                   {"weir check --json weir.yaml | jq '.problems[].path'", "In a pipeline"}},
      .run = run_check,
  };
}

}  // namespace weir::app
