// Builds the YAML tree of a weir.yaml that an importer writes. Absent values leave no field. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "app/config/schema.h"
#include "app/config/yaml.h"

namespace weir::app {

class MapBuilder {
 public:
  MapBuilder() { node_.kind = YamlNode::Kind::map; }

  // A text; nothing where it is empty.
  MapBuilder& text(std::string_view name, std::string value) {
    return value.empty() ? *this : child(name, text_node(std::move(value)));
  }
  // A number, a duration, a boolean: written without quotes.
  MapBuilder& literal(std::string_view name, std::string value) {
    return value.empty() ? *this : child(name, literal_node(std::move(value)));
  }
  // A map or list; nothing where it is empty.
  MapBuilder& child(std::string_view name, YamlNode value) {
    if (value.kind == YamlNode::Kind::null || is_empty(value)) return *this;
    node_.entries.push_back({std::string(name), 0, 0, std::move(value)});
    return *this;
  }

  YamlNode take() { return std::move(node_); }

 private:
  static bool is_empty(const YamlNode& node) {
    return node.kind != YamlNode::Kind::scalar && node.items.empty() && node.entries.empty();
  }
  YamlNode node_;
};

inline YamlNode list_node(std::vector<YamlNode> items) {
  YamlNode list;
  list.kind = YamlNode::Kind::list;
  list.items = std::move(items);
  return list;
}

}  // namespace weir::app
