#include "app/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "app/config/aws.h"
#include "app/config/check.h"
#include "app/config/reader.h"
#include "app/config/schema.h"
#include "app/config/yaml.h"
#include "base/json/document.h"

namespace weir::app {
namespace {

// A load reads the file twice where objects are managed: what it asks Vault for, it asks once.
Surroundings with_memory(const Surroundings& surroundings) {
  Surroundings remembering = surroundings;
  if (!surroundings.vault) return remembering;
  auto known = std::make_shared<std::map<std::pair<std::string, std::string>, Result<Secret>>>();
  remembering.vault = [known, ask = surroundings.vault](const std::string& path,
                                                        const std::string& field) {
    const auto key = std::pair(path, field);
    const auto at = known->find(key);
    return at != known->end() ? at->second : known->emplace(key, ask(path, field)).first->second;
  };
  return remembering;
}

// Texts of managed objects are values: nothing in them stands for anything else.
std::string literal(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("${")) out += '$';
    out += text[at];
  }
  return out;
}

YamlNode node_of(json::Value value) {
  YamlNode node;
  if (value.is_object()) {
    node.kind = YamlNode::Kind::map;
    for (const auto& [name, member] : value.members()) {
      if (member.is_null()) continue;
      node.entries.push_back({std::string(name), 0, 0, node_of(member)});
    }
  } else if (value.is_array()) {
    node.kind = YamlNode::Kind::list;
    for (const json::Value element : value.elements()) node.items.push_back(node_of(element));
  } else if (!value.is_null()) {
    node.kind = YamlNode::Kind::scalar;
    node.quoted = value.is_string();
    node.text = literal(value.is_string() ? value.string_or("") : std::string(value.raw()));
  }
  return node;
}

YamlEntry& section_of(YamlNode& root, const std::string& name) {
  root.kind = YamlNode::Kind::map;
  for (YamlEntry& entry : root.entries) {
    if (entry.key == name) return entry;
  }
  root.entries.push_back({name, 0, 0, {}});
  return root.entries.back();
}

bool names(const YamlNode& section, const std::string& wanted) {
  return std::ranges::any_of(section.items, [&](const YamlNode& item) {
    const YamlNode* name = item.find("name");
    return name != nullptr && name->text == wanted;
  });
}

void take_in_managed(YamlNode& root, const Surroundings& surroundings, Problems& problems) {
  if (!surroundings.managed) return;
  Problems ignored;  // told when the whole is read
  Config file;
  Reader reader(surroundings, ignored);
  if (root.kind == YamlNode::Kind::map) read_object(config_spec(), root, &file, reader);
  const auto items = surroundings.managed(file);
  if (!items) {
    problems.add({Severity::error, ProblemCode::missing_file, 0, 0, "",
                  fmt::format("what is managed in the console: {}", items.error().message())});
    return;
  }
  for (const ManagedItem& item : *items) {
    YamlNode& section = section_of(root, item.section).value;
    if (section.kind != YamlNode::Kind::list && section.kind != YamlNode::Kind::null) continue;
    if (names(section, item.name)) {
      problems.add({Severity::warning, ProblemCode::duplicate_name, 0, 0, item.section,
                    fmt::format("the console has a \"{}\", too; the file's is used", item.name)});
      continue;
    }
    json::Document document;
    if (!document.parse(item.text.reveal()) || !document.root().is_object()) continue;
    section.kind = YamlNode::Kind::list;
    section.items.push_back(node_of(document.root()));
  }
}

}  // namespace

Loaded load_text(std::string_view text, const Surroundings& given) {
  const Surroundings surroundings = with_memory(given);
  Problems problems;
  Loaded loaded;
  YamlNode root = read_yaml(text, problems);
  const bool readable = !problems.has_error() || root.kind != YamlNode::Kind::null;
  if (readable && root.find("model_list") != nullptr) {
    const YamlNode& list = *root.find("model_list");
    problems.add({Severity::error, ProblemCode::unknown_field, list.line, list.column, "model_list",
                  "this is a LiteLLM configuration; turn it into Weir's with: weir import litellm "
                  "FILE -o weir.yaml"});
  } else if (readable) {
    take_in_managed(root, surroundings, problems);
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
