// The pages of docs/reference/ that are printed from the code's own tables: routes, metric
// families, the admin API, the command tree; and the failure classes, which stand in
// docs/failures.md. `weir reference` prints them, a test holds the files against them. Pure.
#pragma once

#include <string>

#include "app/cli.h"

namespace weir::app {

std::string endpoints_page();
std::string metrics_page();
std::string admin_api_page();
// Which role may call which route of the admin API.
std::string roles_page();
// Of `weir fleet serve`: its file, its API, its metrics.
std::string fleet_configuration_page();
std::string fleet_api_page();
std::string fleet_metrics_page();
std::string commands_page(const Command& program);
// Rows for the families of a text exposition: name, type, labels, help.
std::string metrics_table(const std::string& exposed);
// A table, without a heading.
std::string failure_classes_table();

}  // namespace weir::app
