#include "app/config/load.h"

#include <string>
#include <utility>

#include "app/config/aws.h"
#include "app/config/check.h"
#include "app/config/reader.h"
#include "app/config/schema.h"
#include "app/config/yaml.h"

namespace weir::app {

Loaded load_text(std::string_view text, const Surroundings& surroundings) {
  Problems problems;
  Loaded loaded;
  const YamlNode root = read_yaml(text, problems);
  const bool readable = !problems.has_error() || root.kind != YamlNode::Kind::null;
  if (readable && root.find("model_list") != nullptr) {
    const YamlNode& list = *root.find("model_list");
    problems.add({Severity::error, ProblemCode::unknown_field, list.line, list.column, "model_list",
                  "this is a LiteLLM configuration; turn it into Weir's with: weir import litellm "
                  "FILE -o weir.yaml"});
  } else if (readable) {
    Config config;
    Reader reader(surroundings, problems);
    if (root.kind != YamlNode::Kind::null) read_object(config_spec(), root, &config, reader);
    resolve_aws(config, reader);
    read_price_files(config, reader);
    check_config(config, reader);
    if (!problems.has_error()) loaded.config = std::move(config);
  }
  loaded.problems = problems.take();
  return loaded;
}

Loaded load_file(const std::string& path, const Surroundings& surroundings) {
  const auto text = surroundings.read_file(path);
  if (text) return load_text(*text, surroundings);
  Loaded loaded;
  loaded.problems.push_back(
      {Severity::error, ProblemCode::missing_file, 0, 0, "", std::string(text.error().message())});
  return loaded;
}

}  // namespace weir::app
