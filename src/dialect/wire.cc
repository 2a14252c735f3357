#include "dialect/wire.h"

#include <algorithm>

#include "base/json/writer.h"

namespace weir::dialect {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string_view name_of(json::Value value) {
  switch (value.type()) {
    case json::Type::null:
      return value.exists() ? "null" : "nothing";
    case json::Type::boolean:
      return "a boolean";
    case json::Type::number:
      return "a number";
    case json::Type::string:
      return "a string";
    case json::Type::array:
      return "an array";
    case json::Type::object:
      return "an object";
  }
  return "something else";
}

}  // namespace

void note(Dropped& dropped, std::string_view path) {
  if (std::find(dropped.begin(), dropped.end(), path) == dropped.end()) dropped.emplace_back(path);
}

void note_unknown_members(Dropped& dropped, json::Value object,
                          std::span<const std::string_view> known) {
  for (const auto& [name, value] : object.members()) {
    if (!value.is_null() && std::ranges::find(known, name) == known.end()) note(dropped, name);
  }
}

std::string at_index(std::string_view path, size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

std::string at_member(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

json::Value FieldReader::member(json::Value parent, std::string_view name, json::Type type,
                                std::string_view expected, std::string_view path) {
  const json::Value value = parent[name];
  if (!value.exists() || value.is_null()) return {};
  if (value.type() == type) return value;
  wrong(at_member(path, name), expected, value);
  return {};
}

std::string FieldReader::string(json::Value object, std::string_view name, std::string_view path) {
  return member(object, name, json::Type::string, "a string", path).string_or("");
}

std::optional<int64_t> FieldReader::integer(json::Value object, std::string_view name,
                                            std::string_view path) {
  const json::Value value = member(object, name, json::Type::number, "a whole number", path);
  if (!value) return std::nullopt;
  const std::optional<int64_t> number = value.as_int64();
  if (!number) wrong(at_member(path, name), "a whole number", value);
  return number;
}

std::optional<bool> FieldReader::boolean(json::Value object, std::string_view name,
                                         std::string_view path) {
  return member(object, name, json::Type::boolean, "true or false", path).as_bool();
}

std::string FieldReader::number(json::Value object, std::string_view name, std::string_view path) {
  const json::Value value = member(object, name, json::Type::number, "a number", path);
  return value ? std::string(value.raw()) : std::string();
}

json::Value FieldReader::object(json::Value parent, std::string_view name, std::string_view path) {
  return member(parent, name, json::Type::object, "an object", path);
}

json::Value FieldReader::array(json::Value parent, std::string_view name, std::string_view path) {
  return member(parent, name, json::Type::array, "an array", path);
}

void FieldReader::wrong(std::string_view path, std::string_view expected, json::Value got) {
  std::string message = "expected ";
  message.append(expected).append(", got ").append(name_of(got));
  fail(path, message);
}

void FieldReader::fail(std::string_view path, std::string_view message) {
  if (!message_.empty()) return;
  message_.append(path.empty() ? "the body" : path).append(": ").append(message);
}

std::optional<DataUrl> parse_data_url(std::string_view url) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kBase64 = ";base64";
  if (url.size() < kScheme.size()) return std::nullopt;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = url[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kScheme[i]) {
      return std::nullopt;
    }
  }
  url.remove_prefix(kScheme.size());
  const size_t comma = url.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  std::string_view head = url.substr(0, comma);
  if (!head.ends_with(kBase64)) return std::nullopt;
  head.remove_suffix(kBase64.size());
  // Parameters such as ";charset=utf-8" are no part of what the APIs call media type.
  return DataUrl{head.substr(0, head.find(';')), url.substr(comma + 1)};
}

std::string data_url(std::string_view media_type, std::string_view base64) {
  std::string url = "data:";
  url.append(media_type).append(";base64,").append(base64);
  return url;
}

std::string object_text(std::string_view json) {
  if (std::all_of(json.begin(), json.end(), is_blank)) return "{}";
  json::Document document;
  if (document.parse(json, {.unique_keys_levels = 0}) && document.root().is_object()) {
    return std::string(document.root().raw());
  }
  std::string out;
  json::Writer(out).begin_object().member("raw_arguments", json).end_object();
  return out;
}

bool is_json(std::string_view text) {
  json::Document document;
  return document.parse(text).has_value();
}

std::string compact_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!in_string && is_blank(c)) continue;
    out.push_back(c);
    if (c == '"') in_string = !in_string;
    if (c == '\\' && in_string && i + 1 < json.size()) out.push_back(json[++i]);
  }
  return out;
}

std::string plain_id(std::string_view id) {
  std::string out(id);
  std::replace_if(out.begin(), out.end(), [](char c) { return !is_plain(c); }, '_');
  return out;
}

bool is_plain_name(std::string_view name, size_t length_max) {
  return !name.empty() && name.size() <= length_max &&
         std::all_of(name.begin(), name.end(), is_plain);
}

std::string joined_text(const std::vector<Part>& parts, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const Part& part : parts) {
    if (part.kind != PartKind::text) continue;
    if (!first) out.append(separator);
    first = false;
    out.append(part.text);
  }
  return out;
}

}  // namespace weir::dialect
