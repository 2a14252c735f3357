// Reading the body of an admin request: texts, lists and times, each refused with a sentence that
// names the field. Pure; any thread.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "identity/role.h"

namespace weir::admin {

Error wrong_field(std::string_view field, std::string_view expected);
// The body is an object and has no other members than these: a misspelt one is told.
Result<void> only_fields(json::Value body, std::initializer_list<std::string_view> fields);
// Absent and null are nullopt.
Result<std::optional<std::string>> text_member(json::Value body, std::string_view name);
// invalid_argument where it is absent or empty.
Result<std::string> required_text(json::Value body, std::string_view name);
Result<std::optional<bool>> flag_member(json::Value body, std::string_view name);
Result<std::optional<identity::RoleSet>> roles_member(json::Value body);
// RFC 3339 to wall milliseconds.
Result<std::optional<int64_t>> time_member(json::Value body, std::string_view name);

}  // namespace weir::admin
