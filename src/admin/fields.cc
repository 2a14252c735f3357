#include "admin/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/date.h"

namespace weir::admin {
namespace {

bool is_absent(json::Value value) {
  return !value.exists() || value.is_null();
}

}  // namespace

Error wrong_field(std::string_view field, std::string_view expected) {
  return {ErrorCode::invalid_argument, fmt::format("{}: expected {}", field, expected)};
}

Result<void> only_fields(json::Value body, std::initializer_list<std::string_view> fields) {
  if (!body.is_object()) return fail(wrong_field("body", "a JSON object"));
  for (const auto& [key, value] : body.members()) {
    if (std::ranges::find(fields, key) != fields.end()) continue;
    return fail(ErrorCode::invalid_argument, fmt::format("there is no field \"{}\"; there are {}",
                                                         key, fmt::join(fields, ", ")));
  }
  return {};
}

Result<std::optional<std::string>> text_member(json::Value body, std::string_view name) {
  const json::Value value = body[name];
  if (is_absent(value)) return std::nullopt;
  auto text = value.as_string();
  if (!text) return fail(wrong_field(name, "a text"));
  return text;
}

Result<std::string> required_text(json::Value body, std::string_view name) {
  WEIR_TRY(auto text, text_member(body, name));
  if (!text || text->empty()) return fail(wrong_field(name, "a text"));
  return std::move(*text);
}

Result<std::optional<bool>> flag_member(json::Value body, std::string_view name) {
  const json::Value value = body[name];
  if (is_absent(value)) return std::nullopt;
  if (!value.is_bool()) return fail(wrong_field(name, "true or false"));
  return value.as_bool();
}

Result<std::optional<identity::RoleSet>> roles_member(json::Value body) {
  const json::Value value = body["roles"];
  if (is_absent(value)) return std::nullopt;
  if (!value.is_array()) return fail(wrong_field("roles", "a list of roles"));
  identity::RoleSet roles;
  for (const json::Value name : value.elements()) {
    const auto role = identity::parse_role(name.string_or(""));
    if (!role) {
      return fail(wrong_field("roles", to_text(identity::RoleSet::all())));
    }
    roles.add(*role);
  }
  return roles;
}

Result<std::optional<int64_t>> time_member(json::Value body, std::string_view name) {
  const json::Value value = body[name];
  if (is_absent(value)) return std::nullopt;
  const auto at = parse_rfc3339(value.string_or(""));
  if (!at) return fail(wrong_field(name, "a time such as 2027-01-01T00:00:00Z"));
  return at;
}

}  // namespace weir::admin
