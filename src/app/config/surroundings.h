// What loading a configuration may look at besides the text: the environment and the file system,
// as a parameter, so that tests and `weir import` bring their own. Used on start-up and control
// threads.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace weir::app {

struct Surroundings {
  // The value of an environment variable, or nullopt where it is not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The bytes of a file of at most 4 MiB. Errors: not_found, permission_denied, io_error,
  // limit_exceeded.
  std::function<Result<std::string>(const std::string& path)> read_file;

  // The process's environment and file system.
  static Surroundings process();
  // Nothing set and no file.
  static Surroundings empty();
};

}  // namespace weir::app
