// Signing in and out, oneself, and users.
#include <fmt/format.h>

#include <chrono>

#include "admin/fields.h"
#include "admin/people_json.h"
#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

using identity::Actor;
using identity::User;

std::string cookie_text(const Request& request, std::string_view value, int64_t seconds) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", request.cookie_name,
                     value, seconds, request.secure ? "; Secure" : "");
}

void write_me(json::Writer& w, const Actor& actor, const std::optional<User>& user,
              identity::PeopleStore& store) {
  w.begin_object().member("kind", identity::to_string(actor.kind)).member("name", actor.name);
  w.key("user");
  if (user) {
    w.begin_object();
    write_user(w, *user);
    w.end_object();
  } else {
    w.null();
  }
  write_roles(w, actor.roles);
  w.key("permissions").begin_array();
  for (const identity::PermissionRow& row : identity::permissions()) {
    if (actor.may(row.permission)) w.string(row.name);
  }
  w.end_array().key("csrf");
  actor.session ? w.string(store.csrf_token(*actor.session)) : w.null();
  w.key("expires");
  actor.session ? w.string(rfc3339(actor.session->expires_ms)) : w.null();
  w.end_object();
}

Reply user_reply(const Request& request, const User& user, int status) {
  request.note->object = user.id;
  request.note->after = user_text(user);
  return {.status = status, .body = request.note->after};
}

Reply ok_reply(std::string_view member = "ok") {
  Reply reply;
  json::Writer(reply.body).begin_object().member(member, true).end_object();
  return reply;
}

Reply too_many(Nanoseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  Reply reply = error_reply(
      429, "too_many_attempts",
      fmt::format("Too many failed attempts; the next one may be made in {} s.", seconds));
  reply.headers.emplace_back("retry-after", std::to_string(std::max<int64_t>(seconds, 1)));
  return reply;
}

}  // namespace

net::Task<Result<Reply>> get_sign_in(Backend& backend, const Request& request) {
  auto users = backend.people().store().has_users();
  if (!users) co_return fail(std::move(users).error());
  Reply reply;
  json::Writer(reply.body)
      .begin_object()
      .member("open", request.actor.kind == Actor::Kind::local)
      .member("password", *users)
      .member("token", request.actor.kind != Actor::Kind::local)
      .member("oidc", backend.people().oidc() != nullptr)
      .end_object();
  co_return reply;
}

net::Task<Result<Reply>> post_sign_in(Backend& backend, const Request& request) {
  if (auto known = only_fields(request.body, {"name", "password"}); !known) {
    co_return fail(std::move(known).error());
  }
  auto name = required_text(request.body, "name");
  if (!name) co_return fail(std::move(name).error());
  auto password = required_text(request.body, "password");
  if (!password) co_return fail(std::move(password).error());
  identity::People& people = backend.people();
  auto done = co_await people.sign_in(*name, Secret(std::move(*password)), request.address);
  if (!done) co_return fail(std::move(done).error());
  if (!done->user) {
    if (done->wait.count() > 0) co_return too_many(done->wait);
    co_return error_reply(401, "unauthorized", "The name or the password is wrong.");
  }
  // Whoever signed in before at this browser is out.
  if (request.actor.session) {
    (void)people.store().end_session(request.actor.session->hash);
  }
  auto session = people.store().find_session(done->cookie.reveal(), SystemClock().wall_ms(),
                                             people.session_rules());
  if (!session) co_return fail(std::move(session).error());
  if (!*session) co_return fail(ErrorCode::unavailable, "the session did not last");
  request.note->actor = (*session)->user.name;
  request.note->object = (*session)->user.id;
  Actor actor;
  actor.kind = Actor::Kind::session;
  actor.name = (*session)->user.name;
  actor.roles = (*session)->user.roles;
  actor.session = **session;
  Reply reply;
  json::Writer w(reply.body);
  write_me(w, actor, actor.session->user, people.store());
  reply.headers.emplace_back(
      "set-cookie",
      cookie_text(request, done->cookie.reveal(), people.session_rules().lifetime.count() / 1000));
  co_return reply;
}

net::Task<Result<Reply>> post_sign_out(Backend& backend, const Request& request) {
  if (request.actor.session) {
    auto ended = backend.people().store().end_session(request.actor.session->hash);
    if (!ended) co_return fail(std::move(ended).error());
  }
  Reply reply = ok_reply();
  reply.headers.emplace_back("set-cookie", cookie_text(request, "", 0));
  co_return reply;
}

net::Task<Result<Reply>> get_me(Backend& backend, const Request& request) {
  identity::PeopleStore& store = backend.people().store();
  std::optional<User> user;
  if (!request.actor.user_id.empty()) {
    auto found = store.user(request.actor.user_id);
    if (!found) co_return fail(std::move(found).error());
    user = std::move(*found);
  }
  Reply reply;
  json::Writer w(reply.body);
  write_me(w, request.actor, user, store);
  co_return reply;
}

net::Task<Result<Reply>> post_my_password(Backend& backend, const Request& request) {
  if (request.actor.kind != Actor::Kind::session) {
    co_return fail(ErrorCode::permission_denied, "a password is changed by who is signed in");
  }
  if (auto known = only_fields(request.body, {"password", "new_password"}); !known) {
    co_return fail(std::move(known).error());
  }
  auto password = required_text(request.body, "password");
  if (!password) co_return fail(std::move(password).error());
  auto next = required_text(request.body, "new_password");
  if (!next) co_return fail(std::move(next).error());
  identity::People& people = backend.people();
  auto right = co_await people.check_password(request.actor.name, Secret(std::move(*password)),
                                              request.address);
  if (!right && right.error().code() == ErrorCode::limit_exceeded) {
    co_return too_many(people.wait_of(request.actor.name, request.address));
  }
  if (!right) co_return fail(std::move(right).error());
  auto hash = co_await people.hash(Secret(std::move(*next)), request.actor.name);
  if (!hash) co_return fail(std::move(hash).error());
  auto set =
      people.store().set_password(request.actor.user_id, *hash, &request.actor.session->hash);
  if (!set) co_return fail(std::move(set).error());
  co_return ok_reply();
}

net::Task<Result<Reply>> list_roles(Backend&, const Request&) {
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("roles").begin_array();
  for (const identity::Role role : identity::kRoles) {
    w.begin_object().member("name", identity::to_string(role)).key("permissions").begin_array();
    for (const identity::PermissionRow& row : identity::permissions()) {
      if (row.roles.has(role)) w.string(row.name);
    }
    w.end_array().end_object();
  }
  w.end_array().key("permissions").begin_array();
  for (const identity::PermissionRow& row : identity::permissions()) {
    w.begin_object().member("name", row.name).member("doc", row.doc).end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_users(Backend& backend, const Request&) {
  auto users = backend.people().store().users();
  if (!users) co_return fail(std::move(users).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("users").begin_array();
  for (const User& user : *users) {
    w.begin_object();
    write_user(w, user);
    w.end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> create_user(Backend& backend, const Request& request) {
  const json::Value body = request.body;
  if (auto known = only_fields(body, {"name", "kind", "display", "roles", "password"}); !known) {
    co_return fail(std::move(known).error());
  }
  User user;
  auto name = required_text(body, "name");
  if (!name) co_return fail(std::move(name).error());
  user.name = std::move(*name);
  auto kind = text_member(body, "kind");
  if (!kind) co_return fail(std::move(kind).error());
  const std::string kind_name = kind->value_or("person");
  if (kind_name != "person" && kind_name != "service") {
    co_return fail(wrong_field("kind", "person or service"));
  }
  if (kind_name == "service") user.kind = identity::UserKind::service;
  auto display = text_member(body, "display");
  if (!display) co_return fail(std::move(display).error());
  user.display = display->value_or("");
  auto roles = roles_member(body);
  if (!roles) co_return fail(std::move(roles).error());
  user.roles = roles->value_or(identity::RoleSet());
  auto password = text_member(body, "password");
  if (!password) co_return fail(std::move(password).error());
  if (password->has_value() != (user.kind == identity::UserKind::person)) {
    co_return fail(wrong_field("password", "one for a person, none for a service account"));
  }
  std::string hash;
  if (*password) {
    auto made = co_await backend.people().hash(Secret(std::move(**password)), user.name);
    if (!made) co_return fail(std::move(made).error());
    hash = std::move(*made);
  }
  auto created = backend.people().store().create(std::move(user), hash, SystemClock().wall_ms());
  if (!created) co_return fail(std::move(created).error());
  co_return user_reply(request, *created, 201);
}

net::Task<Result<Reply>> change_user(Backend& backend, const Request& request) {
  if (auto known = only_fields(request.body, {"display", "roles", "disabled"}); !known) {
    co_return fail(std::move(known).error());
  }
  auto before = backend.people().store().user(request.path_value);
  if (!before) co_return fail(std::move(before).error());
  request.note->before = user_text(*before);
  identity::UserChange change;
  auto display = text_member(request.body, "display");
  if (!display) co_return fail(std::move(display).error());
  change.display = std::move(*display);
  auto roles = roles_member(request.body);
  if (!roles) co_return fail(std::move(roles).error());
  change.roles = *roles;
  auto disabled = flag_member(request.body, "disabled");
  if (!disabled) co_return fail(std::move(disabled).error());
  change.disabled = *disabled;
  auto changed = backend.people().store().change(request.path_value, change);
  if (!changed) co_return fail(std::move(changed).error());
  co_return user_reply(request, *changed, 200);
}

net::Task<Result<Reply>> remove_user(Backend& backend, const Request& request) {
  auto before = backend.people().store().user(request.path_value);
  if (!before) co_return fail(std::move(before).error());
  request.note->before = user_text(*before);
  auto removed = backend.people().store().remove(request.path_value);
  if (!removed) co_return fail(std::move(removed).error());
  co_return ok_reply("removed");
}

net::Task<Result<Reply>> post_user_password(Backend& backend, const Request& request) {
  if (auto known = only_fields(request.body, {"password"}); !known) {
    co_return fail(std::move(known).error());
  }
  auto password = required_text(request.body, "password");
  if (!password) co_return fail(std::move(password).error());
  auto user = backend.people().store().user(request.path_value);
  if (!user) co_return fail(std::move(user).error());
  auto hash = co_await backend.people().hash(Secret(std::move(*password)), user->name);
  if (!hash) co_return fail(std::move(hash).error());
  auto set = backend.people().store().set_password(user->id, *hash);
  if (!set) co_return fail(std::move(set).error());
  co_return ok_reply();
}

}  // namespace weir::admin
