#include <fmt/format.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands.h"
#include "app/config/emit.h"
#include "app/config/load.h"
#include "app/config/reference.h"
#include "app/config/schema.h"
#include "app/nearest.h"

namespace weir::app {
namespace {

int run_effective(const Arguments& arguments, Terminal& terminal) {
  const std::string file = arguments.value("config");
  const Loaded loaded = load_file(file, terminal.surroundings);
  for (const Problem& problem : loaded.problems) terminal.err << to_text(problem, file) << "\n";
  if (!loaded.config) return kExitFailed;
  terminal.out << effective_yaml(*loaded.config);
  return kExitDone;
}

int run_explain(const Arguments& arguments, Terminal& terminal) {
  const std::string path = arguments.argument(0);
  const std::string text = explain_field(path);
  if (!text.empty()) {
    terminal.out << text;
    return kExitDone;
  }
  std::vector<std::string_view> names;
  for (const FieldSpec& field : config_spec().fields) names.push_back(field.name);
  terminal.err << fmt::format("weir: there is no field \"{}\"{}\nFields at the top: {}\n", path,
                              did_you_mean(path, names), fmt::join(names, ", "));
  return kExitFailed;
}

Option file_option() {
  return {"config", 'c', "FILE", "The configuration", "weir.yaml"};
}

}  // namespace

Command config_command() {
  return {
      .name = "config",
      .summary = "Explain the configuration: reference, schema, effective values",
      .subcommands =
          {{
               .name = "explain",
               .summary = "Say what one field means, its type and its default",
               .arguments = {{"PATH", "The field, such as models.retries.budget"}},
               .examples = {{"weir config explain accounts", "What an account is made of"}},
               .run = run_explain,
           },
           {
               .name = "effective",
               .summary = "Print the configuration in force: every default filled in, no secrets",
               .options = {file_option()},
               .examples = {{"weir config effective -c weir.yaml", "What serve would run with"}},
               .run = run_effective,
           },
           {
               .name = "reference",
               .summary = "Print the reference page of every field, in Markdown",
               .examples = {{"weir config reference > docs/reference/configuration.md",
                             "Write the page of the documentation"}},
               .run =
                   [](const Arguments&, Terminal& terminal) {
                     terminal.out << reference_markdown();
                     return kExitDone;
                   },
           },
           {
               .name = "schema",
               .summary = "Print the JSON Schema of the file, for editors",
               .examples = {{"weir config schema > weir.schema.json",
                             "For completion in an editor"}},
               .run =
                   [](const Arguments&, Terminal& terminal) {
                     terminal.out << json_schema();
                     return kExitDone;
                   },
           }},
  };
}

}  // namespace weir::app
