#include "dialect/gemini/partial_args.h"

#include <charconv>

#include "dialect/gemini/words.h"

namespace weir::dialect::gemini {
namespace {

// One step of a JSON path: ".name", "['name']", "[\"name\"]" or "[0]".
struct Step {
  std::string_view name;
  size_t index = 0;
  bool is_index = false;
};

// Takes the first step off `path`; false where it is no step.
bool take_step(std::string_view& path, Step& step) {
  step = {};
  if (path.starts_with('.')) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find_first_of(".["), path.size());
    step.name = path.substr(0, end);
    path.remove_prefix(end);
    return !step.name.empty();
  }
  if (!path.starts_with('[')) return false;
  path.remove_prefix(1);
  if (path.starts_with('\'') || path.starts_with('"')) {
    const char quote = path.front();
    const size_t end = path.find(quote, 1);
    if (end == std::string_view::npos || !path.substr(end + 1).starts_with(']')) return false;
    step.name = path.substr(1, end - 1);
    path.remove_prefix(end + 2);
    return true;
  }
  step.is_index = true;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), step.index);
  if (error != std::errc()) return false;
  path.remove_prefix(static_cast<size_t>(end - path.data()));
  if (!path.starts_with(']')) return false;
  path.remove_prefix(1);
  return true;
}

}  // namespace

PartialArgs::Node* PartialArgs::add_child(Node& node) {
  if (++nodes_ > kNodesMax) return nullptr;
  return node.children.emplace_back(std::make_unique<Node>()).get();
}

PartialArgs::Node* PartialArgs::member(Node& node, std::string_view key) {
  if (node.kind == Kind::null) node.kind = Kind::object;
  if (node.kind != Kind::object) return nullptr;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    if (node.keys[i] == key) return node.children[i].get();
  }
  Node* const child = add_child(node);
  if (child != nullptr) node.keys.emplace_back(key);
  return child;
}

PartialArgs::Node* PartialArgs::element(Node& node, size_t index) {
  if (node.kind == Kind::null) node.kind = Kind::array;
  if (node.kind != Kind::array || index > kIndexMax) return nullptr;
  while (node.children.size() <= index) {
    if (add_child(node) == nullptr) return nullptr;
  }
  return node.children[index].get();
}

PartialArgs::Node* PartialArgs::find(std::string_view path) {
  if (!path.starts_with('$')) return nullptr;
  path.remove_prefix(1);
  Node* node = &root_;
  for (size_t depth = 0; !path.empty(); ++depth) {
    Step step;
    if (depth >= kDepthMax || !take_step(path, step)) return nullptr;
    node = step.is_index ? element(*node, step.index) : member(*node, step.name);
    if (node == nullptr) return nullptr;
  }
  return node == &root_ ? nullptr : node;
}

void PartialArgs::add(json::Value piece) {
  Node* const node = find(gemini_field(piece, "jsonPath", "json_path").string_or(""));
  if (node == nullptr || node->kind == Kind::object || node->kind == Kind::array) return;
  if (const json::Value text = gemini_field(piece, "stringValue", "string_value");
      text.is_string()) {
    if (node->kind != Kind::string) node->text.clear();
    node->kind = Kind::string;
    node->text.append(text.string_or(""));
    return;
  }
  const json::Value number = gemini_field(piece, "numberValue", "number_value");
  const json::Value boolean = gemini_field(piece, "boolValue", "bool_value");
  if (number.is_number() || boolean.is_bool()) {
    node->kind = Kind::literal;
    node->text = number.is_number() ? number.raw() : boolean.raw();
  }
}

void PartialArgs::write(json::Writer& w, const Node& node) {
  switch (node.kind) {
    case Kind::null:
      w.null();
      return;
    case Kind::literal:
      w.raw(node.text);
      return;
    case Kind::string:
      w.string(node.text);
      return;
    case Kind::object:
      w.begin_object();
      for (size_t i = 0; i < node.children.size(); ++i) {
        w.key(node.keys[i]);
        write(w, *node.children[i]);
      }
      w.end_object();
      return;
    case Kind::array:
      w.begin_array();
      for (const auto& child : node.children) write(w, *child);
      w.end_array();
      return;
  }
}

std::string PartialArgs::take() {
  std::string out;
  if (root_.children.empty() && !whole_.empty()) {
    out = std::move(whole_);
  } else {
    json::Writer w(out);
    write(w, root_);
  }
  *this = PartialArgs();
  return out;
}

}  // namespace weir::dialect::gemini
