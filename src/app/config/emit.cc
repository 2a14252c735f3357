#include "app/config/emit.h"

#include <algorithm>
#include <array>

#include "base/json/writer.h"

namespace weir::app {
namespace {

using Kind = YamlNode::Kind;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Texts that some YAML reader takes for a boolean or null.
bool is_keyword(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords{"true", "false", "yes", "no", "on",
                                                          "off",  "null",  "y",   "n"};
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

bool is_plain(std::string_view text) {
  if (text.empty() || is_keyword(text)) return false;
  if (!is_letter(text.front()) && text.front() != '/' && text.front() != '.') return false;
  if (text == "." || text == "..") return false;
  // ".5", ".inf" and ".nan" are numbers in YAML.
  if (text.front() == '.' && text[1] != '/') return false;
  if (text.back() == ':') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("_-./@+:").find(c) != std::string_view::npos;
  });
}

class Emitter {
 public:
  std::string take() { return std::move(out_); }

  void block(const YamlNode& node, size_t indent) {
    if (node.kind == Kind::map) {
      for (size_t i = 0; i < node.entries.size(); ++i) {
        if (i > 0) pad(indent);
        entry(node.entries[i], indent);
      }
    } else if (node.kind == Kind::list) {
      for (size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) pad(indent);
        out_ += "- ";
        item(node.items[i], indent + 2);
      }
    }
  }

  void scalar(const YamlNode& node) {
    if (!node.quoted || is_plain(node.text)) {
      out_ += node.text;
    } else {
      json::append_quoted(out_, node.text);
    }
  }

 private:
  void pad(size_t indent) { out_.append(indent, ' '); }

  static bool is_empty(const YamlNode& node) { return node.items.empty() && node.entries.empty(); }

  // A list of scalars fits on its field's line.
  static bool is_flat(const YamlNode& node) {
    return node.kind == Kind::list &&
           std::all_of(node.items.begin(), node.items.end(),
                       [](const YamlNode& n) { return n.kind == Kind::scalar; });
  }

  void flat(const YamlNode& node) {
    out_ += '[';
    for (size_t i = 0; i < node.items.size(); ++i) {
      if (i > 0) out_ += ", ";
      scalar(node.items[i]);
    }
    out_ += ']';
  }

  void key(const std::string& name) {
    if (is_plain(name)) {
      out_ += name;
    } else {
      json::append_quoted(out_, name);
    }
    out_ += ':';
  }

  void entry(const YamlEntry& entry, size_t indent) {
    key(entry.key);
    const YamlNode& value = entry.value;
    if (value.kind == Kind::null) {
      out_ += '\n';
    } else if (value.kind == Kind::scalar) {
      out_ += ' ';
      scalar(value);
      out_ += '\n';
    } else if (is_empty(value)) {
      out_ += value.kind == Kind::list ? " []\n" : " {}\n";
    } else if (is_flat(value)) {
      out_ += ' ';
      flat(value);
      out_ += '\n';
    } else {
      out_ += '\n';
      pad(indent + 2);
      block(value, indent + 2);
    }
  }

  void item(const YamlNode& node, size_t indent) {
    if (node.kind == Kind::scalar) {
      scalar(node);
      out_ += '\n';
    } else if (node.kind == Kind::null) {
      out_ += "null\n";
    } else if (is_empty(node)) {
      out_ += node.kind == Kind::list ? "[]\n" : "{}\n";
    } else {
      block(node, indent);
    }
  }

  std::string out_;
};

}  // namespace

std::string emit_yaml(const YamlNode& node) {
  Emitter emitter;
  if (node.kind == Kind::scalar) {
    emitter.scalar(node);
  } else {
    emitter.block(node, 0);
  }
  return emitter.take();
}

std::string effective_yaml(const Config& config, const WriteOptions& options) {
  return emit_yaml(write_object(config_spec(), &config, options));
}

}  // namespace weir::app
