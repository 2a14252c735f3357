#include "app/reference/pages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "admin/routes.h"
#include "dialect/translate.h"
#include "provider/failure.h"

namespace weir::app {
namespace {

// The first lines of a page, with the command that prints it.
std::string heading(std::string_view title, std::string_view page) {
  return fmt::format(
      "# {}\n\n<!-- Printed by `weir reference {}`. Do not edit: run\n"
      "     `weir reference {} > docs/reference/{}.md`. -->\n\n",
      title, page, page, page);
}

void add_command(const Command& command, const std::string& path, std::string& out) {
  out += fmt::format("\n## {}\n\n```text\n{}```\n", path, help_text(command, path));
  for (const Command& inner : command.subcommands) {
    add_command(inner, fmt::format("{} {}", path, inner.name), out);
  }
}

std::string_view yes(bool value) {
  return value ? "yes" : "";
}

std::string_view blamed(provider::Blame blame) {
  switch (blame) {
    case provider::Blame::deployment:
      return "deployment";
    case provider::Blame::credential:
      return "account";
    case provider::Blame::nobody:
      break;
  }
  return "";
}

}  // namespace

std::string admin_api_page() {
  std::string out = heading("Admin API", "admin-api");
  out +=
      "At `admin.listen`, by default `http://127.0.0.1:8081`. Who may ask is in "
      "[people.md](../people.md),\nwhich role may call what in [roles.md](roles.md). Bodies and "
      "answers are JSON; an "
      "error is\n`{\"error\":{\"code\":\"…\",\"message\":\"…\"}}` with a fitting status. The same "
      "table as an OpenAPI document is\nat `/api/v1/openapi.json`.\n\n"
      "| request | does |\n|---|---|\n";
  for (const admin::Route& route : admin::routes()) {
    out += fmt::format("| `{} {}` | {} |\n", route.method, route.path, route.summary);
  }
  out += "| `GET /healthz` | 200 while the process lives; asks for no token |\n";
  for (const admin::Route& route : admin::routes()) {
    if (route.query.empty() && route.body_example.empty()) continue;
    out += fmt::format("\n## {} {}\n\n{}.\n", route.method, route.path, route.summary);
    if (!route.query.empty()) out += "\n| query parameter | means |\n|---|---|\n";
    for (const admin::QueryParameter& parameter : route.query) {
      out += fmt::format("| `{}` | {} |\n", parameter.name, parameter.doc);
    }
    if (!route.body_example.empty()) {
      out += fmt::format("\nExample of a body:\n\n```json\n{}\n```\n", route.body_example);
    }
  }
  return out;
}

std::string commands_page(const Command& program) {
  std::string out = heading("Commands", "commands");
  out +=
      "What `weir help` prints. Exit status: 0 done, 1 could not be done, 2 the command line is "
      "wrong.\n";
  add_command(program, std::string(program.name), out);
  return out;
}

std::string failure_classes_table() {
  using provider::FailureClass;
  std::string out =
      "| class | held against | counts as a failure | another deployment is tried | the same one "
      "may be tried again |\n|---|---|---|---|---|\n";
  for (auto failure = static_cast<uint8_t>(FailureClass::connect);
       failure <= static_cast<uint8_t>(FailureClass::cancelled); ++failure) {
    const auto which = static_cast<FailureClass>(failure);
    const provider::FailureRule& rule = provider::rule_of(which);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", provider::to_string(which),
                       blamed(rule.blame), yes(rule.counts_against_health), yes(rule.try_another),
                       yes(rule.try_same));
  }
  return out;
}

}  // namespace weir::app
