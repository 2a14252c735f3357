// JSON schemas for Gemini, without references.
#include <algorithm>
#include <vector>

#include "dialect/gemini/gemini.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {
namespace {

// Where "#/$defs/name" and the like point to; a missing value for what is not in the document.
json::Value resolve(json::Value root, std::string_view reference) {
  if (!reference.starts_with('#')) return {};
  reference.remove_prefix(1);
  json::Value value = root;
  while (!reference.empty()) {
    if (reference[0] != '/') return {};
    reference.remove_prefix(1);
    std::string name;
    const std::string_view raw = reference.substr(0, reference.find('/'));
    reference.remove_prefix(raw.size());
    for (size_t i = 0; i < raw.size(); ++i) {
      const bool escape = raw[i] == '~' && i + 1 < raw.size();
      name.push_back(!escape ? raw[i] : raw[++i] == '1' ? '/' : '~');
    }
    value = value[name];
  }
  return value;
}

class SchemaWriter {
 public:
  SchemaWriter(json::Value root, std::string& out) : root_(root), out_(out), w_(out) {}

  void write(json::Value schema) {
    failed_ = failed_ || out_.size() > kSchemaBytesMax || depth_ > kDepthMax;
    if (!schema.is_object() || failed_) {
      w_.raw(compact_json(schema.raw()));
      return;
    }
    // The schema, what it refers to, what that refers to; of members of one name the first counts.
    const size_t open = open_.size();
    std::vector<json::Value> layers = {schema};
    while (const json::Value target = follow(layers.back())) layers.push_back(target);
    ++depth_;
    w_.begin_object();
    for (size_t i = 0; i < layers.size(); ++i) write_layer(layers, i);
    w_.end_object();
    --depth_;
    open_.resize(open);
  }

  bool failed() const { return failed_; }
  // A reference stayed, because it is circular or points nowhere.
  bool kept_references() const { return kept_references_; }

 private:
  static constexpr size_t kDepthMax = 128;

  // What the schema refers to, and opens that reference; missing where it refers to nothing, or to
  // what is being written already.
  json::Value follow(json::Value schema) {
    const json::Value reference = schema["$ref"];
    if (!reference.is_string()) return {};
    std::string name = reference.string_or("");
    const json::Value target = resolve(root_, name);
    if (!target.is_object() || std::find(open_.begin(), open_.end(), name) != open_.end()) {
      kept_references_ = true;
      return {};
    }
    open_.push_back(std::move(name));
    return target;
  }

  void write_layer(const std::vector<json::Value>& layers, size_t layer) {
    const bool last = layer + 1 == layers.size();
    for (const auto& [key, value] : layers[layer].members()) {
      const auto earlier = layers.begin() + static_cast<std::ptrdiff_t>(layer);
      const bool said = std::any_of(layers.begin(), earlier,
                                    [&](json::Value other) { return other[key].exists(); });
      if (key == "$ref" ? !last : said || key == "$schema") continue;
      write_member(key, value, layers[layer]);
    }
  }

  void write_member(const std::string& key, json::Value value, json::Value schema) {
    if (key == "const" && !schema["enum"].exists()) {
      w_.key("enum").begin_array().raw(compact_json(value.raw())).end_array();
    } else if ((key == "properties" || key == "$defs" || key == "definitions") &&
               value.is_object()) {
      w_.key(key).begin_object();
      for (const auto& [name, property] : value.members()) {
        w_.key(name);
        write(property);
      }
      w_.end_object();
    } else if ((key == "anyOf" || key == "oneOf" || key == "allOf" || key == "prefixItems") &&
               value.is_array()) {
      w_.key(key).begin_array();
      for (const json::Value option : value.elements()) write(option);
      w_.end_array();
    } else if (key == "items" || key == "additionalProperties") {
      w_.key(key);
      write(value);
    } else {
      w_.member_raw(key, compact_json(value.raw()));
    }
  }

  const json::Value root_;
  std::string& out_;
  json::Writer w_;
  std::vector<std::string> open_;  // references that are being written out
  size_t depth_ = 0;
  bool failed_ = false;
  bool kept_references_ = false;
};

}  // namespace

std::string plain_schema(std::string_view schema) {
  json::Document document;
  if (!document.parse(schema, {.unique_keys_levels = 0}) || !document.root().is_object()) {
    return compact_json(schema);
  }
  std::string out;
  SchemaWriter writer(document.root(), out);
  writer.write(document.root());
  if (writer.failed()) return compact_json(schema);
  if (writer.kept_references()) return out;
  // Nothing points to the definitions any more.
  json::Document whole;
  const json::Value root =
      whole.parse(out, {.unique_keys_levels = 0}) ? whole.root() : json::Value();
  if (!root["$defs"].exists() && !root["definitions"].exists()) return out;
  std::string plain;
  json::Writer w(plain);
  w.begin_object();
  for (const auto& [key, value] : root.members()) {
    if (key != "$defs" && key != "definitions") w.member_raw(key, value.raw());
  }
  w.end_object();
  return plain;
}

}  // namespace weir::dialect::gemini
