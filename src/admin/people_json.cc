#include "admin/people_json.h"

#include "base/date.h"

namespace weir::admin {
namespace {

void write_time(json::Writer& w, std::string_view name, int64_t wall_ms) {
  w.key(name);
  wall_ms > 0 ? w.string(rfc3339(wall_ms)) : w.null();
}

}  // namespace

void write_roles(json::Writer& w, identity::RoleSet roles) {
  w.key("roles").begin_array();
  for (const identity::Role role : identity::kRoles) {
    if (roles.has(role)) w.string(identity::to_string(role));
  }
  w.end_array();
}

void write_user(json::Writer& w, const identity::User& user) {
  w.member("id", user.id)
      .member("name", user.name)
      .member("kind", identity::to_string(user.kind))
      .member("display", user.display);
  write_roles(w, user.roles);
  w.member("disabled", user.disabled)
      .member("password", user.has_password)
      .member("issuer", user.issuer);
  write_time(w, "created", user.created_ms);
  write_time(w, "signed_in", user.signed_in_ms);
}

std::string user_text(const identity::User& user) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  write_user(w, user);
  w.end_object();
  return text;
}

std::string token_text(const identity::Token& token, std::string_view user_name) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  write_token(w, token, user_name);
  w.end_object();
  return text;
}

void write_token(json::Writer& w, const identity::Token& token, std::string_view user_name) {
  w.member("id", token.id)
      .member("user", user_name)
      .member("name", token.name)
      .member("masked", token.masked);
  write_roles(w, token.roles);
  write_time(w, "created", token.created_ms);
  write_time(w, "expires", token.expires_ms);
  write_time(w, "used", token.used_ms);
  write_time(w, "revoked", token.revoked_ms);
}

}  // namespace weir::admin
