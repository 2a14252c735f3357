#include "app/config/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/nearest.h"

namespace weir::app {
namespace {

std::string explain_unknown(const ObjectSpec& spec, std::string_view name) {
  std::vector<std::string_view> names;
  for (const FieldSpec& field : spec.fields) names.push_back(field.name);
  const std::string hint = did_you_mean(name, names);
  if (!hint.empty()) return fmt::format("there is no field \"{}\" here{}", name, hint);
  return fmt::format("there is no field \"{}\" here; the fields are {}", name.substr(0, 60),
                     fmt::join(names, ", "));
}

// Top-level fields that begin with x- hold anchors for the rest of the file.
bool is_extension(const ObjectSpec& spec, std::string_view key) {
  return &spec == &config_spec() && key.starts_with("x-");
}

}  // namespace

const FieldSpec* ObjectSpec::find(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [name](const FieldSpec& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

void read_object(const ObjectSpec& spec, const YamlNode& node, void* owner, Reader& reader) {
  if (node.kind != YamlNode::Kind::map) {
    std::vector<std::string_view> names;
    for (const FieldSpec& field : spec.fields) names.push_back(field.name);
    reader.problem(ProblemCode::wrong_type, node,
                   fmt::format("expected a map with fields such as {}, got {}",
                               fmt::join(names.begin(),
                                         names.begin() + static_cast<std::ptrdiff_t>(
                                                             std::min<size_t>(3, names.size())),
                                         ", "),
                               node.kind == YamlNode::Kind::scalar ? "a text" : node.describe()));
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    if (spec.find(entry.key) != nullptr || is_extension(spec, entry.key)) continue;
    if (reader.is_full()) break;
    YamlNode at;
    at.line = entry.line;
    at.column = entry.column;
    const Reader::Step step(reader, at, entry.key);
    reader.problem(ProblemCode::unknown_field, at, explain_unknown(spec, entry.key));
  }
  for (const FieldSpec& field : spec.fields) {
    const YamlNode* value = node.find(field.name);
    if (value == nullptr || value->kind == YamlNode::Kind::null) {
      if (field.rule.required) {
        const YamlNode& at = value == nullptr ? node : *value;
        const Reader::Step step(reader, at, field.name);
        reader.problem(ProblemCode::missing_field, at,
                       fmt::format("the field \"{}\" is required: {}", field.name, field.doc));
      }
      continue;
    }
    const Reader::Step step(reader, *value, field.name);
    field.read(*value, owner, reader);
  }
}

YamlNode write_object(const ObjectSpec& spec, const void* owner, const WriteOptions& options) {
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  for (const FieldSpec& field : spec.fields) {
    YamlNode value = field.write(owner, options);
    if (value.kind == YamlNode::Kind::null) continue;
    map.entries.push_back({std::string(field.name), 0, 0, std::move(value)});
  }
  return map;
}

YamlNode text_node(std::string text) {
  YamlNode node = literal_node(std::move(text));
  node.quoted = true;
  return node;
}

YamlNode literal_node(std::string text) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.text = std::move(text);
  return node;
}

}  // namespace weir::app
