// What loading a configuration may look at besides the text: the environment and the file system,
// as a parameter, so that tests and `weir import` bring their own. Used on start-up and control
// threads.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace weir::app {

struct Config;

// An account or a model that was made in the console or by `weir account`: taken in behind those of
// the file, which come first where two have one name.
struct ManagedItem {
  std::string section;  // "accounts", "models"
  std::string name;
  Secret text;  // the object, as JSON
};

struct Surroundings {
  // The value of an environment variable, or nullopt where it is not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The bytes of a file of at most 4 MiB. Errors: not_found, permission_denied, io_error,
  // limit_exceeded.
  std::function<Result<std::string>(const std::string& path)> read_file;

  // A field of a secret at HashiCorp Vault: ${vault:PATH#FIELD}. Empty: there is no Vault.
  std::function<Result<Secret>(const std::string& path, const std::string& field)> vault = {};
  // What is managed beside the file, by what the file says (data_dir, secrets). Empty: nothing.
  std::function<Result<std::vector<ManagedItem>>(const Config& file)> managed = {};

  // The process's environment, file system, Vault and managed objects.
  static Surroundings process();
  // Nothing set and no file.
  static Surroundings empty();
};

}  // namespace weir::app
