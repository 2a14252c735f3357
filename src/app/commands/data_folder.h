// Where commands that read or write a data directory find it: --data-dir, the data_dir of the file
// that --config names, or the standard one. One thread.
#pragma once

#include <string>
#include <vector>

#include "app/cli.h"
#include "base/result.h"

namespace weir::app {

// The options with --config and --data-dir behind them.
std::vector<Option> with_store(std::vector<Option> options);
// Errors: invalid_argument, with every problem of the configuration file.
Result<std::string> data_folder(const Arguments& arguments, Terminal& terminal);

}  // namespace weir::app
