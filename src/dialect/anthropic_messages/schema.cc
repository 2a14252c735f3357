#include "dialect/anthropic_messages/schema.h"

#include <algorithm>
#include <iterator>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

template <size_t kSize>
bool is_one_of(std::string_view name, const std::string_view (&names)[kSize]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

constexpr std::string_view kUnsupported[] = {
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "contains",
    "prefixItems",
    "if",
    "then",
    "else",
    "not",
    "unevaluatedProperties",
    "unevaluatedItems",
};
constexpr std::string_view kSchemaMaps[] = {"properties", "$defs", "definitions"};
constexpr std::string_view kSchemaLists[] = {"anyOf", "allOf", "oneOf"};
constexpr std::string_view kFormats[] = {"date-time", "time", "date", "duration", "email",
                                         "hostname",  "uri",  "ipv4", "ipv6",     "uuid"};

bool is_object_schema(json::Value schema) {
  const json::Value type = schema["type"];
  if (type.equals("object") || schema["properties"].is_object()) return true;
  for (const json::Value entry : type.elements()) {
    if (entry.equals("object")) return true;
  }
  return false;
}

// The nesting is that of a parsed document: at most json::Limits::depth_max.
class SchemaWriter {
 public:
  SchemaWriter(std::string& out, Dropped& dropped) : w_(out), dropped_(dropped) {}

  void write(json::Value schema) {
    if (!schema.is_object()) {
      w_.raw(schema.raw());
      return;
    }
    w_.begin_object();
    for (const auto& [key, value] : schema.members()) write_member(key, value);
    if (is_object_schema(schema)) w_.member("additionalProperties", false);
    w_.end_object();
  }

 private:
  void drop(std::string_view key) { note(dropped_, at_member("response_format.schema", key)); }

  void write_member(const std::string& key, json::Value value) {
    if (is_one_of(key, kUnsupported)) return drop(key);
    if (key == "additionalProperties") {
      if (!value.is_bool() || value.as_bool().value_or(false)) drop(key);
      return;
    }
    if (key == "minItems" && value.as_int64().value_or(0) > 1) return drop(key);
    if (key == "format" && !is_one_of(value.string_or(""), kFormats)) return drop(key);
    if (is_one_of(key, kSchemaMaps) && value.is_object()) {
      w_.key(key).begin_object();
      for (const auto& [name, schema] : value.members()) {
        w_.key(name);
        write(schema);
      }
      w_.end_object();
    } else if (is_one_of(key, kSchemaLists) && value.is_array()) {
      w_.key(key == "oneOf" ? "anyOf" : key).begin_array();
      for (const json::Value schema : value.elements()) write(schema);
      w_.end_array();
    } else if (key == "items") {
      w_.key(key);
      write(value);
    } else {
      w_.member_raw(key, value.raw());
    }
  }

  json::Writer w_;
  Dropped& dropped_;
};

}  // namespace

std::string structured_schema(std::string_view schema, Dropped& dropped) {
  json::Document document;
  if (!document.parse(schema) || !document.root().is_object()) return std::string(schema);
  std::string out;
  SchemaWriter(out, dropped).write(document.root());
  return out;
}

}  // namespace weir::dialect::anthropic_messages
