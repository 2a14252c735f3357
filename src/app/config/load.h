// Reading weir.yaml: text in, a Config or every problem the text has out. Start-up and reload code:
// it may read files and allocate freely, so never on a worker. The file system and the environment
// come in as a parameter; nothing here reads the process's own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "base/result.h"

namespace weir::app {

// What is wrong, for programs: stable names, printed in brackets and in JSON.
enum class ProblemCode : uint8_t {
  syntax,            // not YAML
  limit,             // too large, too deep, too many nodes
  unknown_field,     // no field of that name here
  duplicate_field,   // the same field twice in one object
  missing_field,     // a required field is absent
  wrong_type,        // a list where a text was expected, and so on
  bad_value,         // right type, but not a value this field can have
  missing_variable,  // ${NAME} without a value
  missing_file,      // a file that is referred to cannot be read
  unknown_name,      // refers to an account, model or team that does not exist
  duplicate_name,    // two objects of a kind share a name
  conflict,          // fields that are each fine but not together
};
std::string_view to_string(ProblemCode code);

enum class Severity : uint8_t { error, warning };

struct Problem {
  Severity severity = Severity::error;
  ProblemCode code = ProblemCode::syntax;
  int line = 0;  // 1-based; 0: the file as a whole
  int column = 0;
  std::string path;     // "models[0].deployments[1].weight"; empty: the document
  std::string message;  // what was expected, what came, what to do
};

// "weir.yaml:12:5: error: models[0].weight: ... [bad_value]"
std::string to_text(const Problem& problem, std::string_view file);

// What loading may look at besides the text.
struct Surroundings {
  // The value of an environment variable, or nullopt where it is not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The bytes of a file of at most 1 MiB.
  std::function<Result<std::string>(const std::string& path)> read_file;

  // The process's environment and file system.
  static Surroundings process();
  // Nothing set, no file: for tests and for text that needs neither.
  static Surroundings empty();
};

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
