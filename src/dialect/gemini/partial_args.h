// PartialArgs: puts a function call's arguments together from the pieces that Vertex AI sends with
// streamFunctionCallArguments: a JSON path and a value each, strings in several pieces. Limits are
// written below; pieces beyond them are passed over. Belongs to one call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/json/writer.h"

namespace weir::dialect::gemini {

class PartialArgs {
 public:
  static constexpr size_t kDepthMax = 64;
  static constexpr size_t kIndexMax = 4096;  // of an array
  static constexpr size_t kNodesMax = 8192;  // of one call

  // Takes one entry of `partialArgs`.
  void add(json::Value piece);
  // Takes `args` given whole.
  void set(json::Value args) { whole_ = std::string(args.raw()); }
  // The arguments as JSON text, and forgets them. "{}" where there were none.
  std::string take();

 private:
  enum class Kind : uint8_t { null, literal, string, object, array };
  struct Node {
    Kind kind = Kind::null;
    std::string text;  // literal: JSON text; string: the unescaped text
    std::vector<std::string> keys;
    std::vector<std::unique_ptr<Node>> children;
  };

  Node* find(std::string_view path);
  Node* member(Node& node, std::string_view key);
  Node* element(Node& node, size_t index);
  Node* add_child(Node& node);
  static void write(json::Writer& writer, const Node& node);

  Node root_{.kind = Kind::object, .text = {}, .keys = {}, .children = {}};
  size_t nodes_ = 0;
  std::string whole_;
};

}  // namespace weir::dialect::gemini
