// What is wrong with a configuration, collected so that a person sees all of it at once. Values;
// one thread while collecting. At most 200 problems are kept, the rest are counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  unsupported,       // understood, but this version of Weir cannot do it
};
std::string_view to_string(ProblemCode code);

enum class Severity : uint8_t { error, warning };
std::string_view to_string(Severity severity);

struct Problem {
  Severity severity = Severity::error;
  ProblemCode code = ProblemCode::syntax;
  int line = 0;  // 1-based; 0: the file as a whole
  int column = 0;
  std::string path;     // "models[0].deployments[1].weight"; empty: the document
  std::string message;  // what was expected, what came, what to do
};

// "weir.yaml:12:5: error: models[0].weight: expected ... [bad_value]"
std::string to_text(const Problem& problem, std::string_view file);

class Problems {
 public:
  static constexpr size_t kKeptMax = 200;

  // The same code at the same place is kept once: an alias repeats what it copies.
  void add(Problem problem);
  bool has_error() const { return has_error_; }
  // No more will be kept: costly explanations can be skipped.
  bool is_full() const { return kept_.size() >= kKeptMax; }
  // In the order of the file; a last entry says how many were left out, if any were.
  std::vector<Problem> take();

 private:
  std::vector<Problem> kept_;
  size_t dropped_ = 0;
  bool has_error_ = false;
};

}  // namespace weir::app
