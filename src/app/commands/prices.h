// What `weir prices` and its subcommands share.
#pragma once

#include <optional>
#include <string>

#include "app/cli.h"
#include "app/config/config.h"

namespace weir::app {

// The configuration that --config names, or an empty one. Nothing after a problem, which is told.
std::optional<Config> prices_config(const Arguments& arguments, Terminal& terminal);

// In price_catalogue.cc.
Command prices_import_command();
Command prices_diff_command();

}  // namespace weir::app
