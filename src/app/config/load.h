// Reading weir.yaml: text in, a Config or every problem the text has out. Start-up and reload code:
// it may read files and allocate freely, so never on a worker. The file system and the environment
// come in as a parameter; nothing here reads the process's own.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "app/config/problems.h"
#include "app/config/surroundings.h"

namespace weir::app {

struct Loaded {
  // Present exactly when no problem is an error.
  std::optional<Config> config;
  std::vector<Problem> problems;  // in the order of the file
};

// Decodes and checks a whole document. Limits: 4 MiB, nesting 32, 200,000 nodes, 200 problems.
Loaded load_text(std::string_view text, const Surroundings& surroundings);
// The same for a file; a file that cannot be read is one problem.
Loaded load_file(const std::string& path, const Surroundings& surroundings);

}  // namespace weir::app
