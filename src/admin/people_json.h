// Users and tokens as the admin API and `weir user` write them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/json/writer.h"
#include "identity/people_store.h"

namespace weir::admin {

// Members of an object that is open.
void write_user(json::Writer& w, const identity::User& user);
void write_token(json::Writer& w, const identity::Token& token, std::string_view user_name);
// The same as a text of its own, for the audit log.
std::string user_text(const identity::User& user);
std::string token_text(const identity::Token& token, std::string_view user_name);
// "roles": ["admin", ...]
void write_roles(json::Writer& w, identity::RoleSet roles);

}  // namespace weir::admin
