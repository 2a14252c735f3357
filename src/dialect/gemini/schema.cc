// Schemas of the OpenAPI subset as JSON Schema, and the two forms of log probabilities.

#include <algorithm>
#include <array>

#include "dialect/gemini/gemini.h"

namespace weir::dialect::gemini {
namespace {

constexpr uint32_t kSchemaDepthMax = 100;

struct Keyword {
  std::string_view snake;
  std::string_view camel;
};
constexpr auto kKeywords = std::to_array<Keyword>({
    {"any_of", "anyOf"},
    {"min_items", "minItems"},
    {"max_items", "maxItems"},
    {"min_length", "minLength"},
    {"max_length", "maxLength"},
    {"min_properties", "minProperties"},
    {"max_properties", "maxProperties"},
    {"additional_properties", "additionalProperties"},
});

std::string_view camel_keyword(std::string_view name) {
  for (const Keyword& keyword : kKeywords) {
    if (keyword.snake == name) return keyword.camel;
  }
  return name;
}

// Counts are int64 in the API's proto, and proto JSON writes those as text.
bool is_count(std::string_view name) {
  return name.starts_with("min") || name.starts_with("max");
}

std::string lowercase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_integer(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void write_schema(json::Writer& w, json::Value schema, uint32_t depth);

void write_type(json::Writer& w, json::Value type, bool nullable) {
  w.key("type");
  if (!type.is_string()) {
    w.raw(type.raw());
    return;
  }
  const std::string word = lowercase(type.string_or(""));
  if (!nullable) {
    w.string(word);
  } else {
    w.begin_array().string(word).string("null").end_array();
  }
}

// An enum that may be null has to say so: JSON Schema's type list does not add to it.
void write_enum(json::Writer& w, json::Value values, bool nullable) {
  w.key("enum").begin_array();
  bool has_null = false;
  for (const json::Value value : values.elements()) {
    w.raw(value.raw());
    has_null = has_null || value.is_null();
  }
  if (nullable && !has_null) w.null();
  w.end_array();
}

void write_keyword(json::Writer& w, std::string_view name, json::Value value, bool nullable,
                   uint32_t depth) {
  if (name == "type") {
    write_type(w, value, nullable);
  } else if (name == "enum" && value.is_array()) {
    write_enum(w, value, nullable);
  } else if (name == "properties" || name == "$defs" || name == "defs") {
    w.key(name == "defs" ? "$defs" : name).begin_object();
    for (const auto& [key, property] : value.members()) {
      w.key(key);
      write_schema(w, property, depth + 1);
    }
    w.end_object();
  } else if (name == "items" || name == "additionalProperties") {
    w.key(name);
    write_schema(w, value, depth + 1);
  } else if (name == "anyOf" && value.is_array()) {
    w.key(name).begin_array();
    for (const json::Value option : value.elements()) write_schema(w, option, depth + 1);
    if (nullable) w.begin_object().member("type", "null").end_object();
    w.end_array();
  } else if (const auto text = value.as_string(); text && is_count(name) && is_integer(*text)) {
    w.member_raw(name, *text);
  } else {
    w.member_raw(name, value.raw());
  }
}

void write_schema(json::Writer& w, json::Value schema, uint32_t depth) {
  if (!schema.is_object() || depth > kSchemaDepthMax) {
    w.raw(schema.is_object() ? "{}" : schema.raw());
    return;
  }
  const bool nullable = schema["nullable"].as_bool().value_or(false);
  w.begin_object();
  for (const auto& [key, value] : schema.members()) {
    const std::string_view name = camel_keyword(key);
    // Known to Google alone, or said by other means.
    if (name == "nullable" || name == "propertyOrdering" || name == "property_ordering" ||
        name == "example" || (name == "format" && value.equals("enum"))) {
      continue;
    }
    write_keyword(w, name, value, nullable, depth);
  }
  w.end_object();
}

void write_openai_token(json::Writer& w, json::Value candidate) {
  w.member("token", candidate["token"].string_or(""));
  const json::Value logprob = gemini_field(candidate, "logProbability", "log_probability");
  w.member_raw("logprob", logprob.is_number() ? logprob.raw() : "0");
  w.key("bytes").null();
}

void write_gemini_token(json::Writer& w, json::Value token) {
  w.begin_object().member("token", token["token"].string_or(""));
  const json::Value logprob = token["logprob"];
  w.member_raw("logProbability", logprob.is_number() ? logprob.raw() : "0").end_object();
}

}  // namespace

std::string json_schema_of(json::Value schema) {
  std::string out;
  json::Writer w(out);
  write_schema(w, schema, 0);
  return out;
}

std::string openai_logprobs_of(json::Value result) {
  const json::Value chosen = gemini_field(result, "chosenCandidates", "chosen_candidates");
  if (chosen.size() == 0) return {};
  std::vector<json::Value> tops;
  for (const json::Value top : gemini_field(result, "topCandidates", "top_candidates").elements()) {
    tops.push_back(top["candidates"]);
  }
  std::string out;
  json::Writer w(out);
  w.begin_object().key("content").begin_array();
  size_t index = 0;
  for (const json::Value candidate : chosen.elements()) {
    w.begin_object();
    write_openai_token(w, candidate);
    w.key("top_logprobs").begin_array();
    if (index < tops.size()) {
      for (const json::Value top : tops[index].elements()) {
        w.begin_object();
        write_openai_token(w, top);
        w.end_object();
      }
    }
    w.end_array().end_object();
    ++index;
  }
  w.end_array().key("refusal").null().end_object();
  return out;
}

std::string gemini_logprobs_of(std::string_view openai_logprobs) {
  json::Document document;
  if (!document.parse(openai_logprobs)) return {};
  const json::Value content = document.root()["content"];
  if (content.size() == 0) return {};
  std::string out;
  json::Writer w(out);
  w.begin_object().key("topCandidates").begin_array();
  for (const json::Value token : content.elements()) {
    w.begin_object().key("candidates").begin_array();
    for (const json::Value top : token["top_logprobs"].elements()) write_gemini_token(w, top);
    w.end_array().end_object();
  }
  w.end_array().key("chosenCandidates").begin_array();
  for (const json::Value token : content.elements()) write_gemini_token(w, token);
  w.end_array().end_object();
  return out;
}

}  // namespace weir::dialect::gemini
