#include "app/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace weir::app {
namespace {

using Kind = YamlNode::Kind;

// Leaves yaml-cpp from within an event: it has no other way to be stopped. Never leaves this file.
struct Stopped {
  Problem problem;
};

struct Size {
  uint32_t nodes = 0;
  size_t text_bytes = 0;
};

Size size_of(const YamlNode& node) {
  Size size{1, node.text.size()};
  const auto add = [&size](const Size& more) {
    size.nodes += more.nodes;
    size.text_bytes += more.text_bytes;
  };
  for (const YamlNode& item : node.items) add(size_of(item));
  for (const YamlEntry& entry : node.entries) {
    add(size_of(entry.value));
    size.text_bytes += entry.key.size();
  }
  return size;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const YamlLimits& limits) : limits_(limits) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(node_at(mark, Kind::null), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, ProblemCode::syntax, "an alias inside its own anchor");
    YamlNode copy = found->second;
    copy.line = mark.line + 1;
    copy.column = mark.column + 1;
    charge(mark, size_of(copy));
    place(std::move(copy));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_unknown_tag(mark, tag);
    YamlNode node = node_at(mark, Kind::scalar);
    node.text = value;
    node.quoted = tag != "?";
    leaf(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_unknown_tag(mark, tag);
    open(mark, Kind::list, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_unknown_tag(mark, tag);
    open(mark, Kind::map, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;  // a map that waits for the value of its last entry
  };

  [[noreturn]] static void stop(const YAML::Mark& mark, ProblemCode code, std::string message) {
    throw Stopped{{Severity::error, code, mark.line + 1, mark.column + 1, "", std::move(message)}};
  }

  static void refuse_unknown_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    stop(mark, ProblemCode::syntax,
         fmt::format("the tag {} has no meaning here; for secrets use \"${{NAME}}\" or "
                     "\"file:PATH\"",
                     tag.substr(0, 40)));
  }

  static YamlNode node_at(const YAML::Mark& mark, Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void charge(const YAML::Mark& mark, const Size& size) {
    used_.nodes += size.nodes;
    used_.text_bytes += size.text_bytes;
    if (used_.nodes > limits_.nodes_max || used_.text_bytes > limits_.text_bytes_max) {
      stop(mark, ProblemCode::limit,
           fmt::format("more than {} values or {} bytes of text, aliases included",
                       limits_.nodes_max, limits_.text_bytes_max));
    }
  }

  void leaf(YamlNode node, YAML::anchor_t anchor) {
    YAML::Mark mark;
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    charge(mark, {1, node.text.size()});
    if (anchor != 0) anchors_[anchor] = node;
    place(std::move(node));
  }

  void open(const YAML::Mark& mark, Kind kind, YAML::anchor_t anchor) {
    if (stack_.size() >= limits_.depth_max) {
      stop(mark, ProblemCode::limit, fmt::format("nested deeper than {}", limits_.depth_max));
    }
    if (!stack_.empty() && stack_.back().node.kind == Kind::map && !stack_.back().has_key) {
      stop(mark, ProblemCode::wrong_type, "expected a name as the key, got a list or a map");
    }
    charge(mark, {1, 0});
    stack_.push_back({node_at(mark, kind), anchor, false});
  }

  void close() {
    Open open = std::move(stack_.back());
    stack_.pop_back();
    if (open.anchor != 0) anchors_[open.anchor] = open.node;
    place(std::move(open.node));
  }

  void place(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.kind == Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_key) {
      YamlEntry& entry = parent.node.entries.back();
      if (node.kind == Kind::null) {  // stands where its field stands, not at the next token
        node.line = entry.line;
        node.column = entry.column;
      }
      entry.value = std::move(node);
      parent.has_key = false;
    } else {
      parent.node.entries.push_back({std::move(node.text), node.line, node.column, {}});
      parent.has_key = true;
    }
  }

  const YamlLimits limits_;
  Size used_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  YamlNode root_;
};

// Reports duplicate keys and merges what `<<` names; explicit keys win over merged ones.
class Tidier {
 public:
  explicit Tidier(Problems& problems) : problems_(problems) {}

  void tidy(YamlNode& node, const std::string& path) {
    for (size_t i = 0; i < node.items.size(); ++i) {
      tidy(node.items[i], fmt::format("{}[{}]", path, i));
    }
    if (node.kind != Kind::map) return;
    drop_duplicates(node, path);
    for (YamlEntry& entry : node.entries) tidy(entry.value, join(path, entry.key));
    merge(node, path);
  }

 private:
  static std::string join(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
  }

  void drop_duplicates(YamlNode& map, const std::string& path) {
    std::unordered_map<std::string_view, int> first_line;
    std::vector<bool> keep(map.entries.size(), true);
    for (size_t i = 0; i < map.entries.size(); ++i) {
      const YamlEntry& entry = map.entries[i];
      const auto [found, fresh] = first_line.emplace(entry.key, entry.line);
      if (fresh) continue;
      keep[i] = false;
      problems_.add({Severity::error, ProblemCode::duplicate_field, entry.line, entry.column,
                     join(path, entry.key),
                     fmt::format("this field is already given on line {}", found->second)});
    }
    std::vector<YamlEntry> kept;
    for (size_t i = 0; i < keep.size(); ++i) {
      if (keep[i]) kept.push_back(std::move(map.entries[i]));
    }
    map.entries = std::move(kept);
  }

  void merge(YamlNode& map, const std::string& path) {
    for (size_t i = 0; i < map.entries.size(); ++i) {
      if (map.entries[i].key != "<<") continue;
      const YamlNode source = std::move(map.entries[i].value);
      map.entries.erase(map.entries.begin() + static_cast<std::ptrdiff_t>(i));
      if (source.kind == Kind::map) {
        merge_from(map, source);
      } else if (source.kind == Kind::list) {
        for (const YamlNode& item : source.items) merge_from(map, item);
      } else {
        problems_.add({Severity::error, ProblemCode::wrong_type, source.line, source.column,
                       join(path, "<<"), "expected an alias of a map to merge, such as *name"});
      }
      return;
    }
  }

  static void merge_from(YamlNode& map, const YamlNode& source) {
    std::unordered_set<std::string> present;
    for (const YamlEntry& entry : map.entries) present.insert(entry.key);
    for (const YamlEntry& entry : source.entries) {
      if (present.insert(entry.key).second) map.entries.push_back(entry);
    }
  }

  Problems& problems_;
};

// yaml-cpp's wording names its own internals; the common ones are said in a user's words.
std::string explain(std::string_view message) {
  if (message.find("end of map not found") != std::string_view::npos ||
      message.find("end of sequence not found") != std::string_view::npos) {
    return "the indentation or a bracket does not fit: a list or map ends here unexpectedly";
  }
  if (message.find("illegal map value") != std::string_view::npos) {
    return "a ':' is not allowed here; quote the text if it is part of it";
  }
  return std::string(message);
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string YamlNode::describe() const {
  switch (kind) {
    case Kind::null:
      return "nothing";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map of fields";
    case Kind::scalar:
      break;
  }
  return text.size() > 60 ? fmt::format("\"{}...\"", text.substr(0, 60))
                          : fmt::format("\"{}\"", text);
}

YamlNode read_yaml(std::string_view text, Problems& problems, const YamlLimits& limits) {
  if (text.size() > limits.bytes_max) {
    problems.add(
        {Severity::error, ProblemCode::limit, 0, 0, "",
         fmt::format("the file has {} bytes; at most {} are read", text.size(), limits.bytes_max)});
    return {};
  }
  TreeBuilder builder(limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return {};
    TreeBuilder second(limits);
    if (parser.HandleNextDocument(second)) {
      const YamlNode extra = second.take_root();
      problems.add({Severity::error, ProblemCode::syntax, extra.line, extra.column, "",
                    "a second document begins here; one file holds one configuration"});
      return {};
    }
  } catch (const Stopped& stopped) {
    problems.add(stopped.problem);
    return {};
  } catch (const YAML::Exception& error) {
    problems.add({Severity::error, ProblemCode::syntax, error.mark.line + 1, error.mark.column + 1,
                  "", explain(error.msg)});
    return {};
  }
  YamlNode root = builder.take_root();
  Tidier(problems).tidy(root, "");
  return root;
}

}  // namespace weir::app
