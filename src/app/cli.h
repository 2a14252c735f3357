// The command line: a tree of commands, each with its options, arguments, examples and function;
// parsing, help that teaches, and suggestions for what was mistyped. Commands get where to write
// and what to read as a parameter, so tests run them without a process. One thread.
//
// Options are long ("--config FILE", "--config=FILE", "--json") with at most one letter ("-c FILE",
// "-cFILE"); "--" ends them. Exit codes: 0 done, 1 could not be done, 2 the command line is wrong.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/surroundings.h"

namespace weir::app {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

struct Option {
  std::string_view name;           // without the dashes: "config"
  char letter = 0;                 // 0: none
  std::string_view value;          // what stands for the value in help: "FILE"; empty: a flag
  std::string_view doc;            // no full stop at the end, as in every list of help
  std::string_view standard = {};  // the default as text; empty: none
};

struct Argument {
  std::string_view name;  // "FILE"
  std::string_view doc;
  bool required = true;
  bool repeated = false;  // the last one may take all that is left
};

struct Example {
  std::string_view line;  // "weir check -c weir.yaml"
  std::string_view doc;
};

// What was given on the command line, checked against the command's options and arguments.
class Arguments {
 public:
  bool has(std::string_view option) const;
  // The last value given, else the option's default, else empty.
  std::string value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
  const std::vector<std::string>& positional() const { return positional_; }
  // The positional argument at that place, or empty.
  std::string argument(size_t index) const;

 private:
  friend class CommandLine;
  struct Given {
    std::string name;
    std::string value;
  };
  std::vector<Given> given_;
  std::vector<Given> standard_;
  std::vector<std::string> positional_;
};

// Where a command writes, and what it may read.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  Surroundings surroundings;
  std::istream* in = nullptr;  // what is typed; null: nothing
};

struct Command {
  std::string_view name;          // "check"
  std::string_view summary;       // one line, no full stop: for the list of commands
  std::string_view details = {};  // paragraphs for its own help
  std::vector<Argument> arguments = {};
  std::vector<Option> options = {};
  std::vector<Example> examples = {};
  std::function<int(const Arguments&, Terminal&)> run = {};  // empty: it only has subcommands
  std::vector<Command> subcommands = {};
};

// Runs the command that `words` (without the program's name) asks for, or explains what is wrong.
// "help [COMMAND]...", "--help" and "-h" work everywhere.
int run_command_line(const Command& program, const std::vector<std::string>& words,
                     Terminal& terminal);

// A command's help; `path` is how it is called: "weir import litellm".
std::string help_text(const Command& command, std::string_view path);

}  // namespace weir::app
