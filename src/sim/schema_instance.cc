#include "sim/schema_instance.h"

#include <algorithm>

#include "base/json/writer.h"
#include "base/text.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

constexpr int kDepthMax = 32;
constexpr size_t kBytesMax = size_t{64} * 1024;
constexpr int64_t kItemsMax = 16;
constexpr int64_t kStringMax = 256;

class Maker {
 public:
  explicit Maker(json::Value root) : root_(root) {}

  void write(json::Value schema, std::string_view name, int depth) {
    if (depth > kDepthMax || out.size() > kBytesMax) {
      writer_.null();
      return;
    }
    if (const json::Value ref = schema["$ref"]; ref.is_string()) {
      write(resolve(ref.string_or("")), name, depth + 1);
      return;
    }
    for (const std::string_view fixed : {"const", "default", "example"}) {
      if (!schema[fixed].exists()) continue;
      writer_.raw(schema[fixed].raw());
      return;
    }
    for (const std::string_view list : {"enum", "anyOf", "oneOf", "allOf"}) {
      const json::Value choices = schema[list];
      if (choices.size() == 0 || !choices.is_array()) continue;
      const json::Value first = *choices.elements().begin();
      if (list == "enum") {
        writer_.raw(first.raw());
      } else {
        write(first, name, depth + 1);
      }
      return;
    }
    write_type(schema, type_of(schema), name, depth);
  }

  std::string out;

 private:
  // "#/$defs/step": a path of members.
  json::Value resolve(std::string_view ref) const {
    json::Value at = root_;
    if (!ref.starts_with("#")) return {};
    for (const std::string_view part : split(ref.substr(1), '/')) {
      if (!part.empty()) at = at[part];
    }
    return at;
  }

  // Gemini writes types in capitals; of several, null is the last choice.
  static std::string type_of(json::Value schema) {
    const json::Value type = schema["type"];
    if (type.is_string()) return to_lower(type.string_or(""));
    for (const json::Value one : type.elements()) {
      if (!one.equals("null")) return to_lower(one.string_or(""));
    }
    if (schema["properties"].is_object()) return "object";
    if (schema["items"].exists()) return "array";
    return "string";
  }

  void write_type(json::Value schema, const std::string& type, std::string_view name, int depth) {
    if (type == "object") {
      writer_.begin_object();
      for (const auto& [key, value] : schema["properties"].members()) {
        writer_.key(key);
        write(value, key, depth + 1);
      }
      writer_.end_object();
    } else if (type == "array") {
      writer_.begin_array();
      const int64_t items =
          std::clamp<int64_t>(schema["minItems"].as_int64().value_or(1), 1, kItemsMax);
      for (int64_t i = 0; i < items; ++i) write(schema["items"], name, depth + 1);
      writer_.end_array();
    } else if (type == "integer" || type == "number") {
      write_number(schema, type == "integer");
    } else if (type == "boolean") {
      writer_.boolean(true);
    } else if (type == "null") {
      writer_.null();
    } else {
      write_string(schema, name);
    }
  }

  void write_number(json::Value schema, bool whole) {
    double number = 1;
    if (const auto least = schema["minimum"].as_double()) number = std::max(number, *least);
    if (const auto least = schema["exclusiveMinimum"].as_double()) {
      number = std::max(number, *least + 1);
    }
    if (const auto most = schema["maximum"].as_double()) number = std::min(number, *most);
    if (whole) {
      writer_.number(static_cast<int64_t>(number));
    } else {
      writer_.number(number);
    }
  }

  void write_string(json::Value schema, std::string_view name) {
    const std::string format = schema["format"].string_or("");
    std::string text(name.empty() ? "text" : name);
    if (format == "date") text = "2026-01-02";
    if (format == "date-time") text = "2026-01-02T03:04:05Z";
    if (format == "email") text = "demo@example.com";
    if (format == "uri") text = "https://example.com/";
    if (format == "uuid") text = "00000000-0000-4000-8000-000000000000";
    const int64_t least =
        std::clamp<int64_t>(schema["minLength"].as_int64().value_or(0), 0, kStringMax);
    while (static_cast<int64_t>(text.size()) < least) text.push_back('x');
    writer_.string(text);
  }

  json::Value root_;
  json::Writer writer_{out};
};

}  // namespace

std::string schema_instance(json::Value schema) {
  Maker maker(schema);
  maker.write(schema, {}, 0);
  return std::move(maker.out);
}

}  // namespace weir::sim
