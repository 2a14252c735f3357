#include "dialect/strict_schema.h"

#include <algorithm>

#include "base/json/document.h"

namespace weir::dialect {
namespace {

bool is_object_schema(json::Value schema) {
  if (schema["properties"].is_object() || schema["type"].equals("object")) return true;
  const auto types = schema["type"].elements();
  for (const json::Value type : types) {
    if (type.equals("object")) return true;
  }
  return false;
}

bool is_required(json::Value schema, std::string_view name) {
  const auto required = schema["required"].elements();
  for (const json::Value entry : required) {
    if (entry.equals(name)) return true;
  }
  return false;
}

// The nesting is that of a parsed document: at most json::Limits::depth_max.
bool fits(json::Value schema) {
  if (!schema.is_object()) return true;
  if (is_object_schema(schema)) {
    const auto open = schema["additionalProperties"].as_bool();
    if (!open || *open) return false;
  }
  for (const auto& [name, property] : schema["properties"].members()) {
    if (!is_required(schema, name) || !fits(property)) return false;
  }
  for (const std::string_view map : {"$defs", "definitions"}) {
    for (const auto& [name, definition] : schema[map].members()) {
      if (!fits(definition)) return false;
    }
  }
  for (const json::Value option : schema["anyOf"].elements()) {
    if (!fits(option)) return false;
  }
  return !schema["oneOf"].exists() && !schema["allOf"].exists() && fits(schema["items"]);
}

}  // namespace

bool fits_openai_strict(std::string_view schema) {
  json::Document document;
  return document.parse(schema, {.unique_keys_levels = 0}) && document.root().is_object() &&
         fits(document.root());
}

}  // namespace weir::dialect
