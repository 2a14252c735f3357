// The audit record of a command that changes a data directory. One thread.
#pragma once

#include <string>
#include <string_view>

#include "app/cli.h"

namespace weir::app {

struct ShellChange {
  std::string_view action;  // "weir key rotate"
  std::string_view object;  // an id
  std::string before = {};  // JSON without secrets
  std::string after = {};
};

// Appends it, by the name of the operating system's user. What cannot be recorded is told; it has
// happened all the same.
void record_change(const std::string& data_folder, const ShellChange& change, Terminal& terminal);

}  // namespace weir::app
