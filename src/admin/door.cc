#include "admin/door.h"

#include <fmt/format.h>

#include "base/text.h"
#include "http/management.h"

namespace weir::admin {
namespace {

using identity::Actor;
using identity::Permission;

// The authority of a URL or an origin; empty where it is none.
std::string_view host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

std::string_view bearer(const http::RequestHead& head) {
  const std::string_view value = head.headers.get("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  return value.starts_with(kBearer) ? value.substr(kBearer.size()) : std::string_view();
}

bool changes(const http::RequestHead& head) {
  return head.method != "GET" && head.method != "HEAD";
}

Actor of_user(Actor::Kind kind, const identity::User& user) {
  Actor actor;
  actor.kind = kind;
  actor.user_id = user.id;
  actor.name = user.name;
  actor.roles = user.roles;
  return actor;
}

}  // namespace

// The value of a cookie; HTTP/2 may send several fields.
std::string_view Door::cookie(const http::RequestHead& head, std::string_view name) {
  for (const http::Header& header : head.headers) {
    if (!http::iequals(header.name, "cookie")) continue;
    for (const std::string_view part : split(header.value, ';')) {
      const std::string_view pair = trim(part);
      const size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
        return pair.substr(equals + 1);
      }
    }
  }
  return {};
}

bool Door::admits(const http::RequestHead& head) const {
  if (!token.empty()) return true;
  if (http::is_local_request(head)) return true;
  // A proxy that says where it is reached.
  const std::string_view own = host_of(public_url);
  if (own.empty() || head.host != own) return false;
  const auto origin = head.headers.find("origin");
  return !origin || host_of(*origin) == own;
}

Result<bool> Door::asks(identity::People& people) const {
  if (!token.empty() || reachable) return true;
  return people.store().has_users();
}

Result<Actor> Door::recognize(const http::RequestHead& head, identity::People& people,
                              int64_t wall_ms) const {
  if (!token.empty() && http::presents_token(head, token)) {
    Actor actor;
    actor.kind = Actor::Kind::admin_token;
    actor.name = "admin.token";
    actor.roles = identity::RoleSet{identity::Role::admin};
    return actor;
  }
  if (const std::string_view presented = bearer(head); !presented.empty()) {
    WEIR_TRY(const auto found, people.store().find_token(presented, wall_ms));
    if (found) {
      Actor actor = of_user(Actor::Kind::token, found->first);
      actor.roles = found->second.roles;
      actor.token_id = found->second.id;
      return actor;
    }
  }
  if (const std::string_view value = cookie(head, cookie_name()); !value.empty()) {
    WEIR_TRY(auto session, people.store().find_session(value, wall_ms, people.session_rules()));
    if (session) {
      Actor actor = of_user(Actor::Kind::session, session->user);
      actor.session = std::move(session);
      return actor;
    }
  }
  WEIR_TRY(const bool asked, asks(people));
  if (asked) return Actor();
  Actor actor;
  actor.kind = Actor::Kind::local;
  actor.name = "this machine";
  actor.roles = identity::RoleSet{identity::Role::admin};
  return actor;
}

std::optional<Reply> Door::refuse(const http::RequestHead& head, const Actor& actor,
                                  Permission needed, identity::People& people) const {
  if (!actor.may(needed)) {
    if (!actor.is_known()) {
      return error_reply(401, "unauthorized",
                         "Sign in, or send an access token or the admin token (admin.token in the "
                         "configuration) as \"Authorization: Bearer ...\".");
    }
    return error_reply(
        403, "forbidden",
        fmt::format("This needs the permission {}; {} has {}.", identity::to_string(needed),
                    actor.name, actor.roles.empty() ? "no role" : to_text(actor.roles)));
  }
  const bool by_token = actor.kind == Actor::Kind::admin_token || actor.kind == Actor::Kind::token;
  if (!changes(head) || by_token) return std::nullopt;
  // What a browser may have been made to send by another site's page.
  if (const auto origin = head.headers.find("origin")) {
    const std::string_view from = host_of(*origin);
    if (from.empty() || (from != head.host && from != host_of(public_url))) {
      return error_reply(403, "forbidden", "The request comes from another site's page.");
    }
  }
  if (actor.kind == Actor::Kind::session &&
      !Secret(people.store().csrf_token(*actor.session)).equals(head.headers.get("x-weir-csrf"))) {
    return error_reply(403, "csrf",
                       "A change by cookie needs the header x-weir-csrf; GET /api/v1/me tells it.");
  }
  return std::nullopt;
}

}  // namespace weir::admin
