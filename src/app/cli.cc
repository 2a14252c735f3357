#include "app/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "app/nearest.h"

namespace weir::app {
namespace {

const Command* find_command(const std::vector<Command>& commands, std::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [name](const Command& c) { return c.name == name; });
  return found == commands.end() ? nullptr : &*found;
}

std::string synopsis(const Command& command, std::string_view path) {
  std::string line(path);
  if (!command.subcommands.empty()) line += command.run ? " [COMMAND]" : " COMMAND";
  if (!command.options.empty()) line += " [OPTION]...";
  for (const Argument& argument : command.arguments) {
    const std::string name =
        argument.repeated ? fmt::format("{}...", argument.name) : std::string(argument.name);
    line += argument.required ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return line;
}

std::string option_label(const Option& option) {
  std::string label = option.letter == 0 ? "    " : fmt::format("-{}, ", option.letter);
  label += fmt::format("--{}", option.name);
  if (!option.value.empty()) label += fmt::format(" {}", option.value);
  return label;
}

using Row = std::pair<std::string, std::string>;

void append_rows(std::string_view title, const std::vector<Row>& rows, std::string& out) {
  if (rows.empty()) return;
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.first.size());
  width = std::min<size_t>(width, 30);
  out += fmt::format("\n{}:\n", title);
  for (const auto& [left, right] : rows) out += fmt::format("  {:<{}}  {}\n", left, width, right);
}

}  // namespace

bool Arguments::has(std::string_view option) const {
  return std::any_of(given_.begin(), given_.end(),
                     [option](const Given& g) { return g.name == option; });
}

std::string Arguments::value(std::string_view option) const {
  for (auto given = given_.rbegin(); given != given_.rend(); ++given) {
    if (given->name == option) return given->value;
  }
  for (const Given& given : standard_) {
    if (given.name == option) return given.value;
  }
  return {};
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  std::vector<std::string> all;
  for (const Given& given : given_) {
    if (given.name == option) all.push_back(given.value);
  }
  return all;
}

std::string Arguments::argument(size_t index) const {
  return index < positional_.size() ? positional_[index] : std::string();
}

std::string help_text(const Command& command, std::string_view path) {
  std::string out = fmt::format("{}\n\nUsage: {}\n", command.summary, synopsis(command, path));
  if (!command.details.empty()) out += fmt::format("\n{}\n", command.details);
  std::vector<Row> rows;
  for (const Command& sub : command.subcommands) {
    rows.emplace_back(std::string(sub.name), std::string(sub.summary));
  }
  append_rows("Commands", rows, out);
  rows.clear();
  for (const Argument& argument : command.arguments) {
    rows.emplace_back(std::string(argument.name), std::string(argument.doc));
  }
  append_rows("Arguments", rows, out);
  rows.clear();
  for (const Option& option : command.options) {
    std::string doc(option.doc);
    if (!option.standard.empty()) doc += fmt::format(" (default: {})", option.standard);
    rows.emplace_back(option_label(option), std::move(doc));
  }
  rows.emplace_back("-h, --help", "Show this help");
  append_rows("Options", rows, out);
  if (!command.examples.empty()) {
    out += "\nExamples:\n";
    for (const Example& example : command.examples) {
      out += fmt::format("  # {}\n  {}\n", example.doc, example.line);
    }
  }
  if (!command.subcommands.empty()) {
    out += fmt::format("\nMore about a command: {} COMMAND --help\n", path);
  }
  return out;
}

// One parse: walks down the commands, then takes options and arguments of the one it ended at.
class CommandLine {
 public:
  CommandLine(const Command& program, const std::vector<std::string>& words, Terminal& terminal)
      : command_(&program), path_(program.name), words_(words), terminal_(terminal) {}

  int run() {
    bool help = false;
    if (at_ < words_.size() && words_[at_] == "help") {
      help = true;
      ++at_;
    }
    if (!descend()) return kExitUsage;
    if (help || asks_for_help()) {
      terminal_.out << help_text(*command_, path_);
      return kExitDone;
    }
    if (!command_->run) {
      if (at_ < words_.size()) return refuse_word();
      terminal_.err << help_text(*command_, path_);
      return kExitUsage;
    }
    if (!parse_options() || !check_arguments()) return kExitUsage;
    return command_->run(arguments_, terminal_);
  }

 private:
  // Follows the words that name commands.
  bool descend() {
    while (at_ < words_.size() && !command_->subcommands.empty()) {
      const std::string& word = words_[at_];
      if (word.starts_with('-')) return true;
      const Command* next = find_command(command_->subcommands, word);
      if (next == nullptr) {
        // A command that does something itself takes it for an argument.
        if (command_->run) return true;
        refuse_word();
        return false;
      }
      command_ = next;
      path_ += ' ';
      path_ += word;
      ++at_;
    }
    return true;
  }

  bool asks_for_help() const {
    for (size_t i = at_; i < words_.size() && words_[i] != "--"; ++i) {
      if (words_[i] == "--help" || words_[i] == "-h") return true;
    }
    return false;
  }

  int refuse_word() {
    std::vector<std::string_view> names;
    for (const Command& sub : command_->subcommands) names.push_back(sub.name);
    usage_error(fmt::format("{} has no command \"{}\"{}", path_, words_[at_],
                            did_you_mean(words_[at_], names)));
    return kExitUsage;
  }

  bool usage_error(std::string_view message) {
    terminal_.err << "weir: " << message << "\nHelp: " << path_ << " --help\n";
    return false;
  }

  const Option* find_option(std::string_view name) const {
    for (const Option& option : command_->options) {
      if (option.name == name) return &option;
    }
    return nullptr;
  }

  const Option* find_letter(char letter) const {
    for (const Option& option : command_->options) {
      if (option.letter == letter) return &option;
    }
    return nullptr;
  }

  // The value of an option: what is glued to it, or the next word.
  bool take_value(const Option& option, std::optional<std::string> glued) {
    if (option.value.empty()) {
      if (glued) return usage_error(fmt::format("--{} takes no value", option.name));
      arguments_.given_.push_back({std::string(option.name), ""});
      return true;
    }
    if (!glued) {
      if (at_ == words_.size()) {
        return usage_error(fmt::format("--{} needs a value: {}", option.name, option.value));
      }
      glued = words_[at_++];
    }
    arguments_.given_.push_back({std::string(option.name), std::move(*glued)});
    return true;
  }

  bool parse_long(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const Option* option = find_option(name);
    if (option == nullptr) {
      std::vector<std::string_view> names{"help"};
      for (const Option& known : command_->options) names.push_back(known.name);
      return usage_error(
          fmt::format("{} has no option --{}{}", path_, name, did_you_mean(name, names)));
    }
    std::optional<std::string> glued;
    if (equals != std::string_view::npos) glued = std::string(text.substr(equals + 1));
    return take_value(*option, std::move(glued));
  }

  bool parse_letters(std::string_view letters) {
    while (!letters.empty()) {
      const Option* option = find_letter(letters.front());
      if (option == nullptr) {
        return usage_error(fmt::format("{} has no option -{}", path_, letters.front()));
      }
      letters.remove_prefix(1);
      if (!option->value.empty()) {
        std::optional<std::string> glued;
        if (!letters.empty()) glued = std::string(letters);
        return take_value(*option, std::move(glued));
      }
      if (!take_value(*option, std::nullopt)) return false;
    }
    return true;
  }

  bool parse_options() {
    for (const Option& option : command_->options) {
      if (option.standard.empty() || option.value.empty()) continue;
      arguments_.standard_.push_back({std::string(option.name), std::string(option.standard)});
    }
    bool options = true;
    while (at_ < words_.size()) {
      const std::string& word = words_[at_++];
      if (options && word == "--") {
        options = false;
      } else if (options && word.starts_with("--")) {
        if (!parse_long(std::string_view(word).substr(2))) return false;
      } else if (options && word.starts_with('-') && word.size() > 1) {
        if (!parse_letters(std::string_view(word).substr(1))) return false;
      } else {
        arguments_.positional_.push_back(word);
      }
    }
    return true;
  }

  bool check_arguments() {
    const auto& known = command_->arguments;
    const size_t given = arguments_.positional_.size();
    for (size_t i = given; i < known.size(); ++i) {
      if (!known[i].required) continue;
      return usage_error(fmt::format("{} needs {}: {}", path_, known[i].name, known[i].doc));
    }
    const bool open_end = !known.empty() && known.back().repeated;
    if (given > known.size() && !open_end) {
      return usage_error(fmt::format("{} takes {} argument{}, \"{}\" is one too many", path_,
                                     known.size(), known.size() == 1 ? "" : "s",
                                     arguments_.positional_[known.size()]));
    }
    return true;
  }

  const Command* command_;
  std::string path_;
  const std::vector<std::string>& words_;
  size_t at_ = 0;
  Terminal& terminal_;
  Arguments arguments_;
};

int run_command_line(const Command& program, const std::vector<std::string>& words,
                     Terminal& terminal) {
  if (words.empty()) {
    terminal.out << help_text(program, program.name);
    return kExitDone;
  }
  return CommandLine(program, words, terminal).run();
}

}  // namespace weir::app
