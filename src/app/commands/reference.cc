// weir reference: the reference pages that are made from the program's own tables.
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/reference/pages.h"
#include "dialect/losses.h"

namespace weir::app {
namespace {

Command page(std::string_view name, std::string_view summary, std::string (*print)(),
             Example example) {
  return {.name = name,
          .summary = summary,
          .examples = {example},
          .run = [print](const Arguments&, Terminal& terminal) {
            terminal.out << print();
            return kExitDone;
          }};
}

}  // namespace

Command reference_command() {
  return {
      .name = "reference",
      .summary = "Print a page of the reference, in Markdown",
      .details =
          "The pages of docs/reference, as they are true of this binary. The page of the\n"
          "configuration is printed by `weir config reference`.",
      .examples = {{"weir reference metrics", "What /metrics holds"}},
      .subcommands =
          {page("endpoints", "Paths of the model APIs, and who serves them", endpoints_page,
                {"weir reference endpoints > docs/reference/endpoints.md", "Write the page"}),
           page("dialects", "What a translation cannot carry, and what happens instead",
                dialect::dialects_markdown,
                {"weir reference dialects > docs/reference/dialects.md", "Write the page"}),
           page("metrics", "What /metrics holds", metrics_page,
                {"weir reference metrics | grep ledger", "The ledger's metrics"}),
           page("admin-api", "Paths of the admin API", admin_api_page,
                {"weir reference admin-api > docs/reference/admin-api.md", "Write the page"}),
           page("roles", "What each role may do, by route", roles_page,
                {"weir reference roles > docs/reference/roles.md", "Write the page"}),
           page("commands", "Help of every command", [] { return commands_page(program()); },
                {"weir reference commands | less", "Read all of it"}),
           page("fleet-configuration", "The file that `weir fleet serve` reads",
                fleet_configuration_page,
                {"weir reference fleet-configuration > docs/reference/fleet-configuration.md",
                 "Write the page"}),
           page("fleet-api", "Paths of the API of a fleet", fleet_api_page,
                {"weir reference fleet-api | grep weights", "How tables are read"}),
           page("fleet-metrics", "What /metrics of a fleet holds", fleet_metrics_page,
                {"weir reference fleet-metrics | grep cuts", "Those about cuts"}),
           page("failures", "Classes of failures, and what follows from each",
                failure_classes_table,
                {"weir reference failures", "The table in docs/failures.md"})},
  };
}

}  // namespace weir::app
