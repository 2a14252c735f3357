// The Reader carries one decoding through the tables: where it is, what was wrong, what the
// environment says, and where every field stood, for checks that come later. One thread; lives for
// one load.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "app/config/config.h"
#include "app/config/problems.h"
#include "app/config/surroundings.h"
#include "app/config/yaml.h"

namespace weir::app {

class Reader {
 public:
  Reader(const Surroundings& surroundings, Problems& problems)
      : surroundings_(surroundings), problems_(problems) {}

  // Goes one step deeper while it lives: a field's name or an item's number.
  class Step {
   public:
    Step(Reader& reader, const YamlNode& node, std::string_view field);
    Step(Reader& reader, const YamlNode& node, size_t index);
    ~Step() { reader_.path_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reader& reader_;
    size_t length_;
  };

  void problem(ProblemCode code, const YamlNode& node, std::string message);
  // At the place of a field that was read, or of the nearest object around it. Says nothing where
  // an error is reported already: one mistake is told once.
  void problem_at(ProblemCode code, const std::string& path, std::string message,
                  Severity severity = Severity::error);

  // The text of a scalar with ${NAME}, ${NAME:-default} and ${vault:PATH#FIELD} replaced ($${
  // stands for ${). nullopt when it is no scalar, a variable is missing, or the text has control
  // characters: each reported. `expected` says what would have been right. With `secret` no value
  // is ever repeated and "file:PATH" stands for that file's content without the line break at its
  // end.
  std::optional<std::string> text_of(const YamlNode& node, std::string_view expected,
                                     bool secret = false);

  bool was_read(const std::string& path) const { return positions_.contains(path); }
  bool has_problem(const std::string& path) const { return reported_.contains(path); }
  const std::string& path() const { return path_; }
  bool is_full() const { return problems_.is_full(); }
  const Surroundings& surroundings() const { return surroundings_; }

  // What `defaults` says; models start from it. Set once that section is read.
  Defaults defaults;

 private:
  struct Position {
    int line;
    int column;
  };
  std::optional<std::string> substitute(const YamlNode& node);
  std::optional<std::string> read_vault(const YamlNode& node, std::string_view reference);
  std::optional<std::string> read_secret_file(const YamlNode& node, const std::string& path);

  const Surroundings& surroundings_;
  Problems& problems_;
  std::string path_;
  std::unordered_map<std::string, Position> positions_;
  std::unordered_set<std::string> reported_;  // paths with an error
};

}  // namespace weir::app
