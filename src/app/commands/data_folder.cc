#include "app/commands/data_folder.h"

#include "app/config/load.h"

namespace weir::app {

std::vector<Option> with_store(std::vector<Option> options) {
  options.push_back({"config", 'c', "FILE", "Use the data_dir of this configuration"});
  options.push_back({"data-dir", 0, "DIR", "Where the store lies", "./weir-data"});
  return options;
}

Result<std::string> data_folder(const Arguments& arguments, Terminal& terminal) {
  if (arguments.has("data-dir")) return arguments.value("data-dir");
  if (!arguments.has("config")) return Config{}.data_dir;
  const std::string file = arguments.value("config");
  const Loaded loaded = load_file(file, terminal.surroundings);
  if (loaded.config) return loaded.config->data_dir;
  std::string message;
  for (const Problem& problem : loaded.problems) {
    message += (message.empty() ? "" : "\n") + to_text(problem, file);
  }
  return fail(ErrorCode::invalid_argument, std::move(message));
}

}  // namespace weir::app
